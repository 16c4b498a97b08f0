"""What a plan says of its image: which one exactly it is where it is here, and that it is fetched first where not."""

from __future__ import annotations

from las_jupyter.core.launch import Decision
from las_jupyter.core.request import StartPlan


def tell_image(plan: StartPlan, here: str | None, unknown: str = "") -> StartPlan:
    """
    ``plan`` with one more decision about its image.

    ``here`` is the exact name of the image that is here, None when none is; ``unknown`` says why nobody could tell.
    """
    container = plan.spec.container
    if container is None:
        return plan
    decision = Decision("image", container.image, _reason(here, unknown, pull=container.pull))
    decisions = (*plan.decisions, decision)
    return plan._replace(spec=plan.spec._replace(decisions=decisions), decisions=decisions, image=here)


def _reason(here: str | None, unknown: str, *, pull: str) -> str:
    if unknown:
        return f"whether it is here cannot be told: {unknown}"
    if here is None:
        return "it is not here yet, will be pulled" if pull != "never" else "it is not here, and is not to be pulled"
    return f"it is here as {here}" + (", and is pulled again at every start" if pull == "always" else "")
