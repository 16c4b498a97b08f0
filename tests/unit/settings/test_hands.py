"""Settings count only from hands that may give them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from odd_files import within

import las_jupyter as las
from las_jupyter.core.errors import InvalidSettings, LasError
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.settings import load_settings
from las_jupyter.settings.files import user_file
from las_jupyter.settings.pins import pins, pins_file
from las_jupyter.settings.powers import POWERS, Power, without_power
from las_jupyter.state import custody

MALLORY = 4711
POWERFUL = """
policy_file = ""
[runtime]
log_dir = "/tmp/elsewhere"
native_enabled = true
[models]
cache_dir = "/tmp/models"
[manifests]
paths = ["./m"]
[engines."llama.cpp"]
path = "./evil.sh"
[engines.vllm]
python = "./evil"
[logs]
keep_starts = 3
"""
TAKEN_OUT = {
    "policy_file", "runtime.log_dir", "runtime.native_enabled", "models.cache_dir", "manifests.paths",
    "engines.llama.cpp.path", "engines.vllm.python",
}  # fmt: skip
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def gone_while_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody takes ``path`` away whenever it is judged, and puts it back for whoever reads it."""
    aside, look = path.with_name("aside"), custody.steps_to

    def looking(wanted: str, *, follow: bool = True) -> tuple[custody.Step, ...]:
        path.rename(aside)
        try:
            return look(wanted, follow=follow)
        finally:
            aside.rename(path)

    monkeypatch.setattr(custody, "steps_to", looking)


