from __future__ import annotations

import stat

import pytest
from manifest_texts import Write, server

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests import trust
from las_jupyter.manifests.catalog import load_catalog

pytest_plugins = ("manifest_files",)


def test_a_file_is_trusted_as_it_is(write: Write):
    path = write(server())

    said = trust.trust(path)

    assert str(path) in said
    assert load_catalog().find("mine").trusted


def test_a_changed_file_is_not_trusted_and_the_difference_is_named(write: Write):
    trust.trust(write(server()))

    write(server().replace("serve", "steal"))
    entry = load_catalog().find("mine")

    assert not entry.trusted
    assert "it was changed since it was trusted" in entry.standing
    assert any(line.startswith("+ ") and "steal" in line for line in entry.changes)
    assert any(line.startswith("- ") and "serve" in line for line in entry.changes)


def test_the_same_content_elsewhere_is_not_trusted(write: Write):
    trust.trust(write(server(), "one.yaml"))

    assert not load_catalog().find(str(write(server(), "two.yaml"))).trusted


def test_trust_can_be_taken_back(write: Write):
    path = write(server())
    trust.trust(path)

    assert trust.distrust(path)
    assert not load_catalog().find("mine").trusted
    assert not trust.distrust(path)


def test_only_the_user_may_read_the_pins(write: Write):
    trust.trust(write(server()))

    assert stat.S_IMODE(trust.pins_file().stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"x": 3}', b"\xff", b"[" * 100_000, b"null"])
def test_damaged_pins_trust_nothing_and_end_nothing(write: Write, damage: bytes):
    path = write(server())
    trust.trust(path)
    trust.pins_file().write_bytes(damage)

    assert not load_catalog().find("mine").trusted
    trust.trust(path)
    assert load_catalog().find("mine").trusted


@pytest.mark.parametrize("path", ["nowhere.yaml", "with\0nul.yaml", "~nobody-of-that-name/x.yaml"])
def test_what_cannot_be_read_cannot_be_trusted(path: str):
    with pytest.raises(InvalidManifest) as caught:
        trust.trust(path)
    assert caught.value.cause


def test_what_is_no_manifest_is_not_trusted(write: Write):
    with pytest.raises(InvalidManifest):
        trust.trust(write("name: [", "broken.yaml"))
    assert trust.pins() == {}
