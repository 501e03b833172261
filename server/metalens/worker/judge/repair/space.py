"""Height, width and length: the geometry of layers, resizing in forward, and the size of the images that come in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

from torch import nn

from metalens.protocol.messages import Edit, Fix
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake, layer_word
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.lineage import FACTORIES, operation_of
from metalens.worker.judge.repair.edits import add_keyword, fix, literal
from metalens.worker.judge.repair.near import constructions, origins
from metalens.worker.judge.repair.sizes import change_value
from metalens.worker.judge.rules.products import operand_nodes
from metalens.worker.judge.source import Source, source_of

_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_USUAL = (224, 256, 128, 64, 32, 28)
_SETTINGS = ("kernel_size", "stride", "padding", "dilation")
_LEAST = 8
_MOST_SIZES, _MOST_CONVS = 5, 3


def fitting_geometry(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """One kernel, stride or padding by which the sizes in conflict come out alike."""
    wanted = _difference(mistake)
    for layer, argument, new in _geometries(case, mistake):
        if wanted and abs(_change(case, layer, argument, new)) == wanted:
            yield from _changed(case, layer, argument, new)


def geometry(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Padding that keeps the size, then kernel, stride and padding one more or less, of the layers before."""
    for layer, argument, new in _geometries(case, mistake):
        yield from _changed(case, layer, argument, new)


def _geometries(case: Case, mistake: Mistake) -> Iterator[tuple[Any, str, int]]:
    modules = [built.module for built in constructions(case, mistake)]
    found = [each for each in modules if torchkind.is_conv(each) or isinstance(each, _POOLS)]
    for layer in found:
        same = _same_padding(layer)
        if same is not None:
            yield layer, "padding", same
    for layer in found:
        for argument in ("kernel_size", "stride", "padding"):
            value = _first(getattr(layer, argument, None))
            for new in (value + 1, value - 1) if value is not None else ():
                if new > 0 or (new == 0 and argument == "padding"):
                    yield layer, argument, new
        if torchkind.is_transposed(layer):
            added, most = _first(layer.output_padding) or 0, max(1, (_first(layer.stride) or 1) - 1)
            yield layer, "output_padding", most if added == 0 or added > most else 0


def _difference(mistake: Mistake) -> int:
    """By how much the heights or widths of the operands differ."""
    one, other = mistake.tensor, mistake.other
    if one is None or other is None or one.dim() != other.dim() or one.dim() < 3:
        return 0
    return max(abs(int(a) - int(b)) for a, b in zip(one.shape[2:], other.shape[2:]))


def _change(case: Case, layer: Any, argument: str, new: int) -> int:
    """By how much the last size that a layer gives changes with one of its settings."""
    size = next((int(o.inputs[0].shape[-1]) for o in case.facts.origins.values() if o.module is layer and o.inputs), 0)
    settings = {name: _first(getattr(layer, name, None)) or 0 for name in (*_SETTINGS, "output_padding")}
    settings["dilation"] = settings["dilation"] or 1
    return _given(layer, size, {**settings, argument: new}) - _given(layer, size, settings)


def _given(layer: Any, size: int, settings: dict[str, int]) -> int:
    kernel, stride, padding, dilation = (settings[name] for name in _SETTINGS)
    spread = dilation * (kernel - 1)
    if torchkind.is_transposed(layer):
        return (size - 1) * stride - 2 * padding + spread + settings["output_padding"] + 1
    return (size + 2 * padding - spread - 1) // max(stride, 1) + 1


