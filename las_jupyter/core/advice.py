"""
Advice is a command that a person copies and runs, so each word in it that we did not write ourselves is made safe here.

A path, an image or a model's name may have been written by a stranger: one that holds ``$(…)`` or ``;`` must reach the
program that it names and nobody else.
"""

from __future__ import annotations

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+:,./-=")
_LONGEST_QUOTE = 300
_HIDDEN = "?"
"""What stands for a character that cannot be seen or typed; the command then names nothing, which is harmless."""


def word(value: object) -> str:
    """``value`` as one word of a shell's command line and of a magic's, on one line, with nothing in it that acts."""
    text = "".join(letter if letter.isprintable() else _HIDDEN for letter in str(value))
    if text and _PLAIN.issuperset(text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def their_words(text: str) -> str:
    """
    ``text`` of a manifest that nobody trusts, as a clause that says whose words they are.

    It may stand in a cause, never as the remedy: what is advised there people copy and run.
    """
    shown = "".join(letter if letter.isprintable() else _HIDDEN for letter in " ".join(text.split()))
    return f"its manifest says: “{shown[:_LONGEST_QUOTE]}”"
