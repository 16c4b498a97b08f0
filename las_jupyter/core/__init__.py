"""
The words of the product as values: states, launch specs, snapshots, events, errors, quantities.

Imports nothing of ours and only light standard-library modules: the supervisor process lives on this room
for as long as a server runs (``docs/decisions/0002-values-are-named-tuples.md``).
"""
