"""``%las`` and ``%%las``: parse, ask the stack, show the answer."""

from las_jupyter.magics.extension import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
