"""Asking a module how it is, and what to believe of the answers."""
