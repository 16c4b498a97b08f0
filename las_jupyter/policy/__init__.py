"""What a site allows, most restrictive wins."""
