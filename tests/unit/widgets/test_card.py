"""A card holds what a page may show and copy: each word on one line, with nothing in it that cannot be seen."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import las_jupyter
from las_jupyter.core.launch import Decision, LaunchSpec
from las_jupyter.core.snapshot import Health, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.core.unseen import in_line
from las_jupyter.widgets.wire import Used, card

STRANGE = st.text() | st.lists(st.sampled_from("\x1b\n\r\u202e\u2066\u200b\u061c\x9b]0;a"), max_size=9).map("".join)


def words(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [word for each in value for word in words(each)]
    return [value] if isinstance(value, str) else []


@given(text=STRANGE)
def test_nothing_of_a_card_is_unseen_or_a_second_line(text: str) -> None:
    snapshot = Snapshot(
        text, text, Mode.NATIVE, text, ProcessState.FAILED, text, Health(HealthState.UNKNOWN, text, phase=text),
        model=text, url=text, image=text, warnings=(text,),
    )  # fmt: skip
    spec = LaunchSpec("a", "b", Mode.NATIVE, "native", ("x",), decisions=(Decision(text, text, text),))

    made = card(snapshot, spec, Used((1, 2), (0.5,)), (text, text))

    assert all(word == in_line(word) and len(word.splitlines()) <= 1 for word in words(made))
    assert (made.memory_history, made.cpu_history, made.light) == ((1, 2), (0.5,), "failed")


def test_the_page_makes_no_markup_of_text() -> None:
    script = "\n".join(path.read_text() for path in (Path(las_jupyter.__file__).parents[1] / "js/src").rglob("*.ts"))

    assert "textContent" in script
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "srcdoc",
    ):
        assert way not in script
