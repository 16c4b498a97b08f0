"""Every knob, read once, with where its value came from."""

from las_jupyter.settings.load import load_settings

__all__ = ["load_settings"]
