"""What this machine has, what a model needs, and who holds a port."""
