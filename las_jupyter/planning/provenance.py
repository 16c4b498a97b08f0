"""
Whose manifest a plan is made from, told in every plan, and what is not given to one that nobody trusts.

Natively nothing of an untrusted manifest runs. In a container it has what a start names: no data and no key that
another manifest's instance had under the same name. Nor does a trusted one begin with data that an untrusted one left:
a database runs what its own folder says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import NotTrusted, PlanRefused
from las_jupyter.core.launch import Decision, LaunchSpec, Provenance
from las_jupyter.core.states import Mode, Trust

if TYPE_CHECKING:
    from las_jupyter.manifests.catalog import Entry
    from las_jupyter.planning.world import World

_PIN_SHOWN = len("sha256:") + 12


def check_trust(entry: Entry) -> None:
    """Raise ``NotTrusted`` for a manifest that may not run natively."""
    if not entry.trusted:
        walled = ", or use --mode container" if entry.manifest.missing(Mode.CONTAINER) is None else ""
        raise NotTrusted(
            f"{entry.manifest.name} from {entry.path} may not run natively.",
            cause=entry.standing,
            remedy=f"{entry.how_to_trust}{walled}",
        )


def check_namesake(world: World, name: str) -> None:
    """Raise ``PlanRefused`` when one would inherit from the other what an untrusted manifest must not have or give."""
    if world.namesake:
        cure = "" if world.entry.trusted else f", or {world.entry.how_to_trust}"
        raise PlanRefused(
            f"{world.entry.manifest.name} from {world.entry.path} is not started as {name}.",
            cause=world.namesake,
            remedy=f"--name {word(f'{name}-2')} gives it a name of its own{cure}",
        )


def manifest_decision(world: World) -> Decision:
    """Which manifest it is and why it may do what it may; ``passed_over`` are files that ask for the same name."""
    passed_over = {str(each.path): f"{each.standing}, so it is reached by its path only" for each in world.shadows}
    manifest = world.entry.provenance
    return Decision("manifest", manifest.trust, _reason(manifest), passed_over)


def _reason(manifest: Provenance) -> str:
    match manifest.trust:
        case Trust.BUNDLED:
            return manifest.why
        case Trust.TRUSTED:
            return f"{manifest.path} is as it was trusted ({manifest.content_hash[:_PIN_SHOWN]}…)"
        case Trust.UNTRUSTED:
            return f"{manifest.path}: {manifest.why}; it is given nothing but its container and what you name"


def warn_untrusted(world: World) -> tuple[str, ...]:
    """What a person who typed a name only should hear: that it is nobody's they trust, or not the file they meant."""
    told = [
        f"{each.path} was changed since it was trusted, so {each.manifest.name} is {world.entry.provenance.trust} again"
        for each in world.shadows
        if each.changes
    ]
    if not world.entry.trusted and world.entry.origin != "file":
        told.append(f"{world.entry.manifest.name} comes from {world.entry.path}, and {world.entry.standing}")
    return tuple(told)


def what_it_would_take(entry: Entry, name: str, before: LaunchSpec | None, *, data: bool, owned: bool) -> str:
    """
    Why an untrusted ``entry`` is not started as ``name``, as a clause; empty where nothing is against it.

    ``before`` is the last start of that name, ``data`` whether it left any, ``owned`` whether a bundled or a trusted
    module has the name: that one's data begins in a folder that no stranger has written to.
    """
    if owned:
        return f"it is not trusted, and {name} is the name of a module that is"
    made_from = before.manifest if before else None
    if made_from is not None:
        other = f"{name} was started from {made_from.path}" if made_from.path != entry.provenance.path else ""
    elif before is not None:
        # Planned before its manifest was kept.
        other = f"{name} was an instance of {before.module}" if before.module != entry.manifest.name else ""
    else:
        other = f"there is data of another {name}" if data else ""
    return f"it is not trusted, and {other}: its data and its key would be given away" if other else ""


def what_it_would_find(entry: Entry, before: LaunchSpec | None) -> str:
    """
    Why a trusted ``entry`` does not begin with the data of ``before``, the last start of its name, as a clause.

    Empty where nothing is against it.
    """
    made_from = before.manifest if before else None
    if made_from is None or made_from.trust is not Trust.UNTRUSTED or made_from.path == entry.provenance.path:
        return ""
    return f"its data was written by {made_from.path}, which is not trusted"
