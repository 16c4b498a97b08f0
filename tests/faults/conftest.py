"""Faults are tried on real processes in a house of their own."""

from native_house import house

__all__ = ["house"]
