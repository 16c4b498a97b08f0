"""Deleting the logs of an instance and nothing that lies beside them."""

from __future__ import annotations

from las_jupyter.logs.names import is_of_a_log, is_piece
from las_jupyter.state.own_files import foreign_names, forget_files, without_unfinished


def not_of_a_log(folder: str) -> list[str]:
    """What is in a folder of logs and was not put there by us."""
    return foreign_names(folder, without_unfinished(is_of_a_log))


def forget_logs(folder: str) -> tuple[str, ...]:
    """Delete the logs in ``folder`` and, if nothing else is in it, the folder. Returns the paths of what stays."""
    return forget_files(folder, without_unfinished(is_of_a_log), is_piece)
