"""What can be run: the schema, the catalog, trust."""
