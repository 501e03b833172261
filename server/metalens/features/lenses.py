"""Lenses above each module class: its size and what goes in and out, or calmly why that is not known; and says who."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.engine.result import Model, Result
from metalens.features.contexts import told
from metalens.features.models import best, fails_at, why_not
from metalens.features.words import params, shape, size, total, total_bytes
from metalens.protocol.messages import Context
from metalens.protocol.values import Range

LONGEST = 160


@dataclass(frozen=True)
class Lens:
    """A line of text above `range`; a click asks how the class `about` shall be built, if it names one."""

    text: str
    range: Range
    about: str = ""


def lenses(result: Result) -> tuple[Lens, ...]:
    """A lens for every class of which there is something to say."""
    found = ((_text(result, model), model.cls.name) for model in result.models)
    return tuple(Lens(_cut(text), place) for text, place in found if text)


def provenance_lenses(result: Result, *, offered: bool) -> tuple[Lens, ...]:
    """A lens for every class that was built: how, and who says so. `offered`: a click can change that."""
    found = []
    for model in result.models:
        context = best(model)
        text = told(context, result) if context else ""
        if not text and offered and model.contexts:
            text = "say how it is built"
        others = len(model.contexts) - 1
        more = f" · +{others} more" if text and others > 0 else ""
        found.append(Lens(_cut(text, len(more)) + more, model.cls.name, model.cls.qualname if offered else ""))
    return tuple(lens for lens in found if lens.text)


def _cut(text: str, room: int = 0) -> str:
    return text if len(text) <= LONGEST - room else text[: LONGEST - room - 1] + "…"


def _text(result: Result, model: Model) -> str:
    context = best(model)
    if context is None:
        return why_not(model, result)
    parts = []
    if context.parameters or context.status != "failed":
        parts = [params(total(context.parameters)), size(total_bytes(context.parameters))]
    return " · ".join(part for part in (*parts, _flow(result, model, context), _assumed(context)) if part)


def _flow(result: Result, model: Model, context: Context) -> str:
    mistake = fails_at(result, model)
    if mistake is not None:
        return f"fails at line {mistake.location.range.start.line + 1}"
    if context.status != "traced":
        return context.reason
    output = shape(context.output) if context.output else "nothing"
    if context.inputs is None or not context.inputs.text:
        return f"→ {output}"
    works = "works for " if context.inputs.source == "probe" else ""
    return f"{works}{context.inputs.text} → {output}"


def _assumed(context: Context) -> str:
    """What of it is our assumption."""
    invented = context.arguments is not None and context.arguments.source == "invented"
    return "assumed arguments" if context.grade == "borrowed" and invented else ""
