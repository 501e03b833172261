"""Hover: what is at a place, told from the latest Result."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.engine.result import Model, Result
from metalens.features.explanation import explanation
from metalens.features.hover_class import class_hover
from metalens.features.hover_layer import layer_hover
from metalens.features.hover_tensor import expression_at, tensor_hover
from metalens.features.models import class_around, class_at, class_named
from metalens.features.source import Dotted, Source, contains, read_source
from metalens.protocol.values import Position, Range, Value
from metalens.resolve.classes import LayerDefinition


@dataclass(frozen=True)
class Hover:
    """Markdown, and the range that it speaks of."""

    markdown: str
    range: Range


def hover(result: Result, position: Position) -> Hover | None:
    """What is known at a place of the analysed text: why something is wrong, then a class, a layer or a value."""
    source = read_source(result.text)
    found = _class(result, source, position) or _layer(result, source, position) or _value(result, source, position)
    wrong = [finding for finding in result.findings if contains(finding.location.range, position)]
    texts = [text for text in (*map(explanation, wrong), found.markdown if found else "") if text]
    if not texts:
        return None
    return Hover("\n\n---\n\n".join(texts), found.range if found else wrong[0].location.range)


def _class(result: Result, source: Source, position: Position) -> Hover | None:
    model = class_at(result, position)
    if model is not None:
        return Hover(class_hover(result, model), model.cls.name)
    dotted = source.dotted_at(position)
    if dotted is None or not dotted.called:
        return None
    model = class_named(result, dotted.parts[-1])
    return Hover(class_hover(result, model, position), dotted.range) if model else None


def _layer(result: Result, source: Source, position: Position) -> Hover | None:
    defined = _definition(result, source, position)
    if defined is not None:
        model, layer, place = defined
        text = layer_hover(result, source, model, layer.attribute)
        return Hover(text, place) if text else None
    dotted = source.dotted_at(position)
    if dotted is None:
        return None
    if dotted.parts[0] != "self" or len(dotted.parts) < 2:
        return _constructed(result, source, dotted, position)
    around = class_around(result, source, position.line)
    if around is None:
        return None
    text = layer_hover(result, source, around, ".".join(dotted.parts[1:]), _call_value(result, dotted))
    return Hover(text, dotted.range) if text else None


def _definition(result: Result, source: Source, position: Position) -> tuple[Model, LayerDefinition, Range] | None:
    """The layer whose definition is here: on its target, or on the name of what is constructed."""
    for model in result.models:
        for layer in model.cls.layers:
            if contains(layer.target, position):
                return model, layer, layer.target
            callee = _callee(source, layer)
            if contains(callee, position):
                return model, layer, callee
    return None


def _constructed(result: Result, source: Source, dotted: Dotted, position: Position) -> Hover | None:
    """The layer that is constructed here, wherever the call stands: in a Sequential, in a list, in a loop."""
    if not dotted.called:
        return None
    made = [
        (layer.defined.range, model, layer.name)
        for model in result.models
        for context in model.contexts[:1]
        for layer in context.layers
        if layer.defined and layer.defined.file == result.file and contains(layer.defined.range, position)
        if layer.type == dotted.parts[-1]
    ]
    if not made:
        return None
    _, model, name = max(made, key=lambda item: (item[0].start.line, item[0].start.column))
    text = layer_hover(result, source, model, name)
    return Hover(text, dotted.range) if text else None


def _callee(source: Source, layer: LayerDefinition) -> Range:
    text = source.slice(layer.value)
    start = layer.value.start
    return Range(start, Position(start.line, start.column + len(text.partition("(")[0])))


def _call_value(result: Result, dotted: Dotted) -> tuple[Value, ...]:
    """What the call of this very layer gave here."""
    if not dotted.called:
        return ()
    expression = expression_at(result, dotted.range.end)
    return expression.values if expression else ()


def _value(result: Result, source: Source, position: Position) -> Hover | None:
    expression = expression_at(result, position)
    return Hover(tensor_hover(result, source, expression), expression.range) if expression else None
