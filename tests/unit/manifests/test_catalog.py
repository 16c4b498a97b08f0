from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_texts import Write, server

from las_jupyter.core.errors import PlanRefused, UnknownModule
from las_jupyter.manifests import versions
from las_jupyter.manifests.catalog import Catalog, Entry, load_catalog
from las_jupyter.manifests.load import parse_manifest
from las_jupyter.manifests.trust import trust

pytest_plugins = ("manifest_files",)


def catalog(*texts: str) -> Catalog:
    entries = [Entry(parse_manifest(text.encode(), "x"), "user", None, True, "", "") for text in texts]  # type: ignore[arg-type]
    return Catalog(entries)


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.manifest.name for entry in entries]


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(UnknownModule) as caught:
        load_catalog().find("lama.cpp")

    assert caught.value.remedy == "did you mean llama.cpp?"


def test_of_several_versions_the_newest_that_fits_is_taken():
    shelf = catalog(*(server(version=version) for version in ("1.9", "1.10", "2.0rc1")))

    assert shelf.find("mine").manifest.version == "2.0rc1"
    assert shelf.find("mine@<2").manifest.version == "1.10"
    assert shelf.find("mine@1.9").manifest.version == "1.9"
    assert shelf.find("mine@>=1.2,!=1.10,<2").manifest.version == "1.9"


@pytest.mark.parametrize("wanted", ["mine@>=3", "mine@nonsense", "mine@==", "mine@>="])
def test_a_version_that_is_not_there_says_which_are(wanted: str):
    with pytest.raises(UnknownModule) as caught:
        catalog(server(version="1.9")).find(wanted)

    assert "1.9" in str(caught.value.cause)


def test_a_file_of_the_users_is_found_and_not_trusted(write: Write):
    path = write(server())

    entry = load_catalog().find("mine")

    assert (entry.origin, entry.path, entry.trusted) == ("user", path, False)
    assert load_catalog().find(str(path)).origin == "file"


def test_a_file_in_a_configured_folder_is_found(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "manifest.yaml").write_text(server("web"))

    shelf = load_catalog(SimpleNamespace(manifests=SimpleNamespace(paths=[tmp_path])))

    assert shelf.find("web").origin == "user"


def test_a_broken_file_breaks_only_itself(write: Write):
    write("name: [", "broken.yaml")
    write(server(), "mine.yaml")

    shelf = load_catalog()

    assert shelf.find("mine")
    assert shelf.find("llama.cpp")
    assert "broken.yaml" in shelf.problems[0].message


def test_a_change_is_seen_at_the_next_look(write: Write):
    write(server(version="1.0"))
    assert load_catalog().find("mine").manifest.version == "1.0"

    write(server(version="1.1"))

    assert load_catalog().find("mine").manifest.version == "1.1"


def test_what_a_module_needs_is_started_before_it():
    shelf = catalog(server("app", needs="web, 'db@>=1'"), server("web", needs="db"), server("db"))

    assert names(shelf.start_order(shelf.find("app"))) == ["db", "web", "app"]


def test_a_circle_is_refused_and_drawn():
    shelf = catalog(server("a", needs="b"), server("b", needs="c"), server("c", needs="b"))

    with pytest.raises(PlanRefused) as caught:
        shelf.start_order(shelf.find("a"))

    assert caught.value.cause == "the circle is b → c → b"


def test_a_module_that_needs_itself_is_refused():
    shelf = catalog(server("a", needs="a"))

    with pytest.raises(PlanRefused) as caught:
        shelf.start_order(shelf.find("a"))
    assert "a → a" in str(caught.value.cause)


def test_a_dependency_that_is_not_there_is_named():
    shelf = catalog(server("a", needs="'db@>=2'"), server("db", version="1.0"))

    with pytest.raises(PlanRefused) as caught:
        shelf.start_order(shelf.find("a"))

    assert caught.value.message == "a cannot be started: it needs db@>=2."
    assert "there is 1.0" in str(caught.value.cause)


