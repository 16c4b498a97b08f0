"""
The first instructions of a supervisor, run by path:
``python -I [-S] bootstrap.py PARENT STATE LOGS NAME WORD EDITION FD``.

Started in a session of its own, it leaves the children of whoever started it, then imports everything it will
ever need: the package may be upgraded or deleted while a server runs.
"""

import os
import sys


def _become_lean() -> None:
    """Put our few lines in the place of ``typing``; by its own folder, since the package itself imports ``typing``."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    try:
        import lean_typing  # type: ignore[import-not-found]

        sys.modules["typing"] = lean_typing
    finally:
        sys.path.remove(here)


def main() -> None:
    parent, state_dir, log_dir, name, word, edition, tell = sys.argv[1:8]
    try:
        child = os.fork()
    except OSError as error:
        import json  # only now: every start would pay for it before the fork

        said = {"ok": False, "message": f"The supervisor of {name} could not be started.", "cause": error.strerror}
        os.write(int(tell), json.dumps({**said, "remedy": "%las status"}).encode() + b"\n")
        os._exit(1)
    if child:
        os._exit(0)  # the kernel reaps us at once, and the supervisor is nobody's child
    if sys.flags.no_site and "typing" not in sys.modules:
        _become_lean()
    sys.path.insert(0, parent)
    try:
        from las_jupyter.supervisor.main import supervise
    finally:
        sys.path.remove(parent)
    supervise(state_dir, log_dir, name, word, edition, int(tell))


if __name__ == "__main__":
    main()