def program(path: Path, canary: Path) -> Path:
    path.write_text(f"#!/bin/sh\ntouch {canary}\necho version: 1.0\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "project"
    place.mkdir(mode=0o755)
    monkeypatch.chdir(place)
    return place


def everything() -> None:
    """All verbs that only look."""
    las.modules()
    las.doctor()
    las.config()
    las.status()
    for mode in ("native", "container", None):
        try:
            las.plan("llama.cpp", mode=mode)
        except LasError:
            continue


# ---- what a project may say


def test_every_setting_is_classified() -> None:
    from las_jupyter.settings.model import Settings

    def leaves(model: Any, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for name, field in model.model_fields.items():
            kind: Any = field.annotation
            many = getattr(kind, "__origin__", None) is dict
            inner = kind.__args__[1] if many else kind
            here = (*at, name, "*") if many else (*at, name)
            found |= leaves(inner, here) if hasattr(inner, "model_fields") else {here}
        return found

    assert leaves(Settings) == set(POWERS)


def test_every_setting_that_is_a_place_has_power() -> None:
    """A new setting of a path is one that chooses, whatever it is called."""
    from las_jupyter.settings.model import Settings

    values = load_settings().values.model_dump()
    assert set(values) == set(Settings.model_fields)
    for at, power in POWERS.items():
        if at[-1].endswith(("path", "paths", "dir", "file", "python")):
            assert power is Power.CHOOSES, at


def test_a_projects_file_chooses_nothing_until_it_is_trusted(project: Path) -> None:
    (project / "las.toml").write_text(POWERFUL)

    found = load_settings()

    assert found.runtime.log_dir is None
    assert found.manifests.paths == []
    assert found.engines == {"llama.cpp": found.engines["llama.cpp"], "vllm": found.engines["vllm"]}
    assert found.engines["llama.cpp"].path is None
    assert found.logs.keep_starts == 3
    assert [set(each.keys) for each in found.ignored] == [TAKEN_OUT]
    assert found.ignored[0].remedy == f"read the file, then %las trust {project / 'las.toml'}"


@only_root
def test_a_project_file_that_comes_and_goes_while_it_is_looked_at_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True)
    shared.chmod(0o1777)
    theirs = shared / "las.toml"
    theirs.write_text("[limits]\npids = 77\n")
    os.chown(theirs, MALLORY, MALLORY)
    monkeypatch.chdir(shared / "mine")
    gone_while_looked_at(theirs, monkeypatch)

    assert load_settings().limits.pids is None


@only_root
@pytest.mark.parametrize("name", ["las.toml", "config.yaml", "trusted.json"])
def test_a_file_of_ours_that_comes_and_goes_while_it_is_looked_at_is_not_believed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = user_file().parent
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    (folder / name).write_text("{}" if name == "trusted.json" else "")
    os.chown(folder / name, MALLORY, MALLORY)
    gone_while_looked_at(folder / name, monkeypatch)

    with pytest.raises(InvalidSettings, match="is not believed, for others could change it"):
        pins() if name == "trusted.json" else load_settings()


def test_a_cloned_repository_runs_no_program_of_its_own(project: Path, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    program(project / "evil.sh", canary)
    (project / "pyproject.toml").write_text('[tool.las.engines."llama.cpp"]\npath = "./evil.sh"\n')

    everything()

    assert not canary.exists()


def test_a_trusted_project_chooses_until_it_says_something_else(project: Path) -> None:
    file = project / "las.toml"
    file.write_text(POWERFUL)

    said = las.trust("las.toml")
    assert "engines.llama.cpp.path" in str(said)
    assert load_settings().runtime.log_dir == Path("/tmp/elsewhere")
    assert load_settings().ignored == ()

    file.write_text(f"# a word more\n{POWERFUL}")
    assert load_settings().ignored == ()

    file.write_text(POWERFUL.replace("./evil.sh", "./worse.sh"))
    changed = load_settings()
    assert changed.engines["llama.cpp"].path is None
    assert "changed since you trusted it" in changed.ignored[0].why
    assert "worse.sh" in changed.ignored[0].why


def test_of_a_pyproject_the_table_is_pinned_and_not_the_rest(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(f'[project]\nversion = "1"\n[tool.las.runtime]\nlog_dir = "{project}/logs"\n')
    las.trust(str(file))

    file.write_text(file.read_text().replace('version = "1"', 'version = "2"'))

    assert load_settings().runtime.log_dir == project / "logs"


def test_what_only_forbids_takes_no_trust(project: Path) -> None:
    (project / "las.toml").write_text("[runtime]\nnative_enabled = false\ndocker_enabled = false\n")

    found = load_settings()

    assert (found.runtime.native_enabled, found.runtime.docker_enabled, found.ignored) == (False, False, ())


@pytest.mark.parametrize("value", ["true", "1", '"false"', '"no"', "[]"])
def test_only_the_plain_no_is_a_no(value: str) -> None:
    import tomllib

    kept, out = without_power(tomllib.loads(f"runtime.native_enabled = {value}"))

    assert (kept, out) == ({"runtime": {}}, ("runtime.native_enabled",))


def test_a_start_the_settings_and_the_doctor_tell_what_is_ignored(project: Path) -> None:
    (project / "las.toml").write_text('[runtime]\nlog_dir = "/tmp/elsewhere"\n')
    told = f"runtime.log_dir of {project / 'las.toml'} is ignored"

    assert any(told in warning for warning in las.plan("http-echo").warnings)
    assert told in str(las.config())
    assert f"(ignored: {project / 'las.toml'})" in str(las.config("runtime.log_dir"))
    finding = next(each for each in las.doctor() if told in each.says)
    assert finding.cure == f"read the file, then %las trust {project / 'las.toml'}"


def test_what_is_ignored_is_one_sentence_however_much_it_is(project: Path) -> None:
    (project / "las.toml").write_text('policy_file = "p"\n[runtime]\nlog_dir = "/l"\n[models]\ncache_dir = "/m"\n')
    (told,) = [warning for warning in las.plan("http-echo").warnings if "ignored" in warning]

    keys, _, rest = told.partition(f" of {project / 'las.toml'} are ignored")
    assert rest and sorted(keys.replace(" and ", ", ").split(", ")) == [
        "models.cache_dir", "policy_file", "runtime.log_dir"
    ]  # fmt: skip
    assert keys.count(" and ") == 1


def test_a_file_of_which_nothing_counts_is_no_source_of_settings(project: Path) -> None:
    (project / "las.toml").write_text('[runtime]\nlog_dir = "/l"\n')

    assert {each.says for each in las.doctor() if each.subject == "settings" and each.good} == {
        "from the defaults only"
    }


@pytest.mark.parametrize(
    ("more", "count"), [("", " counts as long as"), ('[models]\ncache_dir = "/m"\n', " count as long as")]
)
def test_what_counts_once_it_is_trusted_is_a_right_sentence(project: Path, more: str, count: str) -> None:
    (project / "las.toml").write_text(f'[runtime]\nlog_dir = "/l"\n{more}')

    assert f"of {project / 'las.toml'}{count}" in str(las.trust("las.toml"))


def test_trusting_a_file_that_says_nothing_to_us_is_a_sentence(project: Path) -> None:
    (project / "pyproject.toml").write_text("[project]\n")
    for name in ("pyproject.toml", "las.toml", "../no.toml"):
        with pytest.raises(LasError):
            las.trust(name)


@given(some.text(min_size=1, max_size=30), some.text(min_size=1, max_size=30))
def test_the_names_in_a_projects_file_cannot_write_our_advice(module: str, path: str) -> None:
    from las_jupyter.settings.project import Ignored

    _, keys = without_power({"engines": {module: {"path": path}}})
    told = Ignored("/las.toml", keys, "why", "%las trust /las.toml").text

    assert told.isprintable()
    assert told.count("\n") == 0


ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.dictionaries(
        some.sampled_from(["runtime", "engines", "log_dir", "path", "python", "policy_file", "native_enabled", "x"]),
        inner,
    ),
)


@given(some.dictionaries(some.sampled_from(["runtime", "engines", "models", "manifests", "policy_file", "x"]), ANY))
def test_nothing_with_power_is_left_however_it_is_nested(values: dict[str, Any]) -> None:
    kept, out = without_power(values)

    assert without_power(kept) == (kept, ())
    assert (kept == values) == (out == ())


# ---- whose file it is


@only_root
def test_a_project_file_of_another_user_is_not_even_read_as_settings(project: Path, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    evil = program(tmp_path / "evil.sh", canary)
    file = tmp_path / "las.toml"
    file.write_text(f'nonsense = {{}}\n[engines."llama.cpp"]\npath = "{evil}"\n[logs]\nkeep_starts = 3\n')
    os.chown(file, MALLORY, MALLORY)

    found = load_settings()
    everything()

    assert found.logs.keep_starts == 10
    assert not canary.exists()
    assert found.ignored[0].why == f"it belongs to user {MALLORY}"


@pytest.mark.parametrize("content", ["[", "x = 1", "a = " + "[" * 5000, "\0", 'engines = "x"'])
@pytest.mark.parametrize("name", ["las.toml", "pyproject.toml"])
def test_no_file_in_a_shared_folder_above_can_stop_anybody(
    tmp_path: Path, project: Path, content: str, name: str
) -> None:
    (tmp_path / name).write_text(content + "\n# las")
    tmp_path.chmod(0o777)
    project.chmod(0o755)

    with within(5):
        found = load_settings(project)

    assert found.logs.keep_starts == 10


def test_a_file_in_a_folder_for_everybody_counts_once_its_words_are_pinned(tmp_path: Path, project: Path) -> None:
    project.chmod(0o777)
    (project / "las.toml").write_text("[logs]\nkeep_starts = 3\n")
    ignored = load_settings().ignored
    assert [each.why for each in ignored] == [f"{project}: everybody may write to it"]

    las.trust("las.toml")
    assert load_settings().logs.keep_starts == 3

    (project / "las.toml").write_text("[logs]\nkeep_starts = 4\n")
    assert load_settings().logs.keep_starts == 10


def test_a_link_to_a_project_file_in_an_open_folder_does_not_count(tmp_path: Path, project: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "x.toml").write_text("[logs]\nkeep_starts = 3\n")
    (project / "las.toml").symlink_to(tmp_path / "open" / "x.toml")

    assert load_settings().logs.keep_starts == 10


# ---- our own files


def own(name: str = "las.toml", text: str = "[logs]\nkeep_starts = 3\n") -> Path:
    path = user_file().with_name(name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["las.toml", "config.yaml"])
@pytest.mark.parametrize("opened", [0, 1, 2])
def test_our_own_file_in_others_reach_is_refused_with_the_cure(name: str, opened: int) -> None:
    path = own(name, "")
    place = (path, *path.parents)[opened]
    place.chmod(0o666 if opened == 0 else 0o777)

    with pytest.raises(InvalidSettings) as refused:
        load_settings()

    assert refused.value.remedy == f"chmod go-w {place}"
    place.chmod(stat.S_IMODE(place.stat().st_mode) & ~0o022)
    load_settings()


@only_root
@pytest.mark.parametrize("name", ["las.toml", "config.yaml"])
def test_our_own_file_of_another_user_is_refused(name: str) -> None:
    path = own(name, "")
    os.chown(path, MALLORY, MALLORY)

    with pytest.raises(InvalidSettings, match="not believed"):
        load_settings()


def test_a_linked_settings_folder_of_ours_is_fine(tmp_path: Path) -> None:
    (tmp_path / "dotfiles" / "las").mkdir(parents=True)
    (tmp_path / "dotfiles" / "las" / "las.toml").write_text("[logs]\nkeep_starts = 3\n")
    user_file().parent.parent.mkdir(parents=True)
    user_file().parent.symlink_to(tmp_path / "dotfiles" / "las")

    assert load_settings().logs.keep_starts == 3


def test_pins_that_others_could_write_pin_nothing_and_are_told(project: Path) -> None:
    (project / "las.toml").write_text(POWERFUL)
    las.trust("las.toml")
    pins_file().chmod(0o666)

    for ask in (load_settings, lambda: las.trust("las.toml"), lambda: load_catalog(None)):
        with pytest.raises(InvalidSettings, match="not believed"):
            ask()


def test_nothing_is_pinned_where_others_could_change_it(project: Path) -> None:
    (project / "las.toml").write_text(POWERFUL)
    user_file().parent.mkdir(parents=True)
    user_file().parent.chmod(0o777)

    with pytest.raises(InvalidSettings) as refused:
        las.trust("las.toml")

    assert refused.value.remedy == f"chmod go-w {user_file().parent}"
    assert not pins_file().exists()


@pytest.mark.parametrize("opened", ["manifests", "manifests/m.yaml"])
def test_a_manifest_that_others_put_into_our_folder_is_a_problem_and_no_module(opened: str) -> None:
    folder = user_file().with_name("manifests")
    folder.mkdir(parents=True)
    manifest = folder / "m.yaml"
    manifest.write_text('name: theirs\nversion: "1"\nruntime: {modes: [native]}\n')
    (folder.parent / opened).chmod(0o777)

    catalog = load_catalog(load_settings())
    assert "theirs" not in {entry.manifest.name for entry in catalog.entries}
    assert [problem.remedy for problem in catalog.problems] == [f"chmod go-w {folder.parent / opened}"]

    las.trust(str(manifest))
    assert "theirs" in {entry.manifest.name for entry in load_catalog(load_settings()).entries}


def test_a_home_that_we_may_not_look_into_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", forbidden)

    with pytest.raises(InvalidSettings, match=f"{user_file()} cannot be read"):
        load_settings()