def test_two_that_need_different_versions_of_a_third_are_refused():
    shelf = catalog(
        server("app", needs="old, new"), server("old", needs="'db@<2'"), server("new", needs="'db@>=2'"),
        server("db", version="1.0"), server("db", version="2.0"),
    )  # fmt: skip

    with pytest.raises(PlanRefused) as caught:
        shelf.start_order(shelf.find("app"))
    assert "needed by another module of the same start" in str(caught.value.cause)


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"), max_size=3), min_size=1))
def test_an_order_holds_everything_after_what_it_needs_or_is_refused(needs: dict[str, set[str]]):
    shelf = catalog(*(server(name, needs=", ".join(sorted(wants))) for name, wants in needs.items()))
    for name in needs:
        try:
            order = names(shelf.start_order(shelf.find(name)))
        except PlanRefused as error:
            assert error.cause
            continue
        assert order[-1] == name
        assert len(order) == len(set(order))
        for place, module in enumerate(order):
            assert needs[module] <= set(order[:place])


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_version_and_no_constraint_is_too_strange(version: str, wanted: str):
    assert versions.fits(version, wanted) in (True, False)


def entry(
    name: str, version: str, *, trusted: bool, origin: str = "user", path: str = "/m/x.yaml", needs: str = ""
) -> Entry:
    why = "its content is pinned" if trusted else "it is neither bundled nor trusted"
    manifest = parse_manifest(server(name, version, needs).encode(), "x")
    return Entry(manifest, origin, Path(path), trusted, why, "sha256:" + "0" * 64)


OURS = entry("mine", "1.0", trusted=True, origin="bundled")
THEIRS = entry("mine", "99", trusted=False, path="/repo/m/x.yaml")


@pytest.mark.parametrize("reference", ["mine", "mine@1.0", "mine@>=1", "mine@>=0,<100"])
def test_a_name_is_of_a_trusted_manifest_whatever_version_another_gives_itself(reference: str) -> None:
    assert Catalog([OURS, THEIRS]).find(reference) is OURS


@pytest.mark.parametrize("reference", ["mine@99", "mine@>2"])
def test_a_version_that_only_an_untrusted_file_has_is_not_there_and_the_file_is_named(reference: str) -> None:
    with pytest.raises(UnknownModule) as caught:
        Catalog([OURS, THEIRS]).find(reference)

    assert caught.value.cause == "there is 1.0; /repo/m/x.yaml says it is 99, and is not trusted"


def test_a_name_that_nobody_trusted_has_is_an_untrusted_manifests_own() -> None:
    assert Catalog([THEIRS]).find("mine") is THEIRS


def test_an_untrusted_file_with_a_bundled_name_is_reached_by_its_path(write: Write) -> None:
    path = write(server("llama.cpp", "99"))
    shelf = load_catalog()

    assert shelf.find("llama.cpp").origin == "bundled"
    assert [each.path for each in shelf.passed_over(shelf.find("llama.cpp"))] == [path]
    assert shelf.find(str(path)).manifest.version == "99"
    assert shelf.passed_over(shelf.find(str(path))) == ()


def test_a_file_that_was_trusted_takes_a_bundled_name(write: Write) -> None:
    path = write(server("llama.cpp", "99"))
    trust(path)

    assert load_catalog().find("llama.cpp").path == path


def test_a_file_that_changed_since_it_was_trusted_loses_the_name(write: Write) -> None:
    path = write(server("llama.cpp", "99"))
    trust(path)
    path.write_text(server("llama.cpp", "100"))

    assert load_catalog().find("llama.cpp").origin == "bundled"


def test_what_a_module_needs_is_a_trusted_one_where_there_is_one() -> None:
    app = entry("app", "1", trusted=False, needs="mine")

    assert Catalog([app, OURS, THEIRS]).start_order(app)[0] is OURS


def test_a_misspelt_name_is_taken_for_a_trusted_one_first() -> None:
    near = entry("lama.cpp-", "1", trusted=False)
    shelf = Catalog([*load_catalog().entries, near])

    with pytest.raises(UnknownModule) as caught:
        shelf.find("lama.cpp")

    assert caught.value.remedy == "did you mean llama.cpp?"


ENTRIES = st.lists(
    st.builds(
        lambda name, version, sure: entry(name, version, trusted=sure),
        st.sampled_from(["a", "b"]), st.sampled_from(["0", "1", "1.5", "2rc1", "99", "nonsense"]), st.booleans(),
    ),
    max_size=8,
)  # fmt: skip


@given(ENTRIES, st.sampled_from(["a", "b", "a@>=1", "b@99", "a@<2", "b@nonsense"]))
def test_no_untrusted_manifest_is_found_by_a_name_that_a_trusted_one_has(entries: list[Entry], reference: str) -> None:
    shelf = Catalog(entries)
    try:
        found = shelf.find(reference)
    except UnknownModule:
        return

    assert found.trusted or not any(each.trusted for each in entries if each.manifest.name == found.manifest.name)
