"""
What a person reads: tables, plans, cards, logs and progress, as plain text and as HTML.

Everything here is a function of values. Text that came from a server, a model or a file is escaped in HTML and
stripped of control characters in a terminal. Every ``repr`` is the same for the same values.
"""
