"""The small process that owns exactly one instance."""
