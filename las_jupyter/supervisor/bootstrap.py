"""
The first instructions of a supervisor, run by path:
``python -I -S bootstrap.py PARENT STATE LOGS NAME WORD EDITION FD``.

Started in a session of its own, it leaves the children of whoever started it, then imports everything it will
ever need: the package may be upgraded or deleted while a server runs.
"""

import os
import sys


def main() -> None:
    parent, state_dir, log_dir, name, word, edition, tell = sys.argv[1:8]
    if os.fork():
        os._exit(0)  # the kernel reaps us at once, and the supervisor is nobody's child
    sys.path.insert(0, parent)
    try:
        from las_jupyter.supervisor.main import supervise
    finally:
        sys.path.remove(parent)
    supervise(state_dir, log_dir, name, word, edition, int(tell))


if __name__ == "__main__":
    main()
