"""What a hover on a layer says: torch's own text, each parameter in words, what goes in and out, and why."""

from __future__ import annotations

from itertools import groupby

from metalens.engine.result import Model, Result
from metalens.features.layers import explanation, output_formulas, own_name, parameter_words, summary
from metalens.features.models import (
    OPAQUE,
    best,
    children,
    find_layer,
    is_shared,
    parameter_count,
    parameters_of,
    why_not,
)
from metalens.features.source import Source
from metalens.features.words import code, counted, dimensions, elements, parameter_shape, params, shape, share, total
from metalens.protocol.messages import Context, Layer, Parameter
from metalens.protocol.values import Value
from metalens.resolve.classes import LayerDefinition

MOST_CHILDREN = 12
MOST_LINES = 12
MOST_CALLS = 3


def layer_hover(result: Result, source: Source, model: Model, path: str, call: tuple[Value, ...] = ()) -> str | None:
    """Markdown for the layer at a dotted path of a class, or None if there is none. `call`: what a call here gave."""
    context = best(model)
    layer = find_layer(context, path) if context else None
    loose = next((p for p in (*context.parameters, *context.buffers) if p.name == path), None) if context else None
    if context and loose:
        return _parameter_hover(context, loose)
    if context is None or layer is None:
        definition = next((item for item in model.cls.layers if item.attribute == path), None)
        return _not_built(result, source, model, definition) if definition else None
    inner = children(context, layer.name)
    own = parameters_of(context, layer) if layer.type in OPAQUE else layer.parameters
    lines = [
        _title(layer, folded=bool(inner)),
        _flow(layer, call),
        *_other_contexts(model, context, layer),
        "",
        *_parameter_lines(layer, own),
        *_child_lines(context, inner),
        _count(context, layer),
        *output_formulas(layer),
    ]
    return _paragraphs([*lines, "", *explanation(layer)])


def parameter_line(layer: Layer, parameter: Parameter) -> str:
    """`weight [20, 10] = out_features × in_features`."""
    words = parameter_words(layer, parameter)
    shown = f"{own_name(layer, parameter)} {parameter_shape(parameter)}"
    return f"`{shown} = {words}`" if words else f"`{shown}`"


def _paragraphs(lines: list[str]) -> str:
    """Lines as Markdown that breaks where they do; empty ones part paragraphs."""
    groups = (list(group) for filled, group in groupby(lines, key=bool) if filled)
    return "\n\n".join("  \n".join(group) for group in groups)


def _parameter_lines(layer: Layer, own: tuple[Parameter, ...]) -> list[str]:
    lines = [parameter_line(layer, parameter) for parameter in own]
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], f"… {len(lines) - MOST_LINES} more"]


def _parameter_hover(context: Context, parameter: Parameter) -> str:
    """A tensor that the class holds itself, learned or not."""
    learned = parameter in context.parameters
    kind = "Parameter" if learned else "buffer, not learned"
    count = elements(parameter.shape)
    told = f"{params(count)} ({share(count, total(context.parameters))} of the model)" if learned else ""
    return _paragraphs([f"{code(parameter.name)} **{dimensions(parameter.shape)}** {parameter.dtype} · {kind}", told])


def _title(layer: Layer, *, folded: bool) -> str:
    """The layer's name and torch's own text; of a layer that holds others only the type, since they follow."""
    name, opening, rest = layer.repr.partition("(")
    if folded or not opening or name != layer.type:
        return f"{code(layer.name)} **{layer.type}**"
    return f"{code(layer.name)} **{name}**{_escaped(opening + rest)}"


def _flow(layer: Layer, call: tuple[Value, ...]) -> str:
    if not layer.calls or layer.output is None:
        return ""
    given = ", ".join(code(shape(value)) for value in layer.inputs if value.kind != "other")
    text = f"{given} → {code(shape(layer.output))}" if given else f"→ {code(shape(layer.output))}"
    if call and call[0] != layer.output and call[0].kind == "tensor":
        text += f" · here → {code(shape(call[0]))}"
    return text if layer.calls == 1 else f"{text} · {counted(layer.calls, 'call')}, the first is shown"


def _other_contexts(model: Model, shown: Context, layer: Layer) -> list[str]:
    """How else the layer is called when the class is built or called in other ways."""
    flows: dict[str, None] = {}
    for context in model.contexts:
        other = find_layer(context, layer.name)
        if context is not shown and other and other.calls and other.output:
            flow = f"{', '.join(code(shape(value)) for value in other.inputs)} → {code(shape(other.output))}"
            if (other.inputs, other.output) != (layer.inputs, layer.output):
                flows[flow] = None
    shown_flows = list(flows)[: MOST_CALLS - 1]
    if not shown_flows:
        return []
    more = f", +{len(flows) - len(shown_flows)}" if len(flows) > len(shown_flows) else ""
    return [f"elsewhere {', '.join(shown_flows)}{more}"]


def _child_lines(context: Context, inner: tuple[Layer, ...]) -> list[str]:
    """A line for each layer inside; neighbours that are alike share one: `0-11` Block ×12."""
    rows: list[str] = []
    for told, group in groupby(inner, key=lambda layer: _child_words(context, layer)):
        names = [layer.name.rpartition(".")[2] for layer in group]
        words, details = told
        if len(names) == 1:
            rows.append(" · ".join((f"{code(names[0])} {words}", *details)))
        else:
            rows.append(" · ".join((f"{code(f'{names[0]}-{names[-1]}')} {words} ×{len(names)}", *details)))
    return rows if len(rows) <= MOST_CHILDREN else [*rows[:MOST_CHILDREN], f"… {len(rows) - MOST_CHILDREN} more"]


def _child_words(context: Context, layer: Layer) -> tuple[str, tuple[str, ...]]:
    count = parameter_count(context, layer)
    details = (code(shape(layer.output)) if layer.output else "", params(count) if count else "")
    return summary(layer), tuple(part for part in details if part)


def _count(context: Context, layer: Layer) -> str:
    own = parameter_count(context, layer)
    if not own:
        return "no parameters"
    if is_shared(context, layer):
        return f"{params(own)}, shared with another layer"
    whole = total(context.parameters)
    return f"{params(own)} ({share(own, whole)} of the model)" if whole else params(own)


def _not_built(result: Result, source: Source, model: Model, definition: LayerDefinition) -> str:
    why = why_not(model, result)
    text = f"{code(definition.attribute)} **{definition.type}** · {code(source.slice(definition.value))}"
    return f"{text}\n\nNot built: {why}" if why else text


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "*<`" else c for c in text)
