"""
Where a module's program comes from on this machine: found on PATH, configured, or run by a wheel.

``find`` decides which; ``llama_server`` is a runner over the prebuilt ``xllamacpp`` wheel that takes the place
of ``llama-server`` where nothing was compiled.
"""
