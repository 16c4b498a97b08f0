"""Completion in a shell: ``eval "$(las-jupyter completion bash)"``."""

from __future__ import annotations

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest
from las_jupyter.display.words import nearest

SCRIPTS = {
    "bash": """\
_las_jupyter() {
  mapfile -t COMPREPLY < <(las-jupyter __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -eq 0 ]] && mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o filenames -F _las_jupyter las-jupyter""",
    "zsh": """\
_las_jupyter() {
  local -a found
  found=("${(@f)$(las-jupyter __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n ${found[1]} ]] && compadd -- $found || _files
}
compdef _las_jupyter las-jupyter""",
    "fish": """\
complete -c las-jupyter -a '(las-jupyter __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'""",
}


def completion(words: list[str]) -> int:
    """Print the script for a shell, or the candidates for the last of ``words``, one a line."""
    if words[0] == "completion":
        print(_script(words[1:]))
        return 0
    from las_jupyter.stack.completion import complete
    from las_jupyter.stack.dispatch import completion_values
    from las_jupyter.stack.verbs import default_stack

    *done, fragment = words[1:] or [""]
    for candidate in complete(done, fragment, completion_values(default_stack())):
        print(candidate.text)
    return 0


def _script(words: list[str]) -> str:
    if len(words) == 1 and words[0] in SCRIPTS:
        return SCRIPTS[words[0]]
    near = nearest(words[0], SCRIPTS) if words else None
    raise BadRequest(
        "completion takes the name of your shell.",
        cause=f"we know {', '.join(SCRIPTS)}",
        remedy=f"did you mean {word(near)}?" if near else 'for example: eval "$(las-jupyter completion bash)"',
    )
