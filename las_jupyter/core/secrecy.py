"""
What is a secret of the user's own, told by its name and by its looks, and how it is hidden where it would be shown.

A guess, and meant to hide too much: a harmless value that is hidden costs a look at the command that was typed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from las_jupyter.core.launch import LaunchSpec, SecretUse

MASK = "***"
FROM_ENV = "env:"
"""What the name of a secret begins with that came by ``--env``: ``env:HF_TOKEN``. The others are generated."""

_PARTS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")
_SAYS_SO = re.compile(
    r"(?:PASSW.*|PASSPHRASE|SECRET.*|CREDENTIAL.*|AUTHORIZATION|BEARER"
    r"|.*(?:PASS|PASSWORD|PASSWD|PWD|TOKEN|KEY|SECRET|DSN|COOKIES?|SESSION|CREDS))\d*"
)
_SAYS_SO_AT_THE_END = "AUTH"  # HTTP_AUTH holds one, AUTH_METHOD does not
_NAMES_A_PLACE = ("FILE", "PATH", "DIR", "ENV", "ID")
"""Last parts of names such as ``PASSWORD_FILE``: they say where a secret is, or which."""
_NO_SECRETS = re.compile(r"(?i)true|false|yes|no|on|off|none|auto|")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:ms|s|m|h|d)?")
_CHOSEN_BY_PEOPLE = re.compile(r"(?i)pass|pwd|pin")
_WORKING_FOLDERS = ("PWD", "OLDPWD")

_IN_ADDRESS = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@'\"]*:)(?P<secret>(?!\d+/)[^\s'\"]+)(?=@)")
_NAMED = re.compile(
    r"(?P<before>[?&](?P<name>[\w.-]+)=|[\"'](?P<field>[\w.-]+)[\"']\s*:\s*[\"'])(?P<value>[^&\s#'\"]+)"
)
"""A value in the query of an address, or of a field of JSON."""
_MADE = re.compile(
    r"\b(?:sk-|hf_|gh[opsu]_|github_pat_|glpat-|xox[abprs]-|AKIA|eyJ)[A-Za-z0-9_.-]{8,}|(?i:\bbearer\s+)(?=\S{6})\S+"
)
_OPTION = re.compile(r"(?P<name>-{0,2}[A-Za-z_][\w.-]*)=(?P<value>.+)", re.DOTALL)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")


def is_secret_name(name: str) -> bool:
    """Whether ``name``, of a variable or an option, says that its value is a secret."""
    parts = [part.upper() for part in _PARTS.split(name) if part]
    if not parts or parts[-1] in _NAMES_A_PLACE or name in _WORKING_FOLDERS:
        return False
    return parts[-1] == _SAYS_SO_AT_THE_END or any(_SAYS_SO.fullmatch(part) for part in parts)


def looks_secret(name: str, value: str) -> bool:
    """Whether the value of the variable or option ``name`` is one that nobody else should read."""
    if hide_in(value) != value:
        return True
    if not is_secret_name(name) or _NO_SECRETS.fullmatch(value):
        return False
    return not _NUMBER.fullmatch(value) or bool(_CHOSEN_BY_PEOPLE.search(name))


def hide_in(text: str) -> str:
    """``text`` with passwords in addresses, fields called like a secret and what looks like a made token replaced."""
    text = _IN_ADDRESS.sub(lambda found: found["before"] + MASK, text)
    return _MADE.sub(MASK, _NAMED.sub(_hide_named, text))


def _hide_named(found: re.Match[str]) -> str:
    secret = is_secret_name(found["name"] or found["field"])
    return found["before"] + MASK if secret else found[0]


def hide_values(env: dict[str, str], also: Collection[str] = ()) -> dict[str, str]:
    """``env`` with the values hidden that look like secrets, and those of the names ``also``."""
    return {name: MASK if name in also or looks_secret(name, value) else value for name, value in env.items()}


def hide_words(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a command line with the values hidden of options that are called like a secret."""
    hidden: list[str] = []
    option = ""
    for word in words:
        given = _OPTION.fullmatch(word)
        if len(word.split()) > 1 and not (option and is_secret_name(option)):
            hidden.append(_hide_in_several(word))
        elif option and not word.startswith("--") and looks_secret(option, word):
            hidden.append(MASK)
        elif given and looks_secret(given["name"], given["value"]):
            hidden.append(f"{given['name']}={MASK}" if is_secret_name(given["name"]) else hide_in(word))
        else:
            hidden.append(hide_in(word))
        option = word if word.startswith("-") and "=" not in word else ""
    return tuple(hidden)


def _hide_in_several(text: str) -> str:
    """One word that is a command line of its own, as ``"--requirepass secret"``: as it is when nothing is hidden."""
    words = tuple(text.split())
    hidden = hide_words(words)
    return hide_in(text) if hidden == words else " ".join(hidden)


def parts_to_hide(values: Iterable[str]) -> Iterator[str]:
    """Each of ``values``, and the password of an address by itself, as it is written and as it is meant."""
    for value in values:
        yield value
        for found in _IN_ADDRESS.finditer(value):
            yield found["secret"]
            yield _PERCENT.sub(lambda byte: chr(int(byte[1], 16)), found["secret"])


def secret_variables(env: dict[str, str], also: Collection[str] = ()) -> dict[str, str]:
    """Of the variables ``env`` those that are secrets, by the names that their secrets have."""
    return {FROM_ENV + name: value for name, value in env.items() if name in also or looks_secret(name, value)}


def kept_apart(spec: LaunchSpec, secrets: Iterable[str]) -> LaunchSpec:
    """
    ``spec`` with the variables of ``secrets`` (``env:NAME``) named and without their values.

    A spec may be read by whoever helps with a problem; the values lie in a file of their own.
    """
    values = [name.removeprefix(FROM_ENV) for name in secrets]
    left = {name: value for name, value in spec.env.items() if name not in values}
    uses = tuple(SecretUse(FROM_ENV + name, env=name) for name in values)
    return spec._replace(env=left, secrets=spec.secrets + uses)
