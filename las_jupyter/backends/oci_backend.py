"""Launching and taking over containers, whatever the engine."""

from __future__ import annotations

import os
import re
import time
from typing import Protocol

from las_jupyter.backends.oci import (
    INSTANCE,
    OWNER,
    START,
    STATE,
    ContainerFacts,
    CreateOptions,
    Engine,
    EngineError,
    EngineUnreachable,
    ImageFacts,
    container_name,
    create_options,
)
from las_jupyter.backends.oci_errors import explain
from las_jupyter.backends.oci_logs import Collector, Sink
from las_jupyter.backends.oci_pull import pull
from las_jupyter.backends.oci_running import OciRunning, is_of_container
from las_jupyter.backends.oci_seen import remember
from las_jupyter.core.advice import word
from las_jupyter.core.backend import InstanceRef, StartFiles, Unavailable
from las_jupyter.core.errors import BackendUnavailable, LaunchFailed
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.limits.tree import members
from las_jupyter.logs.scan import LONGEST_LINE
from las_jupyter.logs.writer import kept

_INITS = ("docker-init", "tini", "catatonit", "podman-init")
_FIRST_WORDS = 3.0
_WORDS_LATE = 0.5
_NEWS_LATE = 0.3
# Podman may tell the second half of catatonit's line alone.
_NO_NETWORK = re.compile(r"network \S+ not found")
_NO_PROGRAM = re.compile(r"(?:tini.*?exec (\S+) failed|failed to exec pid1): (.*)")


class CollectingEngine(Engine, Protocol):
    """An engine whose container logs can be collected."""

    def collector(self, container: ContainerFacts, sink: Sink) -> Collector:
        """What brings the container's log into ``sink``."""


class OciBackend:
    """A backend over one engine; subclasses say which."""

    name = ""

    def engine(self, endpoint: str | None = None) -> CollectingEngine:
        """The engine at ``endpoint``, or the one that is configured."""
        raise NotImplementedError

    def why_unavailable(self) -> Unavailable | None:
        """The engine's own word."""
        return self.engine().why_unavailable()

    def why_reachable(self) -> Unavailable | None:
        """Why other machines may reach what is not exposed, as a clause; None when they cannot, or nobody can tell."""
        try:
            return self.engine().why_reachable()
        except EngineError:
            return None

    def launch(self, spec: LaunchSpec, *, secrets: dict[str, str], files: StartFiles) -> OciRunning:
        """Create, start, and see its first instruction. What fails is removed again."""
        engine, start = self.engine(), os.urandom(8).hex()
        options = create_options(spec, secrets, files, start)
        try:
            image = self._image(engine, spec, files)
            container = _started(engine, spec, options, files.instance_dir)
        except EngineUnreachable as error:
            raise _unavailable(engine, error) from error
        except EngineError as error:
            raise explain(spec.name, engine.name, str(error)) from error
        try:
            facts = _begun(engine, container, spec)
        except EngineError as error:
            _remove_quietly(engine, container)
            raise explain(spec.name, engine.name, str(error)) from error
        except BaseException:
            _remove_quietly(engine, container)
            raise
        return self._running(engine, facts, spec, files, start, image)

    def adopt(self, ref: InstanceRef, spec: LaunchSpec, *, files: StartFiles) -> OciRunning | None:
        """Find it by id and label. An engine that does not answer is no sign of an end: ``BackendUnavailable``."""
        start, _, endpoint = ref.token.partition("@")
        if not endpoint:
            return None
        engine = self.engine(endpoint)
        try:
            facts = engine.inspect(ref.id)
            if facts is None or facts.labels.get(START) != start or facts.status == "created":
                return None
            image = engine.image(spec.container.image) if spec.container else None
        except EngineError as error:
            raise _unavailable(engine, error) from error
        return self._running(engine, facts, spec, files, start, image)

    def _running(
        self, engine: CollectingEngine, facts: ContainerFacts, spec: LaunchSpec, files: StartFiles, start: str,
        image: ImageFacts | None,
    ) -> OciRunning:  # fmt: skip
        own_probe = spec.ready.probe is not None or spec.live.probe is not None
        return OciRunning(
            engine, facts, f"{start}@{engine.endpoint}", Sink(files.log_path, files.log_fd, kept(spec.logs)),
            enforcement=_enforcement(engine, spec),
            health_every=spec.live.every if image and image.health and not own_probe else None,
            image=image.name if image else None,
        )  # fmt: skip

    def _image(self, engine: CollectingEngine, spec: LaunchSpec, files: StartFiles) -> ImageFacts:
        assert spec.container is not None
        reference = spec.container.image
        if spec.container.digest and "@" not in reference:
            reference = f"{reference}@{spec.container.digest}"
        found = engine.image(reference)
        if found is None or spec.container.pull == "always":
            if spec.container.pull == "never":
                raise _no_image(spec, engine.name, reference, "and it is not to be fetched")
            found = self._pulled(engine, spec, reference, files)
        remember(files.state_dir, reference, found.name)
        native = engine.architecture()
        if found.architecture and native and found.architecture != native:
            raise LaunchFailed(
                f"{spec.name} could not be started by {engine.name}.",
                cause=f"the image {reference} is for {found.architecture}, and this machine is {native}",
                remedy=f"{word(engine.name)} pull --platform linux/{word(native)} {word(reference)}",
            )
        return found

    def _pulled(self, engine: CollectingEngine, spec: LaunchSpec, reference: str, files: StartFiles) -> ImageFacts:
        pull(engine, reference, files.instance_dir, spec.name, files.meanwhile)
        found = engine.image(reference)
        if found is None:
            raise _no_image(spec, engine.name, reference, "though it was fetched")
        return found


