"""Which port: the one asked for or nothing, else the module's own, else the next free one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import PortTaken
from las_jupyter.core.launch import Decision, Port
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode

if TYPE_CHECKING:
    from las_jupyter.planning.world import World


def choose_ports(request: StartRequest, world: World, mode: Mode, decisions: list[Decision]) -> tuple[Port, ...]:
    """A port for each that the module has. Raises ``PortTaken`` naming who has the one that was asked for."""
    manifest = world.entry.manifest
    container = manifest.launch.container if manifest.launch and mode is Mode.CONTAINER else None
    chosen: list[Port] = []
    free = world.free_ports
    for index, row in enumerate(manifest.ports):
        asked = request.port if index == 0 else None
        inner = container and (
            container.inner_ports.get(row.name) or (container.inner_port if index == 0 else row.default)
        )
        kept = world.kept_ports.get(row.name)
        if kept is not None and not asked:
            port, decision = _keep_port(row.name, kept, inner or None)
        else:
            near = world.next_ports.get(row.default)
            fallback = (near, *free) if near and asked is None else free
            use = f"%las attach {word(request.module)} --port {asked:d}" if asked in world.lookalikes else ""
            port, decision = _choose_port(row.name, asked, row.default, inner or None, world.ports, fallback, use=use)
        free = tuple(each for each in free if each != port.host)
        chosen.append(port._replace(scheme=row.scheme))
        decisions.append(decision)
    return tuple(chosen)


def offer_other(request: StartRequest, world: World, ports: tuple[Port, ...]) -> tuple[str, ...]:
    """A server of this module runs already and is not ours: most often it is the one that is wanted."""
    manifest = world.entry.manifest
    if not ports or ports[0].name in world.kept_ports or request.port is not None:
        return ()
    if manifest.ports[0].default not in world.lookalikes:
        return ()
    usual, name = manifest.ports[0].default, manifest.name
    return (
        f"{name} already listens on 127.0.0.1:{usual:d} "
        f"({world.ports[usual]}), not started by las: %las attach {word(request.module)} uses it; this start is "
        f"another one, on port {ports[0].host:d}",
    )


def _keep_port(name: str, kept: int, inner: int | None) -> tuple[Port, Decision]:
    """The port an instance of this name has now: a start that names none means the server that runs."""
    return Port(name, kept, inner or kept), Decision(f"port {name}", str(kept), "the instance of this name has it")


def _choose_port(
    name: str,
    asked: int | None,
    default: int,
    inner: int | None,
    owners: dict[int, str | None],
    free: tuple[int, ...],
    *,
    use: str = "",
) -> tuple[Port, Decision]:
    """
    The port and why. 0 asks for any free one; the first of ``free`` is the one to fall back to. ``use`` is the
    command that uses what listens on the port that was asked for, where that is the same module.

    Raises ``PortTaken`` naming who has the port that was asked for.
    """
    if asked:
        owner = owners.get(asked)
        if owner is not None:
            raise PortTaken(
                f"Port {asked} is taken.",
                cause=f"{owner} has it",
                remedy=f"{use} uses it; --port 0 starts another one" if use else "--port 0 takes a free one",
            )
        return Port(name, asked, inner or asked), Decision(f"port {name}", str(asked), "you asked for it")
    if asked is None and owners.get(default) is None:
        return Port(name, default, inner or default), Decision(f"port {name}", str(default), "it is the module's own")
    if not free:
        raise PortTaken("No free port was found.", remedy="name one with --port")
    chosen = free[0]
    lost = {} if asked == 0 else {str(default): f"{owners.get(default)} has it"}
    reason = "you asked for any free one" if asked == 0 else "it is the next free one"
    return Port(name, chosen, inner or chosen), Decision(f"port {name}", str(chosen), reason, lost)
