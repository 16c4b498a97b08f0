"""Forgetting an instance: what goes, what stays, and what is asked first."""

from __future__ import annotations

from collections.abc import Callable

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, NoSuchInstance
from las_jupyter.core.quantities import format_size
from las_jupyter.display.text import Text
from las_jupyter.runtime.kept_data import size
from las_jupyter.stack.rooms import Manager


def remove_instance(manager: Manager, name: str, look: Callable[[], object], *, data: bool, yes: bool) -> Text:
    """
    Forget ``name``; ``look`` raises when there is no such instance. Data is deleted only by ``data`` with ``yes``.

    An instance that was forgotten before may have left data: then that alone is deleted.
    """
    folder = manager.data_folder(name)
    known = True
    try:
        look()
    except NoSuchInstance:
        if not (data and folder):
            raise
        known = False
    if data and folder and not yes:
        manager.check_data(name)
        raise BadRequest(
            f"The data of {name} would be gone for good.",
            cause=f"{format_size(size(folder))} in {folder}",
            remedy=f"%las rm {word(name)} --data --yes",
        )
    stays = manager.remove(name, data=data)
    told = f"{name} is forgotten, and its logs are deleted" if known else f"{name} was forgotten before"
    if folder and data:
        told += "; its data is deleted, and the key to it"
    elif folder:
        told += f"; its data stays in {word(folder)}, and its key with it (%las rm {word(name)} --data deletes both)"
    if stays:
        more = f" and {len(stays) - 1} more" if len(stays) > 1 else ""
        told += f"; {word(stays[0])}{more} is not ours and stays where it is"
    answer = {"name": name, "removed": True, "data_deleted": bool(folder and data), "stays": list(stays)}
    return Text(f"{told}.", data=answer, advice=True)
