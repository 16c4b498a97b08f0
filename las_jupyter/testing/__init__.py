"""Suites for those who keep a promise of ours somewhere else: subclass, say how, and pytest runs the same sentences."""

from las_jupyter.testing.backend_contract import BackendContract, Behaviour

__all__ = ["BackendContract", "Behaviour"]
