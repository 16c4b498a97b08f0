"""A start plan with its reasons, as text and as HTML."""

from __future__ import annotations

import shlex

from las_jupyter.core.advice import Say, word
from las_jupyter.core.launch import Decision, Mount
from las_jupyter.core.quantities import format_size
from las_jupyter.core.request import StartPlan
from las_jupyter.core.secrecy import FROM_ENV, hide_in, hide_values, hide_words
from las_jupyter.core.states import Mode, Trust
from las_jupyter.display import html
from las_jupyter.display.words import one_line, plain


class ReadablePlan(StartPlan):
    """A ``StartPlan`` that a cell shows with every decision and its reason."""

    __slots__ = ()

    def __repr__(self) -> str:
        return plan_text(self)

    def told(self, say: Say) -> str:
        """The plan as text, its advice as ``say`` writes it."""
        return plan_text(self, say)

    def _repr_html_(self) -> str:
        return plan_html(self)


def plan_text(plan: StartPlan, say: Say = str) -> str:
    """The plan as lines: what would run, then each decision with its reason and what was passed over."""
    lines = [f"Plan for {plan.spec.name}: {plan.spec.module} in {plan.spec.mode} mode. Nothing was started."]
    lines += [f"  {name:<10} {value}" for name, value in _facts(plan)]
    if plan.decisions:
        lines.append("Decisions")
    for decision in plan.decisions:
        lines.append(f"  {decision.subject:<10} {one_line(decision.choice)}: {hide_in(one_line(decision.reason))}")
        lines += [f"  {'':<10}   not {one_line(other)}: {one_line(why)}" for other, why in decision.passed_over.items()]
    lines += [f"Would fetch first: {text}" for text in plan.downloads]
    lines += [f"Would start first: {name}" for name in plan.requires]
    lines += [f"Warning: {one_line(say(text))}" for text in plan.warnings]
    lines += [say(text) for text in (other_mode(plan),) if text]
    return plain("\n".join(lines))


_OTHER_MODE = {
    Mode.NATIVE: "In a container instead: no capabilities, a read-only file system, limits that the engine enforces.",
    Mode.CONTAINER: "Natively instead: a process of yours with your rights and your files, and no image to fetch.",
}


def other_mode(plan: StartPlan) -> str:
    """One line on the mode that was not chosen, and how to compare; empty where it is not possible, which is said."""
    mode = plan.spec.mode
    if any(each.subject == "mode" and each.passed_over for each in plan.decisions):
        return ""
    if mode is Mode.CONTAINER and plan.spec.manifest and plan.spec.manifest.trust is Trust.UNTRUSTED:
        return ""
    model = f" --model {word(plan.request.model)}" if plan.request.model else ""
    return f"{_OTHER_MODE[mode]} Side by side: %las plan {word(plan.request.module)}{model} --compare"


def _facts(plan: StartPlan) -> list[tuple[str, str]]:
    spec = plan.spec
    address = "0.0.0.0" if spec.exposed else "127.0.0.1"  # noqa: S104 - shown, not bound
    ports = ", ".join(f"{port.name} {address}:{port.host}" for port in spec.ports)
    limits = [format_size(spec.limits.memory)] if spec.limits.memory else []
    limits += [f"{spec.limits.cpus:g} cores"] if spec.limits.cpus else []
    limits += [f"{format_size(spec.limits.shm)} of shared memory"] if spec.limits.shm else []
    facts = [
        ("command", shlex.join(hide_words(spec.argv))),
        ("image", spec.container.image if spec.container else ""),
        ("model", spec.model or ""),
        ("sees", ", ".join(map(_mount, spec.mounts)) if spec.container else ""),
        ("ports", ports),
        ("env", " ".join(f"{name}={value}" for name, value in hide_values(spec.env).items())),
        ("secrets", ", ".join(secret.name.removeprefix(FROM_ENV) for secret in spec.secrets)),
        ("gpus", ", ".join(spec.gpus.ids) or "none"),
        ("limits", ", ".join(limits)),
        ("lifetime", spec.lifetime.value),
    ]
    return [(name, hide_in(one_line(value))) for name, value in facts if value]


def _mount(mount: Mount) -> str:
    return f"{mount.source} as {mount.target}, {'to write' if mount.writable else 'to read'}"


def plan_html(plan: StartPlan) -> str:
    """The same content as ``plan_text``."""
    title = f"Plan for {plan.spec.name}: {plan.spec.module} in {plan.spec.mode} mode"
    parts = [
        html.tag("div", html.tag("b", title), " – nothing was started"),
        html.grid(("", ""), _facts(plan)),
        html.grid(("decision", "choice", "because", "passed over"), [_decision(each) for each in plan.decisions]),
    ]
    parts += [html.tag("div", f"Would fetch first: {text}") for text in plan.downloads]
    parts += [html.tag("div", f"Would start first: {name}") for name in plan.requires]
    parts += [html.tag("div", html.coloured("unhealthy", "▲ "), one_line(text)) for text in plan.warnings]
    parts += [html.tag("div", text, style="color:#616161") for text in (other_mode(plan),) if text]
    return html.tag("div", *parts, class_="las-plan")


def _decision(decision: Decision) -> tuple[str, ...]:
    others = "; ".join(f"{other}: {why}" for other, why in decision.passed_over.items())
    return decision.subject, one_line(decision.choice), hide_in(one_line(decision.reason)), one_line(others)