def _no_image(spec: LaunchSpec, engine: str, reference: str, why: str) -> LaunchFailed:
    return LaunchFailed(
        f"{spec.name} could not be started by {engine}.",
        cause=f"the image {reference} is not here, {why}",
        remedy=f"{word(engine)} pull {word(reference)}",
    )


def _unavailable(engine: Engine, error: Exception) -> BackendUnavailable:
    why = engine.why_unavailable() or Unavailable(str(error))
    return BackendUnavailable(f"{engine.name} cannot be used: {why.reason}.", remedy=why.remedy or None)


def _started(engine: Engine, spec: LaunchSpec, options: CreateOptions, folder: str) -> str:
    """
    Make the container and start it. Its network may go away in between: with the end of another one of ours, which did
    not see this one on it yet.
    """
    for last in (False, False, True):
        container = ""
        try:
            container = _create(engine, spec, options, folder)
            engine.start(container)
        except BaseException as error:
            again = not last and isinstance(error, EngineError) and _NO_NETWORK.search(str(error))
            if container:
                _remove_quietly(engine, container, tidy=not again)
            if not again:
                raise
        else:
            return container
    raise AssertionError("the last try returns or raises")


def _create(engine: Engine, spec: LaunchSpec, options: CreateOptions, folder: str) -> str:
    """Make the container; who else has its name is asked only when the engine says that it is taken."""
    try:
        return engine.create(options, folder)
    except EngineUnreachable:
        raise
    except EngineError as error:
        if "already in use" not in str(error):
            raise
        _clear_name(engine, spec, options)
        return engine.create(options, folder)


def _clear_name(engine: Engine, spec: LaunchSpec, options: CreateOptions) -> None:
    """Remove what an earlier start of this instance left, ended; never anything else."""
    there = engine.inspect(options.name)
    if there is None:
        return
    same = all(there.labels.get(label) == options.labels[label] for label in (INSTANCE, OWNER, STATE))
    if same and (there.over or there.status == "created"):
        engine.remove(there.id)
        return
    what = "runs for this instance already" if same else "is not ours"
    raise LaunchFailed(
        f"{spec.name} could not be started by {engine.name}.",
        cause=f"the container {container_name(spec)} is there and {what}; it was not touched",
        remedy=f"start with another name, or remove it: {word(engine.name)} rm -f {word(options.name)}",
    )


def _begun(engine: Engine, container: str, spec: LaunchSpec) -> ContainerFacts:
    """
    Wait until the module itself runs in place of the init's first steps, or has ended.

    The init that forwards signals runs first, so a program that does not exist is no error of the engine's start.
    """
    begun, unseen_at = time.monotonic(), float("inf")
    while True:
        facts = engine.inspect(container)
        now = time.monotonic()
        if facts is None:
            raise EngineError("its container was removed while it started")
        if facts.over:
            if facts.exit_code in (1, 126, 127):  # catatonit says 1
                _refuse_missing_program(engine, container, spec)
            return facts
        if now - begun >= _FIRST_WORDS:
            return facts
        if facts.status == "running" and not is_of_container(facts.pid, facts.id):
            # It runs on another machine, where nothing is seen; or it has ended, and the engine says so in a moment.
            unseen_at = min(unseen_at, now)
            if now - unseen_at >= _NEWS_LATE:
                return facts
        elif facts.status == "running" and _past_init(facts):
            return facts
        time.sleep(0.01)


def _past_init(facts: ContainerFacts) -> bool:
    return any(each.name not in _INITS and each.name != "runc:[2:INIT]" for each in members(facts.pid))


def _refuse_missing_program(engine: Engine, container: str, spec: LaunchSpec) -> None:
    lines = _last_words(engine, container).splitlines()
    match = next((found for line in lines if (found := _NO_PROGRAM.search(line[:LONGEST_LINE]))), None)
    if match:
        program = match[1] or (spec.argv[0] if spec.argv else "its entrypoint")
        raise LaunchFailed(
            f"{spec.name} could not be started by {engine.name}.",
            cause=f"{program} in the image {spec.container.image if spec.container else ''}: {match[2].strip()}",
            remedy="correct launch.container.argv or the image in the manifest",
        )


def _last_words(engine: Engine, container: str) -> str:
    """What it wrote before its end; an engine may know of the end before it has the words."""
    deadline = time.monotonic() + _WORDS_LATE
    while True:
        told = engine.tail(container)
        if told or time.monotonic() >= deadline:
            return told
        time.sleep(0.02)


def _remove_quietly(engine: Engine, container: str, *, tidy: bool = True) -> None:
    try:
        engine.remove(container)
        if tidy:
            engine.tidy()
    except EngineError:
        pass  # the error that brought us here is the one to tell


def _enforcement(engine: Engine, spec: LaunchSpec) -> dict[str, str]:
    limits = spec.limits
    asked = {"memory": limits.memory, "cpus": limits.cpus, "shm": limits.shm, "nofile": limits.nofile}
    try:
        enforced = engine.limits_enforced()
    except EngineError:
        enforced = True
    kept = {name: "engine" for name, value in asked.items() if value}
    kept["pids"] = "engine"
    if not enforced:
        ours = {"memory": "watched", "cpus": "none", "pids": "watched"}
        kept.update({name: how for name, how in ours.items() if name in kept})
    return kept
