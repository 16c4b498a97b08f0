"""The panel needs a script in the server's environment, which is often not the kernel's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from las_jupyter.stack.finding import Finding
from las_jupyter.stack.jupyter_server import data_folders, find_server, look_at_server


def a_server(root: Path, *words: str, **extensions: str) -> Path:
    """A process 42 below ``root/proc`` with an environment ``root/env``."""
    (root / "proc/42").mkdir(parents=True)
    (root / "proc/42/cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    names = {"anywidget": "anywidget", "manager": "@jupyter-widgets/jupyterlab-manager"}
    for name, version in extensions.items():
        place = root / "env/share/jupyter/labextensions" / names[name]
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({"version": version}))
    return root


def looked(root: Path, here: str = "0.9.18", widgets: str = "3.0.17") -> dict[str, Finding]:
    server = find_server(42, root / "proc")
    assert server is not None
    folders = [each for each in data_folders(server, root) if root in each.parents]
    return {
        each.subject: each
        for each in look_at_server(server, folders, {"anywidget": here, "jupyterlab_widgets": widgets})
    }


@pytest.mark.parametrize(
    "words", [("{}/bin/python3.11", "{}/bin/jupyter-lab"), ("{}/bin/python", "-m", "jupyter", "lab")], ids=" ".join
)
def test_the_environment_of_the_server_is_that_of_its_program(tmp_path, words):
    env = str(tmp_path / "env")
    a_server(tmp_path, *(word.format(env) for word in words))

    server = find_server(42, tmp_path / "proc")
    assert server is not None and str(server.prefix) == env


@pytest.mark.parametrize("words", [(), ("/usr/bin/code", "--type=extensionHost"), ("jupyter",)])
def test_what_is_no_server_we_know_is_none(tmp_path, words):
    assert find_server(42, a_server(tmp_path, *words) / "proc") is None
    assert find_server(43, tmp_path / "proc") is None


def test_a_server_without_the_script_is_wrong_and_the_cure_names_its_own_python(tmp_path):
    found = looked(a_server(tmp_path, f"{tmp_path}/env/bin/jupyter-lab"))["anywidget in the server"]

    assert found.good is False
    assert found.cure == f"{tmp_path}/env/bin/python -m pip install anywidget"


def test_a_server_with_the_scripts_is_good(tmp_path):
    found = looked(a_server(tmp_path, f"{tmp_path}/env/bin/jupyter-lab", anywidget="0.9.2", manager="5.0.13"))

    assert found["anywidget in the server"].good and found["jupyterlab_widgets in the server"].good
    assert found["las_jupyter in the server"].good is None


def test_a_script_of_another_generation_is_wrong(tmp_path):
    found = looked(a_server(tmp_path, f"{tmp_path}/env/bin/jupyter-lab", anywidget="0.6.0"))["anywidget in the server"]

    assert found.good is False and "anywidget==0.9.18" in found.cure


@pytest.mark.parametrize(
    ("script", "package", "good"), [("5.0.16", "3.0.17", True), ("3.1.11", "1.1.11", True), ("3.1.11", "3.0.17", False)]
)
def test_the_script_of_the_widgets_is_counted_two_above_its_package(tmp_path, script, package, good):
    root = a_server(tmp_path, f"{tmp_path}/env/bin/jupyter-lab", manager=script)

    assert looked(root, widgets=package)["jupyterlab_widgets in the server"].good is good


def test_las_jupyter_in_the_server_is_seen(tmp_path):
    (tmp_path / "env/lib/python3.11/site-packages/las_jupyter").mkdir(parents=True)

    assert looked(a_server(tmp_path, f"{tmp_path}/env/bin/jupyter-lab"))["las_jupyter in the server"].good
