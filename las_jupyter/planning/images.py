"""
What a plan says of its image: which one exactly it is where it is here, that it is fetched first where not, and whether
its name may mean another one tomorrow.
"""

from __future__ import annotations

import re

from las_jupyter.core.launch import Decision
from las_jupyter.core.request import StartPlan

# A version of three parts, the number of a build, a day, or a commit.
_VERSION = re.compile(r"\d+\.\d+\.\d+|\bb\d{3,}\b|\b20\d{6}\b|\b(?=[a-z]*\d)[0-9a-f]{7,40}\b")


def tag_moves(image: str) -> bool:
    """Whether the name leaves it to its registry which image it means: no digest, and no version in its tag."""
    if "@" in image or image.startswith("sha256:"):
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not (colon and _VERSION.search(tag))


def tell_image(plan: StartPlan, here: str | None, unknown: str = "", *, last: str = "", before: str = "") -> StartPlan:
    """
    ``plan`` with one more decision about its image.

    ``here`` is the exact name of the image that is here, None when none is; ``unknown`` says why nobody could tell.
    ``last`` is what the name meant at the last start, ``before`` what it meant until then where that was another one.
    """
    container = plan.spec.container
    if container is None:
        return plan
    reason = _reason(here, unknown, pull=container.pull)
    if here and last and last != here:
        before = last
    if before:
        reason += f"; this name meant {before} before"
    elif last and not here:
        reason += f"; at the last start it was {last}"
    if tag_moves(container.image) and (here is None or "@" in here):
        reason += "; its tag moves: it names no version, and may mean another image tomorrow"
    decision = Decision("image", container.image, reason)
    decisions = (*plan.decisions, decision)
    return plan._replace(spec=plan.spec._replace(decisions=decisions), decisions=decisions, image=here)


def _reason(here: str | None, unknown: str, *, pull: str) -> str:
    if unknown:
        return f"whether it is here cannot be told: {unknown}"
    if here is None:
        return "it is not here yet and will be pulled" if pull != "never" else "it is not here, and is not to be pulled"
    return f"it is here as {here}" + (", and is pulled again at every start" if pull == "always" else "")
