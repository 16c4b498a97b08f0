"""The side of the clients: spawn supervisors, read their state, follow them, command them."""
