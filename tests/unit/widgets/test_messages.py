"""What a page says is read field by field, and what is no message of ours is not heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.light import Verb
from las_jupyter.core.wire import to_data
from las_jupyter.widgets.messages import CloseLog, Here, OpenLog, Order, read_message

whole = st.none() | st.integers(min_value=0)
ours = (
    st.just(Here())
    | st.builds(OpenLog, st.text(), whole, whole)
    | st.builds(CloseLog, st.text())
    | st.builds(Order, st.text(), st.sampled_from(Verb), st.text())
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ours)
def test_every_message_of_ours_is_read_as_it_was_meant(message: Here | OpenLog | CloseLog | Order) -> None:
    assert read_message(to_data(message)) == message


@given(anything)
def test_nonsense_is_not_heard(said: object) -> None:
    assert read_message(said) is None


@given(st.fixed_dictionaries({"t": st.sampled_from(["log", "close", "do", "here"])}, optional=dict.fromkeys(
    ["id", "verb", "name", "generation", "offset"], anything)))  # fmt: skip
def test_a_message_with_foreign_fields_never_carries_them_on(said: dict[str, object]) -> None:
    match read_message(said):
        case OpenLog(name, generation, offset):
            assert isinstance(name, str)
            assert all(each is None or (type(each) is int and each >= 0) for each in (generation, offset))
        case Order(_, verb, _):
            assert verb in Verb
        case CloseLog(name):
            assert isinstance(name, str)
        case found:
            assert found in (None, Here())


def test_a_verb_that_no_button_has_is_not_carried_out() -> None:
    assert read_message({"t": "do", "id": "1", "verb": "rm -rf", "name": "chat"}) is None
