"""Asks the engine for the image of a plan, which planning itself must not do."""

from __future__ import annotations

from las_jupyter.core.request import StartPlan
from las_jupyter.planning.images import tell_image


def with_image(plan: StartPlan, state_dir: str) -> StartPlan:
    """
    ``plan`` with what is known of its image, also from earlier starts noted in ``state_dir``; as it is where it runs
    natively. Nothing is fetched.
    """
    container = plan.spec.container
    if container is None:
        return plan
    from las_jupyter.backends.oci import EngineError
    from las_jupyter.backends.oci_backend import OciBackend
    from las_jupyter.backends.oci_seen import seen
    from las_jupyter.backends.table import load_backend

    backend = load_backend(plan.spec.backend)
    if not isinstance(backend, OciBackend):
        return plan
    try:
        found = backend.engine().image(container.image)
    except EngineError as error:
        return tell_image(plan, None, str(error))
    known = seen(state_dir, container.image)
    return tell_image(plan, found.name if found else None, last=known.exact, before=known.before)
