"""Reading a policy file; what is wrong is named by file, line, field and the nearest valid word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidPolicy
from las_jupyter.policy.rules import Conditions, Policy
from las_jupyter.settings.yaml_file import LARGEST, Unreadable, parse_yaml
from las_jupyter.state.files import read_plain

if TYPE_CHECKING:
    from las_jupyter.policy.schema import PolicyRow

_SHOWN = 12


def load_policies(path: str | Path | None) -> tuple[Policy, ...]:
    """The policies in ``path``, in its order; none without a path. Raises ``InvalidPolicy``."""
    if path is None:
        return ()
    try:
        data = read_plain(str(Path(path).expanduser()), LARGEST)
    except (OSError, ValueError, RuntimeError) as error:
        # A site's rules that cannot be read are not a site without rules.
        raise InvalidPolicy(
            f"The policy file {path} cannot be read.",
            cause=getattr(error, "strerror", None) or str(error),
            remedy="correct the setting policy_file, or make the file readable",
        ) from error
    return parse_policies(data, str(path))


def parse_policies(data: bytes, path: str) -> tuple[Policy, ...]:
    """The policies in ``data``; ``path`` is for the error. Raises ``InvalidPolicy``."""
    from pydantic import ValidationError

    from las_jupyter.policy.schema import PolicyFile
    from las_jupyter.settings.complaints import complaints

    try:
        document = parse_yaml(data)
    except Unreadable as problem:
        where = f", line {problem.line}," if problem.line else ""
        raise InvalidPolicy(
            f"{path}{where} cannot be read as YAML.", cause=problem.reason, remedy=f"mend {word(path)}"
        ) from None
    try:
        content = PolicyFile.model_validate({} if document.content is None else document.content)
    except ValidationError as error:
        found = complaints(error, PolicyFile)
        lines = sorted((document.line(each.at), f"{each.field}: {each.text}") for each in found)
        told = [f"line {line}, {text}" for line, text in lines]
        raise InvalidPolicy(
            f"{path} is no policy file that can be followed.",
            cause=told[0],
            details=tuple(told[1:_SHOWN]),
            remedy=f"mend {word(path)}, line {word(lines[0][0])}",
        ) from None
    return tuple(_lowered(row) for row in content.policies)


def _lowered(row: PolicyRow) -> Policy:
    allow = row.allow
    return Policy(
        row.name,
        row.description,
        Conditions(**row.conditions.model_dump()),
        runtimes=_tuple(allow.runtimes),
        features=_tuple(allow.features),
        modes=None if allow.modes is None else tuple(allow.modes),
        expose=allow.expose,
        max_parameters=allow.max_model_size,
        max_gpus=allow.max_gpus,
        max_memory=allow.max_memory,
        max_cpus=allow.max_cpus,
        denied=tuple(row.deny),
    )


def _tuple(words: list[str] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(words)
