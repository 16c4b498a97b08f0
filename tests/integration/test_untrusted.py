"""
A manifest that nobody trusts, before every verb there is: its program must not run, nobody may be asked in its name.

The words are made from the grammar, so a verb or an option that is added is tried as well.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from las_jupyter.cli.main import main
from las_jupyter.core.states import Mode
from las_jupyter.manifests.trust import trust
from las_jupyter.planning.world import Backend
from las_jupyter.stack import house, survey
from las_jupyter.stack.grammar import VERBS, Positional, Verb, example_of

EVIL = """\
name: {name}
version: "99"
runtime: {{modes: [native, container], preferred: {mode}}}
launch:
  native: {{needs: [canary], install: canary, argv: ["{{engine}}", canary], env: {{A: canary}}}}
  container: {{image: "localhost/canary:1", entrypoint: [canary], argv: [canary]}}
ports: [{{name: http, default: {port}}}]
identity: {{path: "/admin/delete?all=1", pattern: "."}}
health: {{ready: {{command: [canary]}}, live: {{http: {{path: /admin}}}}}}
"""


class Trap:
    """A program on PATH and a server on a port, both of which remember that somebody came."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder / "it-ran"
        program = folder / "bin" / "canary"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$0 $@" >> {self._mark}\n')
        program.chmod(0o755)
        self.asked: list[str] = []
        asked = self.asked

        class Remember(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Remember)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def caught(self) -> list[str]:
        ran = self._mark.read_text().splitlines() if self._mark.exists() else []
        return ran + self.asked


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """Files in the user's folder of manifests: ``evil``, and two that have the names of bundled modules."""
    found = Trap(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__DOCKER_ENABLED", "false")
    folder = tmp_path / "config" / "las_jupyter" / "manifests"
    folder.mkdir(parents=True, mode=0o700)
    for name, mode in (("evil", "native"), ("evil-too", "container"), ("vllm", "native"), ("comfyui", "container")):
        (folder / f"{name}.yaml").write_text(EVIL.format(name=name, mode=mode, port=found.port))
    yield found
    found.server.shutdown()
    found.server.server_close()


def references(folder: Path) -> list[str]:
    place = folder / "config" / "las_jupyter" / "manifests"
    return ["evil", "evil@99", "evil-too@>=1", "vllm", str(place / "evil.yaml"), str(place / "vllm.yaml")]


def meant(place: Positional, folder: Path) -> list[str]:
    match place.values:
        case "modules":
            return references(folder)
        case "files":
            return [str(folder / "config" / "las_jupyter" / "manifests" / "evil.yaml")]
        case "instances":
            return ["evil", "vllm"]
        case _:
            return ["evil"]


def lines(verb: Verb, folder: Path) -> Iterator[list[str]]:
    """The verb alone, with each thing it may be about, and with each of its options."""
    begun = [[verb.name]]
    if verb.positionals:
        begun = [[verb.name, each] for each in meant(verb.positionals[0], folder)]
        if not verb.positionals[0].required:
            begun.append([verb.name])
    for words in begun:
        yield words
        for option in verb.options:
            if option.name == "follow":
                continue
            yield [*words, *example_of(option).split()]
            for choice in option.choices:
                yield [*words, option.word, choice]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_no_verb_runs_or_asks_anything_for_a_manifest_that_nobody_trusts(
    verb: Verb, trap: Trap, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in lines(verb, tmp_path):
        code = main(words)
        said = capsys.readouterr()

        assert trap.caught() == [], words
        assert "nobody foresaw" not in said.err, words
        assert code in (0, 1, 2, 3, 4), words


@pytest.mark.parametrize("words", [["plan", ""], ["start", ""], ["attach", ""], ["logs", "-"], ["status", ""]])
def test_completing_a_line_runs_nothing_either(words: list[str], trap: Trap) -> None:
    main(["__complete", *words])

    assert trap.caught() == []


@pytest.mark.parametrize("name", ["evil", "evil-too", "vllm", "comfyui"])
@pytest.mark.parametrize("more", [[], ["--mode", "container"], ["--compare"], ["--mode", "native"]])
def test_no_plan_of_a_container_does_where_an_engine_is(
    name: str, more: list[str], trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__DOCKER_ENABLED", "true")
    monkeypatch.setattr(survey, "_container_backend", lambda name: Backend(name, Mode.CONTAINER))
    monkeypatch.setattr(house, "with_image", lambda plan, _folder: plan)

    path = tmp_path / "config" / "las_jupyter" / "manifests" / f"{name}.yaml"
    code = main(["plan", str(path), "--name", "other", *more])

    assert trap.caught() == []
    assert code == 0 or "native" in more or not more


def test_what_was_trusted_is_looked_for_so_the_trap_works(
    trap: Trap, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust(tmp_path / "config" / "las_jupyter" / "manifests" / "evil.yaml")

    assert main(["plan", "evil"]) == 0

    assert any("--version" in each for each in trap.caught())
    assert any("/admin/delete" in each for each in trap.caught())
