"""
No remedy holds a word of somebody else that was not made safe: the package's own text is read, and each f-string in it
that ends in the place of a remedy may only put in what ``word`` made, a number, or what is listed here as ours.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import las_jupyter

ROOT = Path(las_jupyter.__file__).parent
PLACES = {"NoEngine": 2, "Unavailable": 1, "Finding": 3, "Refusal": 1, "WaitInterrupted": 1, "interruptible": 2,
          "Engine": 3, "Backend": 3, "Side": 3, "Flat": 1}  # fmt: skip
"""Which argument of ours is a remedy, where it has no name."""
SAFE = {"word", "argument", "how_to_set", "format_size", "format_duration", "example_of", "usage_of", "len", "round"}
"""What makes text that may be copied, or a number."""
PASSED_ON = ("remedy", "cure", "hint", "how_to_trust")
"""Names of what is a remedy already, made elsewhere by the same rule."""
OURS = {
    "backends/docker_network.py": {"os.getuid()"},  # a number
    "backends/oci_pull.py": {"saying.remedy.format(word(engine))"},
    "engines/find.py": {
        "install",  # of a manifest that is trusted
        "INSTALL.get(program, f'install {word(program)}, or set engines.<module>.path to it')",
    },
    "manifests/schema.py": {"Field(min_length=1)"},
    "settings/load.py": {"cure.get(source, f'mend {word(source)}')", "cures[0]", "cure"},
    "stack/engine_of.py": {"found.remedy.replace('<module>', manifest.name)"},
    "state/paths.py": {
        "''.join((c if c in _ALLOWED else '-' for c in name.lower())).strip('-._')[:63]",
        "setting",  # an option's name
    },
    "widgets/wire.py": {"explained[1]"},
    "backends/table.py": {"', '.join(sorted(BACKENDS))"},  # our own table
    "cli/main.py": {"PREFIX"},
    "display/comparison.py": {"first.spec.mode.value"},  # one of two words
    "display/plans.py": {"_OTHER_MODE[mode]"},
    "manifests/check.py": {"near[0]"},  # names of the schema
    "models/reference.py": {"form"},  # how a reference is written
    "planning/arguments.py": {"found.use"},  # of a manifest that is trusted; another's is quoted
    "planning/mode.py": {
        "accepted[0].value",
        "question.remedies.get(question.asked)",
        "next((question.remedies[mode] for mode in Mode if mode in question.remedies), '%las doctor')",
    },
    "planning/plan.py": {"subject"},  # an option's name
    "planning/ports.py": {"name", "use", "world.ports[usual]"},  # a warning, not copied; the use is made there
    "planning/room.py": {"option"},
    "runtime/manager.py": {"told"},  # two versions
    "stack/body.py": {"name", "verb.name"},  # the grammar's
    "stack/doctor.py": {"elsewhere"},  # sentences of the same file
    "stack/house.py": {"entry.standing"},  # a sentence of ours
    "stack/instance.py": {"self.name"},  # of an instance: it passed check_name, and stands in Python here
    "stack/parsing.py": {"near", "self.verb.name", "verb.name", "self.verb.examples[0]", "option.word"},
    "stack/requests.py": {"what", "given.split()", "next(iter(kind)).value"},  # Python, and the person's own words
    "policy/load.py": {"become"},  # sudo, or nothing
    "stack/verbs.py": {"name", "', '.join(map(repr, needed or known[:1]))"},  # names of our functions and arguments
}
"""What else may be put in, each with its reason."""


class Source:
    """One module, and where its names come from."""

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.name = str(path.relative_to(root))
        self.tree = ast.parse(path.read_text())
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        self.assigned: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self._bind(target, node.value)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.assigned.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, part in zip(target.elts, value.elts, strict=True):
                self._bind(each, part)

    def remedies(self) -> Iterator[ast.expr]:
        """Every expression that becomes a remedy."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield from (each.value for each in node.keywords if each.arg in ("remedy", "cure"))
                place = PLACES.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
                if place is not None and len(node.args) > place:
                    yield node.args[place]
            elif isinstance(node, ast.JoinedStr) and "%las " in _constant(node):
                yield node
        for name in PASSED_ON:
            yield from self.assigned.get(name, [])

    def unsafe(self) -> list[str]:
        """Where a remedy is not made of our words and safe ones."""
        return sorted({f"{self.name}:{each.lineno} {told}" for each in self.remedies() for told in self._told(each)})

    def _told(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """What of ``node`` is neither a text of ours nor made safe."""
        if ast.unparse(node) in OURS.get(self.name, set()):
            return
        match node:
            case ast.Constant():
                pass
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SAFE:
                pass
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in PASSED_ON or name.strip("_").isupper():
                pass
            case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value="remedy"), *_]):
                pass
            case ast.Call(func=ast.Attribute(attr="join"), args=[ast.GeneratorExp(elt=each)]):
                yield from self._told(each, seen)
            case ast.Call(func=ast.Name(id=name)) if name in self.functions and name not in seen:
                for each in ast.walk(self.functions[name]):
                    if isinstance(each, ast.Return) and each.value is not None:
                        yield from self._told(each.value, seen | {name})
            case ast.Name(id=name) if name in self.assigned and name not in seen:
                for value in self.assigned[name]:
                    yield from self._told(value, seen | {name})
            case ast.JoinedStr(values=parts):
                for part in parts:
                    if isinstance(part, ast.FormattedValue) and not _number(part):
                        yield from self._told(part.value, seen)
            case ast.Call(func=ast.Attribute(value=ast.Dict(values=values), attr="get")) | ast.Dict(values=values):
                for each in values:
                    yield from self._told(each, seen)
            case ast.IfExp(body=body, orelse=other):
                yield from self._told(body, seen)
                yield from self._told(other, seen)
            case ast.BoolOp(values=values):
                for each in values:
                    yield from self._told(each, seen)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                yield from self._told(left, seen)
                yield from self._told(right, seen)
            case _:
                yield ast.unparse(node)


def _number(part: ast.FormattedValue) -> bool:
    """Python itself refuses to format anything else so."""
    return isinstance(part.format_spec, ast.JoinedStr) and _constant(part.format_spec) in ("d", "g", "04d")


def _constant(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


SOURCES = [Source(path) for path in sorted(ROOT.rglob("*.py"))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_remedy_holds_no_word_of_somebody_else_that_was_not_made_safe(source: Source) -> None:
    assert not source.unsafe()


def test_there_are_remedies_to_look_at() -> None:
    assert sum(len(list(source.remedies())) for source in SOURCES) > 250


def test_a_word_that_was_not_made_safe_is_found(tmp_path: Path) -> None:
    for line in (
        'E(remedy=f"rm {path}")',
        'remedy = f"rm {path}"',
        'E(remedy=_a())\ndef _a(): return f"rm {path}"',
        'x = f"rm {path}"\nE(remedy=x or "")',
        'Finding("a", True, "b", f"rm {path}")',
        'f"%las rm {path}"',
        'E(remedy="rm {}".format(path))',
        'E(remedy="rm " + path)',
        'E(remedy="rm %s" % path)',
        "E(remedy=path)",
    ):
        (tmp_path / "made.py").write_text(line)
        source = Source(tmp_path / "made.py", tmp_path)
        assert source.unsafe(), line
