"""What a hover on a module class says: its size, what goes in and out, its layers, and how it came to be built."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.engine.result import Model, Result
from metalens.features.contexts import told
from metalens.features.layers import summary
from metalens.features.models import (
    best,
    children,
    construction,
    fails_at,
    is_shared,
    leaves,
    parameter_count,
    place,
    simple_name,
    why_not,
)
from metalens.features.source import contains
from metalens.features.words import (
    cell,
    code,
    elements,
    parameter_shape,
    params,
    shape,
    share,
    short,
    size,
    total,
    total_bytes,
)
from metalens.protocol.messages import Context, Layer, Parameter
from metalens.protocol.values import Position

MOST_ROWS = 12
MOST_CONTEXTS = 3
HEAVY = 0.5


@dataclass(frozen=True)
class _Row:
    label: str
    output: str
    count: int
    each: int
    signature: tuple[str, str, int]
    index: str
    shared: bool = False


def class_hover(result: Result, model: Model, here: Position | None = None) -> str:
    """Markdown for a module class; as it is constructed at this place, if that was seen."""
    context = _constructed(result, model, here) or best(model)
    if context is None:
        why = why_not(model, result)
        return f"**{simple_name(model.cls.qualname)}**" + (f" · {why}" if why else "")
    whole = total(context.parameters)
    head = f"**{simple_name(context.qualname)}** · {params(whole)} · {size(total_bytes(context.parameters))}"
    parts = [
        "  \n".join(line for line in (head, flow(context), _stopped(context, model, result)) if line),
        _table(context, whole),
        "  \n".join(_other_ways(model, context, result)),
        f"<sub>{provenance(context, result)}</sub>",
    ]
    return "\n\n".join(part for part in parts if part)


def _constructed(result: Result, model: Model, here: Position | None) -> Context | None:
    for context in model.contexts:
        made = context.arguments.location if context.arguments else None
        if here and made and made.file == result.file and contains(made.range, here) and context.parameters:
            return context
    return None


def flow(context: Context) -> str:
    """`[B, 3, 32, 32]` → `[B, 10]`, as far as it is known."""
    given = code(context.inputs.text) if context.inputs and context.inputs.text else ""
    if context.output is None:
        return given
    return f"{given} → {code(shape(context.output))}" if given else f"→ {code(shape(context.output))}"


def provenance(context: Context, result: Result) -> str:
    """Where arguments and inputs came from: trust comes from provenance."""
    parts = [part for part in [told(context, result)] if part]
    if context.grade == "borrowed" and not (context.inputs and context.inputs.source == "probe"):
        parts.append("assumed")
    elif context.grade == "mended":
        parts.append("some statements on the way were skipped")
    parts.append(
        f"torch {result.torch.partition('+')[0]} · meta, no memory used" if result.torch else "meta, no memory used"
    )
    return " · ".join(part.replace("<", "&lt;") for part in parts)


def _stopped(context: Context, model: Model, result: Result) -> str:
    if context.status == "traced":
        return ""
    finding = fails_at(result, model)
    if finding:
        return f"forward fails at line {finding.location.range.start.line + 1}: {finding.message}"
    return f"forward was not run: {context.reason}" if context.reason else ""


def _other_ways(model: Model, shown: Context, result: Result) -> list[str]:
    others = [
        context for context in model.contexts if context is not shown and context.status in ("traced", "instantiated")
    ]
    lines = []
    for context in others[: MOST_CONTEXTS - 1]:
        text = " · ".join(part for part in (params(total(context.parameters)), flow(context)) if part)
        where = f" from {place(context.arguments, result)}" if context.arguments else ""
        lines.append(f"also {code(construction(context))}{where}: {text}")
    hidden = len(others) - (MOST_CONTEXTS - 1)
    return [*lines, f"+{hidden} more"] if hidden > 0 else lines


def _table(context: Context, whole: int) -> str:
    rows = _rows(context)
    if not rows:
        return ""
    heaviest = max(row.count for row in rows if not row.shared)
    lines = ["| layer | output | params |", "|:--|:--|--:|"]
    before = ""
    for row in rows:
        output = "″" if row.output and row.output == before else code(row.output)
        before = row.output or before
        lines.append(f"| {cell(row.label)} | {cell(output)} | {_count(row, heaviest, whole)} |")
    return "\n".join(lines)


def _count(row: _Row, heaviest: int, whole: int) -> str:
    if row.shared:
        return f"{short(row.count)} shared"
    text = short(row.count)
    if row.count == heaviest and whole and row.count >= HEAVY * whole:
        text = f"**{text}** ({share(row.count, whole)})"
    elif row.count == heaviest and row.count:
        text = f"**{text}**"
    return f"{text} · {short(row.each)} each" if row.each != row.count else text


def _rows(context: Context) -> list[_Row]:
    """The leaves if they are few; else the direct children, with containers opened and repeated blocks folded."""
    loose = [_loose_row(parameter) for parameter in context.parameters if "." not in parameter.name]
    working = leaves(context)
    if len(working) + len(loose) <= MOST_ROWS:
        return [*loose, *(_row(context, layer) for layer in working)]
    opened: list[Layer] = []
    for layer in children(context, ""):
        inner = children(context, layer.name)
        opened.extend(inner if inner and layer.type in ("Sequential", "ModuleList", "ModuleDict") else [layer])
    rows = [*loose, *_folded([_row(context, layer) for layer in opened])]
    if len(rows) > MOST_ROWS:
        rows = [*loose, *_folded([_row(context, layer) for layer in children(context, "")])]
    if len(rows) <= MOST_ROWS:
        return rows
    hidden = rows[MOST_ROWS - 1 :]
    count = sum(row.count for row in hidden)
    return [*rows[: MOST_ROWS - 1], _Row(f"… {len(hidden)} more", "", count, count, ("", "", 0), "")]


def _row(context: Context, layer: Layer) -> _Row:
    count = parameter_count(context, layer)
    calls = f" ·{layer.calls} calls" if layer.calls > 1 else ""
    output = shape(layer.output) if layer.output else ""
    container, _, last = layer.name.rpartition(".")
    text = summary(layer)
    label, shared = f"{code(layer.name)} {text}{calls}", is_shared(context, layer)
    return _Row(label, output, count, count, (container, text, count), last, shared)


def _loose_row(parameter: Parameter) -> _Row:
    """A parameter that the class holds itself."""
    count = elements(parameter.shape)
    label = f"{code(parameter.name)} parameter {code(parameter_shape(parameter))}"
    return _Row(label, "", count, count, ("", "", 0), "")


def _folded(rows: list[_Row]) -> list[_Row]:
    """Neighbours of one container that are alike become one row: `h.0-11` Block ×12."""
    folded: list[_Row] = []
    group: list[_Row] = []
    for row in rows:
        if group and group[-1].signature == row.signature and row.index.isdigit():
            group.append(row)
            continue
        folded.extend(_fold(group))
        group = [row]
    return [*folded, *_fold(group)]


def _fold(group: list[_Row]) -> list[_Row]:
    if len(group) < 2:
        return group
    container, text, each = group[0].signature
    name = f"{container}." if container else ""
    label = f"`{name}{group[0].index}-{group[-1].index}` {text} ×{len(group)}"
    return [_Row(label, group[-1].output, each * len(group), each, group[0].signature, "")]
