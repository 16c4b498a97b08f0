"""The bytes a module wrote: stored bounded, read without reading it all, redacted on display."""
