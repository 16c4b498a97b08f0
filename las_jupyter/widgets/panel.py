"""The panel: a card for each instance, live. One small ESM, built from ``js/`` and shipped in the wheel."""

from __future__ import annotations

import contextlib
import html
import time
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from las_jupyter.display.status import status_table
from las_jupyter.widgets.conversation import Conversation
from las_jupyter.widgets.publisher import publisher_of
from las_jupyter.widgets.source import PanelSource

_STATIC = Path(__file__).with_name("static") / "panel.js"


def _built() -> str:
    try:
        return _STATIC.read_text()
    except FileNotFoundError:
        raise FileNotFoundError(f"{_STATIC} is not built yet; run `make javascript` in the checkout") from None


class Panel(anywidget.AnyWidget):
    """All instances of ``source``, or the one called ``name``."""

    _esm: Any = traitlets.Unicode().tag(sync=True)
    cards: Any = traitlets.List().tag(sync=True)
    beat = traitlets.Float(0.0).tag(sync=True)
    notice = traitlets.Unicode("").tag(sync=True)
    only = traitlets.Unicode("").tag(sync=True)
    # Here and not in __init__: a widget that could not be made is closed too.
    _conversation: Conversation | None = None

    def __init__(self, source: PanelSource, *, name: str | None = None) -> None:
        self._source = source
        # Text and not a path: a file-backed _esm would keep every panel of a long session alive.
        super().__init__(_esm=_built(), only=name or "")
        self._let_clicks_through()
        self._publisher = publisher_of(source)
        self._conversation = self._publisher.join(self)
        self.on_msg(self._heard)
        self._publisher.start()

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if self._conversation is not None:
            self._publisher.tell(self._conversation, content)

    def show(self, cards: list[dict[str, Any]], beat: float, notice: str) -> None:
        """Bring the traits in step, in one message. For the publisher's thread alone."""
        with self.hold_sync():
            self.cards = cards
            self.beat = beat
            self.notice = notice

    def show_again(self) -> None:
        """Send the state as it is. For the publisher's thread alone."""
        self.send_state(("cards", "notice"))

    def _let_clicks_through(self) -> None:
        """
        Have clicks handled while a cell runs.

        ipykernel 7.4 sends a message of the page to the subshell that last published on its comm, and whatever a
        cell or a thread publishes counts as the main one, which is busy. It has no public way to say otherwise.
        """
        comm = getattr(self, "comm", None)
        if comm is not None and hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = lambda _data, default: default

    def close(self) -> None:
        """End the panel; the servers go on."""
        if self._conversation is not None:
            self._publisher.leave(self._conversation)
        super().close()

    def __repr__(self) -> str:
        return f"<panel of {self.only or 'all instances'}>"

    def _repr_mimebundle_(self, **words: Any) -> Any:
        bundle: Any = super()._repr_mimebundle_(**words)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        with contextlib.suppress(Exception):
            table = status_table(list(self._source.snapshots()), now=time.time())
            data["text/html"] = table._repr_html_()
            data["text/plain"] = repr(table)
        data.setdefault("text/html", f"<pre>{html.escape(repr(self))}</pre>")
        return data, metadata
