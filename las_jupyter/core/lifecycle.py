"""
How an instance moves from one state to the next.

``advance`` is the whole rule: no clock, no process, no lock. The supervisor feeds it events and carries out the
effects it returns; tests feed it events and read the effects.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from las_jupyter.core.launch import RestartRule
from las_jupyter.core.states import ProcessState, RestartPolicy

OPEN = "open to the network, which nobody asked for"
"""How a reason ends when a server was stopped for where it listens."""


class Effect(Enum):
    """What the supervisor must do now."""

    LAUNCH = auto()
    ASK_TO_STOP = auto()
    """Send the stop signal once and begin the grace."""
    INSIST = auto()
    """Kill all that is left, until nothing is."""
    WAIT_BEFORE_RESTART = auto()
    FINISH = auto()
    """Write the last state and end the supervisor."""


class Launched(NamedTuple):
    """The module's first instruction ran."""


class LaunchRefused(NamedTuple):
    """The backend could not start it; nothing of it is left."""

    reason: str


class BecameReady(NamedTuple):
    """The ready rule said yes for the first time in this start."""

    reason: str


class Stalled(NamedTuple):
    """It made no progress for too long, or took longer than allowed, before it was ready."""

    reason: str


class LimitBroken(NamedTuple):
    """It used more than it may, and nobody but us keeps that limit."""

    reason: str


class OpenedToNetwork(NamedTuple):
    """It listens where other machines may reach it, and nobody asked for that. It would do so again: no restart."""

    reason: str


class StopRequested(NamedTuple):
    """Somebody asked, or its kernel is gone."""

    reason: str


class RestartRequested(NamedTuple):
    """Stop, then start again, once."""

    reason: str


class MainEnded(NamedTuple):
    """
    The main process is gone. ``failed`` is what the restart rule ``on-failure`` looks at; ``hopeless`` says that
    another try would end the same way (out of memory), so that only ``always`` makes one.
    """

    reason: str
    failed: bool
    hopeless: bool = False


class GraceOver(NamedTuple):
    """It was asked to stop and did not."""


class NothingLeft(NamedTuple):
    """The main process and everything that belonged to it are verified gone."""


class WaitOver(NamedTuple):
    """The pause before a configured restart is over."""


class RanLongEnough(NamedTuple):
    """It ran stably for ``reset_after`` seconds."""


Event = (
    Launched | LaunchRefused | BecameReady | Stalled | LimitBroken | OpenedToNetwork | StopRequested | RestartRequested
    | MainEnded | GraceOver | NothingLeft | WaitOver | RanLongEnough
)  # fmt: skip


class Life(NamedTuple):
    """
    Where an instance stands. ``tries`` counts configured restarts since the last stable run; ``requested`` is
    whether the end under way was asked for; ``again`` whether a start follows it; ``failed`` how it
    ended; ``hopeless`` whether trying again is no use; ``barred`` whether we may not try again, whatever the rule says.
    """

    state: ProcessState = ProcessState.STOPPED
    reason: str = "not started yet"
    ready: bool = False
    tries: int = 0
    requested: bool = False
    again: bool = False
    failed: bool = False
    hopeless: bool = False
    barred: bool = False


class Step(NamedTuple):
    """The next stand and what to do about it. An event that changes nothing has the same life and no effects."""

    life: Life
    effects: tuple[Effect, ...] = ()


BEGIN = Step(Life(ProcessState.STARTING, "starting"), (Effect.LAUNCH,))


def resumed(before: ProcessState, *, ready: bool, tries: int, ended_by: str = "") -> Life:
    """
    Where an instance stands whose supervisor died while it was ``before``; ``ended_by`` is the last event that began
    its end. A stop that was under way goes on: its signal was sent before the state was written.
    """
    reason = "supervision was restored: the last supervisor had died"
    if before is ProcessState.STOPPING:
        failed = ended_by in ("Stalled", "LimitBroken", "OpenedToNetwork", "MainEnded")
        again = ended_by == "RestartRequested"
        barred = ended_by == "OpenedToNetwork"
        return Life(before, reason, ready, tries, requested=not failed, again=again, failed=failed, barred=barred)
    if before is ProcessState.BACKOFF:
        return Life(before, reason, tries=tries, failed=True)
    return Life(ProcessState.RUNNING if ready else ProcessState.STARTING, reason, ready, tries)


def restart_delay(rule: RestartRule, tries: int) -> float:
    """Seconds before restart number ``tries`` + 1: doubling by default, never above the cap."""
    try:
        return min(rule.cap, rule.first * rule.factor**tries)
    except OverflowError:
        return rule.cap