def interpolated(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """One operand brought to the height and width of the other: `F.interpolate(y, size=x.shape[2:])`."""
    left, right = mistake.other, mistake.tensor
    if left is None or right is None or left.dim() != right.dim() or not 4 <= left.dim() <= 5:
        return
    widths = {int(left.shape[1]), int(right.shape[1])}
    if case.name not in ("cat", "concat", "concatenate") and len(widths - {1}) > 1:
        return
    if tuple(left.shape[2:]) == tuple(right.shape[2:]) or left.shape[0] != right.shape[0]:
        return
    source, nodes = source_of(case.facts, case.location.file), _operands(case)
    if len(nodes) != 2:
        return
    call = _interpolate(source)
    for node, other in (nodes[::-1], nodes):
        if isinstance(other, (ast.Name, ast.Attribute)):
            text = f"{call}({source.text_of(node)}, size={source.text_of(other)}.shape[2:])"
            yield fix(f"Use {text}" if len(text) <= 64 else f"Use {call}(…)", source.replace(node, text))


def image_size(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another height and width for an image that is made in the script: one of the others', round, or usual."""
    made = [origin for origin in origins(case, mistake) if origin.module is None and operation_of(origin) in FACTORIES]
    calls = [(source_of(case.facts, o.location.file), o.location) for o in made]
    sizes = [_image(source, source.call_at(location.range)) for source, location in calls]
    known = [value for _, value in filter(None, sizes)]
    for (source, _), found in zip(calls, sizes):
        if found is None:
            continue
        nodes, old = found
        others = [value for value in known if value != old]
        for new in dict.fromkeys([*others, *_round(old)]):
            if all(literal(node) is not None for node in nodes):
                edits: tuple[Edit, ...] = tuple(source.replace(node, str(new)) for node in nodes)
                yield fix(f"Make the input {' × '.join([str(new)] * len(nodes))} pixels", *edits)
            else:
                yield from change_value(case, source, nodes[0], old, new)


def round_sizes(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another whole number for an argument near the mistake: the nearest multiples of eight."""
    for built in constructions(case, mistake):
        for node in (*built.call.args, *(keyword.value for keyword in built.call.keywords)):
            value = literal(node)
            if value is None or value < _LEAST or value % 8 == 0:
                continue
            for new in sorted({value // 8 * 8, value // 8 * 8 + 8} - {0}, key=lambda n: abs(n - value)):
                title = f"Change {built.source.text_of(node)} to {new} in {layer_word(case, built.module)}"
                yield fix(title, built.source.replace(node, str(new)))


def same_space(case: Case, tensor: Any, dim: int, wanted: int) -> Iterator[Fix]:
    """Padding or a kernel with which a convolution behind `tensor` gives the wanted height, width or length.

    One that changes the size is more likely the mistake than those behind it, which kept it.
    """
    steps: list[tuple[bool, Any, int, int]] = []
    for step in case.lineage(tensor, dim).steps:
        layer = step.origin.module
        if not torchkind.is_conv(layer) or torchkind.is_transposed(layer) or not step.origin.inputs:
            continue
        place = dim - (tensor.dim() - len(layer.kernel_size))
        if place < 0 or step.tensor.dim() != tensor.dim():
            break
        size = int(step.origin.inputs[0].shape[dim])
        steps.append((size == int(step.tensor.shape[dim]), layer, place, size))
    for keeps, layer, place, size in sorted(steps, key=lambda each: each[0])[:_MOST_CONVS]:
        if not isinstance(layer.padding, tuple):
            continue
        settings = {name: int(getattr(layer, name)[place]) for name in _SETTINGS}
        kernel = settings["kernel_size"]
        for padding in range(0, settings["dilation"] * kernel + 1):
            if _given(layer, size, {**settings, "padding": padding}) == wanted:
                yield from _padded(case, layer, padding)
                break
        for new in range(1, kernel + 3) if not keeps else ():
            if _given(layer, size, {**settings, "kernel_size": new}) == wanted:
                yield from _changed(case, layer, "kernel_size", new)


def collapsed(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Padding, or a kernel no larger than its input; or a larger input."""
    layer = mistake.layer
    if layer is not None and mistake.expected and mistake.given is not None:
        if torchkind.is_conv(layer):
            yield from _padded(case, layer, mistake.expected // 2)
        slot = slot_of(case.facts, layer, "kernel_size")
        if slot is not None and slot.node is not None and mistake.given > 0:
            yield fix(
                f"Change kernel_size of {layer_word(case, layer)} to {mistake.given}",
                slot.source.replace(slot.node, str(mistake.given)),
            )
        if isinstance(layer, (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)) and slot is not None:
            yield fix(
                f"Add ceil_mode=True to {layer_word(case, layer)}",
                add_keyword(slot.source, slot.call, "ceil_mode=True"),
            )


def _padded(case: Case, layer: Any, padding: int) -> Iterator[Fix]:
    slot = slot_of(case.facts, layer, "padding")
    if slot is None:
        return
    word = layer_word(case, layer)
    if slot.node is None:
        yield fix(f"Add padding={padding} to {word}", add_keyword(slot.source, slot.call, f"padding={padding}"))
    else:
        yield fix(f"Change padding of {word} to {padding}", slot.source.replace(slot.node, str(padding)))


def _changed(case: Case, layer: Any, argument: str, new: Optional[int]) -> Iterator[Fix]:
    old = _first(getattr(layer, argument, None))
    slot = slot_of(case.facts, layer, argument)
    if slot is None or new is None or new == old:
        return
    word = layer_word(case, layer)
    if slot.node is None:
        if argument != "stride" or torchkind.is_conv(layer):
            yield fix(f"Add {argument}={new} to {word}", add_keyword(slot.source, slot.call, f"{argument}={new}"))
        return
    text = str(new)
    if isinstance(slot.node, (ast.Tuple, ast.List)):
        text = f"({', '.join([text] * len(slot.node.elts))})"
    elif literal(slot.node) is None:
        kernel = slot_of(case.facts, layer, "kernel_size") if argument == "padding" else None
        if kernel is not None and kernel.node is not None and isinstance(kernel.node, (ast.Name, ast.Attribute)):
            yield from _half_of_the_kernel(case, layer, kernel.node, slot.node, new)
        yield from change_value(case, slot.source, slot.node, old or 0, new)
    yield fix(f"Change {argument} of {word} to {text}", slot.source.replace(slot.node, text))


def _half_of_the_kernel(case: Case, layer: Any, kernel: ast.expr, node: ast.expr, new: int) -> Iterator[Fix]:
    """`kernel // 2`, where that is the padding; for all layers that were built there."""
    slot = slot_of(case.facts, layer, "padding")
    if slot is not None and (_first(layer.kernel_size) or 0) // 2 == new:
        text = f"{slot.source.text_of(kernel)} // 2"
        yield fix(f"Change padding of {layer_word(case, layer)} to {text}", slot.source.replace(node, text))


def _same_padding(layer: Any) -> Optional[int]:
    kernel, stride = _first(layer.kernel_size), _first(getattr(layer, "stride", 1))
    if kernel is None or kernel % 2 == 0 or torchkind.is_transposed(layer):
        return 1 if kernel == 4 and stride == 2 else None
    return kernel // 2 * (_first(getattr(layer, "dilation", 1)) or 1)


def _first(value: Any) -> Optional[int]:
    if isinstance(value, (tuple, list)) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _operands(case: Case) -> list[ast.expr]:
    node = case.node()
    if isinstance(node, ast.Call) and case.name in ("cat", "concat", "concatenate") and node.args:
        parts = node.args[0]
        return list(parts.elts) if isinstance(parts, (ast.Tuple, ast.List)) else []
    return operand_nodes(node)


def _interpolate(source: Source) -> str:
    """How the file at hand can call `interpolate`, with the names that it has imported."""
    known: dict[str, str] = {}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            known.update({alias.name: alias.asname or alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module:
            known.update({f"{node.module}.{alias.name}": alias.asname or alias.name for alias in node.names})
    for module, rest in (("torch.nn.functional", ""), ("torch.nn", ".functional"), ("torch", ".nn.functional")):
        if module in known:
            return f"{known[module]}{rest}.interpolate"
    return "torch.nn.functional.interpolate"


def _image(source: Source, call: Optional[ast.Call]) -> Optional[tuple[list[ast.expr], int]]:
    """The arguments that hold the height and width, alike in the source, and their value (0 if it is no literal)."""
    if call is None:
        return None
    sizes = next((list(a.elts) for a in call.args if isinstance(a, (ast.Tuple, ast.List))), list(call.args))
    if len(sizes) < 3 or any(isinstance(size, ast.Starred) for size in sizes):
        return None
    last = source.text_of(sizes[-1])
    nodes = [size for size in sizes[2:] if source.text_of(size) == last]
    value = literal(sizes[-1])
    if value is None:
        value = _value_of(source, sizes[-1])
    return (nodes, value) if value is not None and value >= _LEAST else None


def _value_of(source: Source, node: ast.expr) -> Optional[int]:
    """The number that a variable was given, where that is written down once."""
    if not isinstance(node, ast.Name):
        return None
    values = [
        n.value
        for n in source.nodes
        if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.id for t in n.targets)
    ]
    return literal(values[0]) if len(values) == 1 else None


def _round(old: int) -> list[int]:
    near = [(old + 31) // 32 * 32, old // 32 * 32, old // 2, old * 2, (old + 15) // 16 * 16, *_USUAL]
    return [new for new in dict.fromkeys(near) if new >= _LEAST and new != old][:_MOST_SIZES]
