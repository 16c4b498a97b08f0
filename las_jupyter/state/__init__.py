"""Where things are kept, and how they are written so that no crash leaves half of one."""