def advance(life: Life, event: Event, rule: RestartRule) -> Step:
    """The next stand. Events that come too late for the state they meet change nothing."""
    state = life.state
    if state in (ProcessState.STOPPED, ProcessState.FAILED):
        return Step(life)
    match event:
        case StopRequested(reason):
            return _stop(life, reason)
        case RestartRequested(reason):
            return _restart(life, reason)
        case Launched() if state is ProcessState.STARTING:
            return Step(life._replace(reason="started, not ready yet"))
        case LaunchRefused(reason) if state is ProcessState.STARTING:
            return Step(life._replace(state=ProcessState.FAILED, reason=reason, failed=True), (Effect.FINISH,))
        case LaunchRefused(reason) if state is ProcessState.STOPPING:
            return _after(life._replace(failed=not life.requested), rule)
        case BecameReady(reason) if state is ProcessState.STARTING:
            return Step(life._replace(state=ProcessState.RUNNING, reason=reason, ready=True))
        case Stalled(reason) if state is ProcessState.STARTING:
            going = life._replace(state=ProcessState.STOPPING, reason=reason, failed=True)
            return Step(going, (Effect.ASK_TO_STOP,))
        case LimitBroken(reason) if state in (ProcessState.STARTING, ProcessState.RUNNING):
            going = life._replace(state=ProcessState.STOPPING, reason=reason, failed=True, hopeless=True)
            return Step(going, (Effect.ASK_TO_STOP,))
        case OpenedToNetwork(reason) if state in (ProcessState.STARTING, ProcessState.RUNNING):
            going = life._replace(state=ProcessState.STOPPING, reason=reason, failed=True, barred=True)
            return Step(going, (Effect.ASK_TO_STOP,))
        case MainEnded(reason, failed, hopeless) if state in (ProcessState.STARTING, ProcessState.RUNNING):
            # Whoever ends before it was ready has failed, whatever the exit code says.
            ended = life._replace(state=ProcessState.STOPPING, reason=reason, failed=failed or not life.ready)
            return Step(ended._replace(hopeless=hopeless), (Effect.INSIST,))
        case MainEnded(reason) if state is ProcessState.STOPPING:
            told = life if life.failed else life._replace(reason=reason)
            return Step(told, (Effect.INSIST,))
        case GraceOver() if state is ProcessState.STOPPING:
            return Step(life, (Effect.INSIST,))
        case NothingLeft() if state is ProcessState.STOPPING:
            return _after(life, rule)
        case WaitOver() if state is ProcessState.BACKOFF:
            return _start_again(life._replace(tries=life.tries + 1))
        case RanLongEnough() if state is ProcessState.RUNNING:
            return Step(life._replace(tries=0))
        case _:
            return Step(life)


def _stop(life: Life, reason: str) -> Step:
    if life.state is ProcessState.BACKOFF:
        return Step(life._replace(state=ProcessState.STOPPED, reason=reason, requested=True), (Effect.FINISH,))
    going = life._replace(state=ProcessState.STOPPING, reason=reason, requested=True, again=False)
    if life.state is ProcessState.STOPPING:
        # A stop while a restart is under way wins; the signal is sent already.
        return Step(going._replace(reason=life.reason, failed=life.failed))
    return Step(going, (Effect.ASK_TO_STOP,))


def _restart(life: Life, reason: str) -> Step:
    if life.state is ProcessState.BACKOFF:
        return _start_again(life._replace(tries=0))
    if life.state is ProcessState.STOPPING:
        return Step(life._replace(again=True, requested=True))
    going = life._replace(state=ProcessState.STOPPING, reason=reason, requested=True, again=True)
    return Step(going, (Effect.ASK_TO_STOP,))


def _start_again(life: Life) -> Step:
    fresh = Life(ProcessState.STARTING, "starting again", tries=life.tries)
    return Step(fresh, (Effect.LAUNCH,))


def _after(life: Life, rule: RestartRule) -> Step:
    """Everything of it is gone: what now?"""
    if life.again:
        return _start_again(life._replace(tries=0))
    if life.requested:
        return Step(life._replace(state=ProcessState.STOPPED), (Effect.FINISH,))
    on_failure = rule.policy is RestartPolicy.ON_FAILURE and life.failed and not life.hopeless
    wanted = (rule.policy is RestartPolicy.ALWAYS or on_failure) and not life.barred
    if wanted and life.tries < rule.max_tries:
        return Step(life._replace(state=ProcessState.BACKOFF), (Effect.WAIT_BEFORE_RESTART,))
    ended = life._replace(state=ProcessState.FAILED if life.failed else ProcessState.STOPPED)
    if wanted:
        ended = ended._replace(reason=f"{life.reason}; given up after {life.tries} restarts", failed=True)
        ended = ended._replace(state=ProcessState.FAILED)
    return Step(ended, (Effect.FINISH,))
