"""
What the lean rooms use of ``typing``, in a tenth of its memory.

A supervisor lives for weeks beside every server; the real module costs it 0.7 MB for features nobody asks at run time.
The bootstrap puts this in its place before anything of ours is imported
(``docs/decisions/0012-a-supervisor-of-six-megabytes.md``). Type checkers never see it.
"""

import collections
import sys
import types

TYPE_CHECKING = False
_CLASS_MACHINERY = ("__module__", "__qualname__", "__annotations__", "__dict__", "__orig_bases__")


class _Any:
    """Stands for whatever is only said to a type checker."""

    def __call__(self, *words, **named):  # type: ignore[no-untyped-def]
        return self

    def __getitem__(self, item):  # type: ignore[no-untyped-def]
        return self

    def __or__(self, other):  # type: ignore[no-untyped-def]
        return self

    __ror__ = __or__


Any = Union = Optional = Literal = ClassVar = Final = _Any()
TypeVar = _Any()


class Protocol:
    """A promise; its methods are kept elsewhere."""

    def __class_getitem__(cls, item):  # type: ignore[no-untyped-def]
        return cls


Generic = Protocol


class _NamedTupleMeta(type):
    def __new__(mcs, name, bases, space):  # type: ignore[no-untyped-def]
        hints = space.get("__annotations__", {})
        defaults = [space[field] for field in hints if field in space]
        made = collections.namedtuple(name, hints, defaults=defaults, module=space["__module__"])  # type: ignore[misc]
        made.__annotations__ = hints
        for key, value in space.items():
            if key not in _CLASS_MACHINERY and key not in made._fields:
                setattr(made, key, value)
        return made


NamedTuple = type.__new__(_NamedTupleMeta, "NamedTuple", (), {})


def cast(kind, value):  # type: ignore[no-untyped-def]
    """``value``."""
    return value


def overload(function):  # type: ignore[no-untyped-def]
    """``function``."""
    return function


final = runtime_checkable = override = overload


def get_origin(kind):  # type: ignore[no-untyped-def]
    """``tuple`` of ``tuple[int, ...]``, ``UnionType`` of ``int | None``, else None."""
    return types.UnionType if isinstance(kind, types.UnionType) else getattr(kind, "__origin__", None)


def get_args(kind):  # type: ignore[no-untyped-def]
    """``(int, Ellipsis)`` of ``tuple[int, ...]``."""
    return getattr(kind, "__args__", ())


def get_type_hints(cls):  # type: ignore[no-untyped-def]
    """The annotations of a class of ours, evaluated where it was written."""
    here = vars(sys.modules[cls.__module__])
    return {
        name: eval(hint, here) if isinstance(hint, str) else hint  # noqa: S307 - our own source
        for name, hint in cls.__annotations__.items()
    }
