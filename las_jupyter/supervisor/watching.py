"""Is it ready, is it well, does it still move: the questions a supervisor asks while its module runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from las_jupyter.core import lifecycle
from las_jupyter.core.launch import LaunchSpec, LogProbe, Probe
from las_jupyter.core.quantities import format_duration
from las_jupyter.core.snapshot import Health
from las_jupyter.core.states import HealthState, ProcessState
from las_jupyter.health.answers import Answer, Word
from las_jupyter.health.judge import Belief, judge
from las_jupyter.health.metrics import Work, judge_work
from las_jupyter.health.probes import Asking, Page, begin, begin_page
from las_jupyter.limits import sockets
from las_jupyter.limits.tree import read_process
from las_jupyter.logs.scan import Scanner
from las_jupyter.supervisor.words import last_words, open_text, stranger_text

if TYPE_CHECKING:
    from las_jupyter.supervisor.process import Supervisor

_PATIENCE = 1 / 40
_SLOWEST = 0.1
_LAST_WORDS = 200
_LONGEST_LAST_LOOK = 1.0
"""Seconds; what a module writes on and on must not put off that it is given up."""
_LOOK_FOR_PROGRESS_EVERY = 1.0
_NAME_STRANGER_EVERY = 2.0
_LOOK_AT_FREE_PORT_EVERY = 0.5
_LOOK_AT_SOCKETS_FIRST, _LOOK_AT_SOCKETS_SLOWEST = 0.25, 10.0
_SOON = 0.5  # two timers of the same length are a moment apart
_SOCKETS_SHARE = 4000  # of all time: a tree with thousands of descriptors is looked at more seldom
_STARTING_TIMERS = ("ready", "progress", "limit")


class Watching:
    """Asks one question at a time and tells the supervisor what follows."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.asking: Asking | None = None
        self._well = Answer(Word.UNASKED, "not asked yet")
        self._begin("")

    def _begin(self, log_path: str) -> None:
        self.stop_asking()
        self._belief = Belief()
        self._work: Work | None = None
        self._started = time.monotonic()
        self._moved_at = self._started
        self._mark = (-1, -1)
        self._name_stranger_at, self._stranger_name = 0.0, ""
        self._sockets_at = float("inf")
        self._scanner = Scanner(log_path, _looked_for(self._supervisor.spec))

    def begin(self, log_path: str, *, ready: bool) -> None:
        """A start began, or, when ``ready``, a running module was taken over."""
        self._begin(log_path)
        timers, rule = self._supervisor.timers, self._supervisor.spec.ready
        timers.set("sockets", 0.0)
        if ready:
            timers.set("live", 0.0)
            return
        timers.set("ready", 0.0)
        timers.set("progress", _LOOK_FOR_PROGRESS_EVERY)
        if rule.limit:
            timers.set("limit", rule.limit)

    def end(self) -> None:
        """No more questions: it stops, or it has ended."""
        self.stop_asking()
        self._sockets_at = float("inf")
        self._supervisor.timers.drop(*_STARTING_TIMERS, "live", "stable", "sockets")

    def stop_asking(self) -> None:
        """Drop the question under way."""
        if getattr(self, "asking", None) is not None and self.asking:
            self.asking.close()
        self.asking = None

    def advance(self) -> None:
        """Move the question under way on."""
        if self.asking is None:
            return
        asked = self.asking
        answer = asked.advance()
        if answer is None:
            return
        self.stop_asking()
        if isinstance(asked, Page) and answer.word is not Word.FOREIGN:
            self._answered(self._does_work(answer))
        elif answer.word is Word.YES and self._asks_for_work():
            self._well = answer
        else:
            self._answered(answer)

    def _asks_for_work(self) -> bool:
        """Begin to ask whether work moves, when it is ready and says what to look at."""
        supervisor = self._supervisor
        rule = supervisor.spec.live
        if supervisor.life.state is not ProcessState.RUNNING or supervisor.running is None or rule.progress is None:
            return False
        try:
            page = begin_page(rule.progress, supervisor.spec, supervisor.running, supervisor.secrets, rule.timeout)
        except OSError:
            return False
        self.asking = page
        return True

    def _does_work(self, page: Answer) -> Answer:
        """It answers, and this is what its work says; when that cannot be told, the answer stands."""
        progress = self._supervisor.spec.live.progress
        if page.word is not Word.YES or progress is None:
            return self._well
        self._work, answer = judge_work(self._work, page.reason, progress, time.monotonic())
        return answer if answer.word is Word.NO else self._well

    def due_ready(self) -> None:
        """Time to ask whether it is ready."""
        self._look_for_phase()
        rule = self._supervisor.spec.ready
        if rule.probe is not None:
            self._ask(rule.probe, rule.timeout)
        else:
            self._answered(self._engine_says() or Answer(Word.YES, "it runs, and no probe is declared"))

    def due_live(self) -> None:
        """Time to ask whether it is well."""
        rule = self._supervisor.spec.live
        if rule.probe is not None:
            self._ask(rule.probe, rule.timeout)
            return
        answer = self._engine_says()
        if answer is not None:
            self._answered(answer)

    def _engine_says(self) -> Answer | None:
        running = self._supervisor.running
        said = running.engine_health() if running else None
        if said is None:
            return None
        words = {HealthState.HEALTHY: Word.YES, HealthState.UNHEALTHY: Word.NO, HealthState.UNKNOWN: Word.LOADING}
        return Answer(words[said.state], said.reason)

    def _ask(self, probe: Probe, timeout: float) -> None:
        running = self._supervisor.running
        if self.asking is not None or running is None:
            return
        stranger = self._stranger()  # a command may carry the key or the password to the port
        if stranger is not None:
            self._answered(stranger)
            return
        try:
            self.asking = begin(probe, self._supervisor.spec, running, self._scanner, timeout)
        except OSError as error:
            self._answered(Answer(Word.UNASKED, f"could not ask: {error.strerror}"))

    def _answered(self, answer: Answer) -> None:
        state = self._supervisor.life.state
        if answer.word in (Word.YES, Word.FOREIGN):
            answer = self._stranger() or answer
        if state is ProcessState.STARTING:
            self._answered_before_ready(answer)
        elif state is ProcessState.RUNNING:
            self._answered_after(answer)

    def _answered_before_ready(self, answer: Answer) -> None:
        supervisor = self._supervisor
        if answer.word is Word.YES:
            if not self._stop_if_open():
                self._is_ready(answer)
            return
        health = supervisor.record.snapshot.health
        phase = health.phase or ("loading" if answer.word is Word.LOADING else None)
        if (answer.reason, phase) != (health.reason, health.phase):
            supervisor.record.change(health=Health(HealthState.UNKNOWN, answer.reason, phase, time.time()))
            supervisor.record.save()
        # A start that took a minute may be noticed a second late; asking it twenty times a second costs a core's share.
        waited = time.monotonic() - self._started
        supervisor.timers.set("ready", max(supervisor.spec.ready.every, min(waited * _PATIENCE, _SLOWEST)))

    # ---- whose are the sockets

    def _stranger(self) -> Answer | None:
        """When a port of the instance is answered by somebody who is not of its tree: a sentence, and a new key."""
        supervisor = self._supervisor
        port = next((port.host for port in supervisor.spec.ports if port.host and self._is_foreign(port.host)), None)
        if port is None:
            return None
        now = time.monotonic()
        if now >= self._name_stranger_at:  # a look at every process of the machine
            self._name_stranger_at = now + _NAME_STRANGER_EVERY
            pid = sockets.holder(port)
            process = read_process(pid) if pid else None
            self._stranger_name = f"{process.name} (process {process.pid})" if process else "another program"
        supervisor.put_key_at_risk()
        return Answer(Word.FOREIGN, stranger_text(port, self._stranger_name))

    def _is_foreign(self, port: int) -> bool:
        running = self._supervisor.running
        try:
            if running is None:
                return sockets.answering(port) is not None
            return running.owns_listener(port) is False
        except OSError:
            return False  # no descriptors left: what then goes out is looked at by itself

    def due_port(self) -> None:
        """While it waits to be restarted its port is free for anybody, and others may still send its key there."""
        supervisor, state = self._supervisor, self._supervisor.life.state
        supervisor.timers.set("port", _LOOK_AT_FREE_PORT_EVERY)
        stranger = self._stranger()
        if stranger is not None and stranger.reason != supervisor.record.snapshot.health.reason:
            supervisor.record.change(health=Health(HealthState.UNKNOWN, stranger.reason, None, time.time()))
            supervisor.record.note("foreign listener", state, state, stranger.reason)
            supervisor.record.save()

    def due_sockets(self) -> None:
        """Time to see what the tree listens on: often at first, then ever more seldom."""
        began = time.monotonic()
        if self._stop_if_open():
            return
        now = time.monotonic()
        pause = max((now - self._started) / 2, _LOOK_AT_SOCKETS_FIRST)
        if pause < _LOOK_AT_SOCKETS_SLOWEST:
            self._supervisor.timers.set("sockets", pause)
        else:  # from now on with the slow tick, which is awake anyway, and never at a noticeable cost
            self._sockets_at = now + max(_LOOK_AT_SOCKETS_SLOWEST, (now - began) * _SOCKETS_SHARE)

    def look_at_sockets(self) -> None:
        """The slow tick: look, when it is time again."""
        if time.monotonic() >= self._sockets_at - _SOON:
            self._sockets_at = float("inf")
            self.due_sockets()

    def _stop_if_open(self) -> bool:
        """Stop it when something of it is open to the network though nobody asked for that."""
        supervisor = self._supervisor
        if supervisor.spec.exposed or supervisor.running is None:
            return False
        spec = supervisor.spec
        try:
            found = supervisor.running.open_listeners()
        except OSError:
            return False  # the next look tries again
        if spec.opens:  # the ports it was given must be closed all the same
            found = tuple(each for each in found if each.port in {port.inner for port in spec.ports})
        if found:
            supervisor.feed(lifecycle.OpenedToNetwork(open_text(found)))
        return bool(found)

    def _is_ready(self, answer: Answer) -> None:
        supervisor, now = self._supervisor, time.time()
        took = format_duration(time.monotonic() - self._started)
        self._belief = Belief(HealthState.HEALTHY, answer.reason, yes=1)
        supervisor.record.change(ready_at=now, health=Health(HealthState.HEALTHY, answer.reason, None, now))
        supervisor.timers.drop(*_STARTING_TIMERS)
        supervisor.timers.set("live", supervisor.spec.live.every)
        supervisor.timers.set("stable", supervisor.spec.restart.reset_after)
        supervisor.feed(lifecycle.BecameReady(f"ready after {took}"))

    def _answered_after(self, answer: Answer) -> None:
        supervisor, before = self._supervisor, self._belief
        lost = supervisor.running.out_of_touch() if supervisor.running else None
        if lost is not None and answer.word is not Word.YES:
            answer = Answer(Word.LOADING, lost)  # a dead engine's ports are dead: nobody can tell how the server is
        self._belief = judge(before, answer, supervisor.spec.live)
        supervisor.timers.set("live", supervisor.spec.live.every)
        news = self._belief.reason != supervisor.record.snapshot.health.reason
        turned = self._belief.state is not before.state
        if turned or news:
            self._tell_health()
            if turned or answer.word is Word.FOREIGN:
                supervisor.record.note_health(f"{self._belief.state}: {self._belief.reason}")
            supervisor.record.save()

    def _tell_health(self) -> None:
        belief = self._belief
        self._supervisor.record.change(health=Health(belief.state, belief.reason, None, time.time()))

    def _look_for_phase(self) -> None:
        self._scanner.advance()
        supervisor = self._supervisor
        said = {phase.pattern: phase.says for phase in supervisor.spec.phases}.get(self._scanner.latest or "")
        health = supervisor.record.snapshot.health
        if said and said != health.phase:
            supervisor.record.change(health=health._replace(phase=said))
            supervisor.record.save()

    # ---- does it move

    def due_progress(self) -> None:
        """Time to see whether a starting module does anything."""
        supervisor, now = self._supervisor, time.monotonic()
        mark = (supervisor.running.progress() if supervisor.running else 0, supervisor.log_size())
        if mark != self._mark:
            self._mark, self._moved_at = mark, now
        quiet = supervisor.spec.ready.stall
        if now - self._moved_at >= quiet:
            self._give_up(f"it made no progress for {format_duration(quiet)} before it was ready")
        else:
            left = quiet - (now - self._moved_at)
            supervisor.timers.set("progress", min(left, max(_LOOK_FOR_PROGRESS_EVERY, quiet / 20)))

    def due_limit(self) -> None:
        """The longest start at all is over."""
        self._give_up(f"it was not ready within {format_duration(self._supervisor.spec.ready.limit or 0)}")

    def _give_up(self, why: str) -> None:
        self._scanner.catch_up(_LONGEST_LAST_LOOK)
        phase = self._supervisor.record.snapshot.health.phase
        doing = f", while {phase}" if phase else ""
        self._supervisor.feed(lifecycle.Stalled(f"{why}{doing}; {last_words(self._last_line())}"))

    def _last_line(self) -> str:
        # Rarely needed, and every supervisor would pay for it.
        from las_jupyter.core.secrecy import parts_to_hide
        from las_jupyter.logs.shown import Shown, without_colours

        secrets = tuple(parts_to_hide(self._supervisor.secrets.values()))
        return without_colours(Shown(secrets).line(self._scanner.last_line, ends=False)).strip()[:_LAST_WORDS]


def _looked_for(spec: LaunchSpec) -> tuple[str, ...]:
    """All that is ever looked for in its log."""
    probes = (spec.ready.probe, spec.live.probe)
    return (
        *(phase.pattern for phase in spec.phases),
        *(probe.pattern for probe in probes if isinstance(probe, LogProbe)),
    )
