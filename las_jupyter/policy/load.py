"""Reading a policy file; what is wrong is named by file, line, field and the nearest valid word."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidPolicy
from las_jupyter.core.states import Mode
from las_jupyter.policy.rules import ELSEWHERE, EXPOSE, FEATURES, Conditions, Policy, layered, named_words
from las_jupyter.settings.yaml_file import LARGEST, Document, Unreadable, parse_yaml
from las_jupyter.state.custody import Fault, fault_of, judge_for_root, read_judged
from las_jupyter.state.files import read_plain

if TYPE_CHECKING:
    from las_jupyter.policy.schema import PolicyRow
    from las_jupyter.settings.complaints import Complaint

_SHOWN = 12


SITE_FILE = Path("/etc/las_jupyter/policies.yaml")
"""What root wrote for everybody on this machine. No setting and no variable names another one."""


def policies_here(own: str | Path | None, modules: frozenset[str]) -> tuple[Policy, ...]:
    """
    What holds for a start: the site's policies, where there are any, and the user's own beside them.

    ``modules`` are the names that are known here. Raises ``InvalidPolicy`` for rules that cannot be read or followed,
    that name what nobody knows, or that somebody else could have changed.
    """
    site: tuple[Policy, ...] = ()
    if os.path.lexists(SITE_FILE):
        _check(SITE_FILE, judge_for_root(str(SITE_FILE)), "sudo ")
        site = load_policies(SITE_FILE, modules)
    if own is not None:
        _check(own, fault_of(str(Path(own).expanduser())), "")
    return layered(site, load_policies(own, modules, read=_read_own))


def _read_own(path: str, most: int) -> bytes:
    """A user's policies, judged as they were read."""
    data, fault = read_judged(path, most)
    _check(path, fault, "")
    return data


def _check(path: str | Path, fault: Fault | None, become: str) -> None:
    if fault is None:
        return
    remedy = fault.remedy if fault.remedy.startswith(("sudo ", "ls ")) else f"{become}{fault.remedy}"
    raise InvalidPolicy(
        f"The policy file {path} is not believed, for others could change it.",
        cause=f"{fault.path}: {fault.why}",
        remedy=remedy,
    )


def load_policies(
    path: str | Path | None,
    modules: frozenset[str] | None = None,
    *,
    read: Callable[[str, int], bytes] = read_plain,
) -> tuple[Policy, ...]:
    """
    The policies in ``path``, in its order; none without a path. Raises ``InvalidPolicy``.

    With ``modules`` a word that names none of them, no feature and no mode is an error: it would do nothing, silently.
    """
    if path is None:
        return ()
    try:
        data = read(str(Path(path).expanduser()), LARGEST)
    except (OSError, ValueError, RuntimeError) as error:
        # A site's rules that cannot be read are not a site without rules.
        raise InvalidPolicy(
            f"The policy file {path} cannot be read.",
            cause=getattr(error, "strerror", None) or str(error),
            remedy="correct the setting policy_file, or make the file readable",
        ) from error
    return parse_policies(data, str(path), modules)


def parse_policies(data: bytes, path: str, modules: frozenset[str] | None = None) -> tuple[Policy, ...]:
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
        raise _explained(complaints(error, PolicyFile), document, path) from None
    policies = tuple(_lowered(row) for row in content.policies)
    unknown = [] if modules is None else list(_unknown(policies, modules))
    if unknown:
        raise _explained(unknown, document, path)
    return tuple(_bare(policy) for policy in policies)


def _explained(found: list[Complaint], document: Document, path: str) -> InvalidPolicy:
    lines = sorted((document.line(each.at), f"{each.field}: {each.text}") for each in found)
    told = [f"line {line}, {text}" for line, text in lines]
    return InvalidPolicy(
        f"{path} is no policy file that can be followed.",
        cause=told[0],
        details=tuple(told[1:_SHOWN]),
        remedy=f"mend {word(path)}, line {lines[0][0]:d}",
    )


def _unknown(policies: tuple[Policy, ...], modules: frozenset[str]) -> Iterator[Complaint]:
    """A word that nothing here is called would do nothing, and nobody would know."""
    from las_jupyter.settings.complaints import Complaint, did_you_mean

    known = {
        "runtimes": modules,
        "features": FEATURES,
        "deny": modules | FEATURES | {str(mode) for mode in Mode} | {EXPOSE},
    }
    for number, policy in enumerate(policies):
        for key, text in named_words(policy):
            if text not in known[key] and not text.startswith(ELSEWHERE):
                at = ("policies", number, *(() if key == "deny" else ("allow",)), key)
                near = did_you_mean(text, sorted(known[key]))
                meant = f"{'feature' if key == 'features' else 'module'}:{text}"
                yield Complaint(at, f"nothing here is called {text!r}{near} (write {meant} for what is not here)")


def _lowered(row: PolicyRow) -> Policy:
    allow = row.allow
    return Policy(
        row.name,
        row.description,
        Conditions(**row.conditions.model_dump()),
        runtimes=_words(allow.runtimes),
        features=_words(allow.features),
        modes=None if allow.modes is None else tuple(allow.modes),
        expose=allow.expose,
        max_parameters=allow.max_model_size,
        max_gpus=allow.max_gpus,
        max_memory=allow.max_memory,
        max_cpus=allow.max_cpus,
        denied=_words(row.deny) or (),
    )


def _bare(policy: Policy) -> Policy:
    """With the names alone: that they are meant though they are not here has been read."""

    def bare(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if words is None else tuple(word.removeprefix("module:").removeprefix("feature:") for word in words)

    return policy._replace(
        runtimes=bare(policy.runtimes), features=bare(policy.features), denied=bare(policy.denied) or ()
    )


def _words(words: list[str] | None) -> tuple[str, ...] | None:
    """In the one case that names have here."""
    return None if words is None else tuple(word.strip().lower() for word in words)
