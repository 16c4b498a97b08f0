"""``las-jupyter``: the same verbs in a terminal, with the same answers."""
