"""
What of the environment around us is a secret that a server has no use for.

A notebook server's environment is full of keys: the hub's, the cloud's, of services that cells ask. A server that is
started there needs paths, proxies and the switches of its libraries, which have names of all kinds: so the names say
what is withheld, and not what is let through (decision 0055).
"""

from __future__ import annotations

_WORDS = frozenset(
    {
        "TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PWD", "KEY", "KEYS", "CREDENTIAL",
        "CREDENTIALS", "CREDS", "AUTH", "AUTHORIZATION", "COOKIE", "DSN", "PAT", "NETRC", "KUBECONFIG",
    }
)  # fmt: skip
_ENDINGS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "CREDENTIALS", "PASS", "PWD", "PASSFILE")
_NO_SECRETS = frozenset({"PWD", "OLDPWD"})
_HUGGING_FACE = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_TOKEN"})


def is_secret(name: str, value: str = "") -> bool:
    """Whether the variable's name says that it is a secret, or its value holds a password in an address."""
    upper = name.upper()
    if upper in _NO_SECRETS:
        return False
    words = upper.replace("-", "_").replace(".", "_").split("_")
    if not _WORDS.isdisjoint(words) or upper.endswith(_ENDINGS):
        return True
    return not upper.endswith("_PROXY") and _holds_password(value)


def is_withheld(name: str, value: str, *, serves_model: bool) -> bool:
    """Whether a server is not given it; one that ``serves_model`` may have to ask for its files as the person does."""
    if serves_model and name.upper() in _HUGGING_FACE:
        return False
    return is_secret(name, value)


def _holds_password(value: str) -> bool:
    """As in ``postgresql://me:secret@host``."""
    _, between, rest = value.partition("://")
    person, at, _ = rest.partition("/")[0].rpartition("@")
    return bool(between and at and person.partition(":")[2])
