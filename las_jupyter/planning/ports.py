"""Which port: the one asked for or nothing, else the module's own, else the next free one."""

from __future__ import annotations

from las_jupyter.core.errors import PortTaken
from las_jupyter.core.launch import Decision, Port


def keep_port(name: str, kept: int, inner: int | None) -> tuple[Port, Decision]:
    """The port an instance of this name has now: a start that names none means the server that runs."""
    return Port(name, kept, inner or kept), Decision(f"port {name}", str(kept), "the instance of this name has it")


def choose_port(
    name: str, asked: int | None, default: int, inner: int | None, owners: dict[int, str | None], free: tuple[int, ...]
) -> tuple[Port, Decision]:
    """
    The port and why. 0 asks for any free one; the first of ``free`` is the one to fall back to.

    Raises ``PortTaken`` naming who has the port that was asked for.
    """
    if asked:
        owner = owners.get(asked)
        if owner is not None:
            raise PortTaken(
                f"Port {asked} is taken.",
                cause=f"{owner} has it",
                remedy="--port 0 takes a free one",
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
