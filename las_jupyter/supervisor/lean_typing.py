"""
What the lean rooms use of ``typing``, in a tenth of its memory.

A supervisor lives for weeks beside every server; the real module costs it 0.7 MB for features nobody asks at run time.
The bootstrap puts this in its place before anything of ours is imported
(``docs/decisions/0012-a-supervisor-of-six-megabytes.md``). Type checkers never see it.
"""

import sys
import types
from _collections import _tuplegetter  # type: ignore[import-not-found]

TYPE_CHECKING = False


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


class Generic:
    """Takes whatever it is said to be of."""

    def __class_getitem__(cls, item):  # type: ignore[no-untyped-def]
        return cls


class _ProtocolMeta(type):
    def __new__(mcs, name, bases, space):  # type: ignore[no-untyped-def]
        # A promise: its methods are kept elsewhere, and what is said of them here is for who reads it.
        return type(name, (Generic,), {"__module__": space["__module__"]})


Protocol = type.__new__(_ProtocolMeta, "Protocol", (), {})


class _Named(tuple):  # type: ignore[type-arg]
    """What named tuples can do, once for all of them: ``collections.namedtuple`` makes it anew for each, 5 KB of it."""

    __slots__ = ()
    _fields: tuple = ()  # type: ignore[type-arg]
    _field_defaults: dict = {}  # type: ignore[type-arg]

    def __new__(cls, /, *words, **named):  # type: ignore[no-untyped-def]
        if not named and len(words) == len(cls._fields):
            return tuple.__new__(cls, words)
        left = cls._fields[len(words) :]
        values = {**cls._field_defaults, **named}
        missing = [field for field in left if field not in values]
        if len(words) > len(cls._fields) or missing or not named.keys() <= set(left):
            raise TypeError(f"{cls.__name__} takes {cls._fields}, not {len(words)} values and {tuple(named)}")
        return tuple.__new__(cls, (*words, *(values[field] for field in left)))

    @classmethod
    def _make(cls, values):  # type: ignore[no-untyped-def]
        return cls(*values)

    def _replace(self, /, **fields):  # type: ignore[no-untyped-def]
        changed = tuple.__new__(type(self), map(fields.pop, self._fields, self))
        if fields:
            raise ValueError(f"Got unexpected field names: {list(fields)!r}")
        return changed

    def _asdict(self):  # type: ignore[no-untyped-def]
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self):  # type: ignore[no-untyped-def]
        said = (f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(said)})"

    def __getnewargs__(self):  # type: ignore[no-untyped-def]
        return tuple(self)


class _NamedTupleMeta(type):
    def __new__(mcs, name, bases, space):  # type: ignore[no-untyped-def]
        fields = tuple(space.get("__annotations__", {}))
        body = {key: value for key, value in space.items() if key not in fields}
        body.update({field: _tuplegetter(number, None) for number, field in enumerate(fields)})
        defaults = {field: space[field] for field in fields if field in space}
        return type(name, (_Named,), {
            **body, "__slots__": (), "_fields": fields, "__match_args__": fields, "_field_defaults": defaults,
        })  # fmt: skip


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
