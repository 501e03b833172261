"""Inputs of `forward` that nobody gave: guessed from names and layers, repaired by what the first consumers say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import contains_unknown
from metalens.worker.trace.operators import SURPLUS
from metalens.worker.trace.patterns import layer_of, shape_for
from metalens.worker.trace.written import are_integers, sizes_of, taken_apart, written_shapes

_SPLIT = re.compile(r"split_sizes to sum exactly to (\d+) .*dimension (-?\d+)\), but got split_sizes=\[([\d, ]+)\]")
_SIZES = (64, 32, 28, 224, 96, 128, 256, 16, 48, 227, 299, 384, 512, 8)
_MOST_TRIES = 40
_TOKENS = re.compile(r"ids?$|token|idx|index|indices|label|target|input_ids|src$|tgt$|seq$|words|text", re.IGNORECASE)
_TARGET = re.compile(r"target|label|truth|(^|_)(gt|true|y)($|_)", re.IGNORECASE)
_TIMES = re.compile(r"^(t|time|times|timestep|timesteps|time_step|sigma|noise_level)$")
_OPTIONAL = re.compile(r"mask|hidden|state|cache|past|bias", re.IGNORECASE)
_SEQUENCE = re.compile(r"attention|attn|transformer|encoder|decoder|token|seq|block|mlp|feed", re.IGNORECASE)


@dataclass(frozen=True)
class Spec:
    """One tensor to make: its sizes, and whether it holds integers."""

    shape: tuple[int, ...]
    integer: bool = False

    def make(self) -> torch.Tensor:
        """The meta tensor."""
        return torch.empty(self.shape, dtype=torch.int64 if self.integer else torch.float32, device="meta")


@dataclass(frozen=True)
class Attempt:
    """What came of a probe: the inputs that worked (or the last ones) and the error that stopped it."""

    specs: dict[str, Optional[Spec]]
    error: Optional[BaseException]

    def inputs(self) -> dict[str, Any]:
        """Keyword arguments of forward."""
        return {name: spec.make() if spec else None for name, spec in self.specs.items()}


Run = Callable[["dict[str, Any]"], Optional[BaseException]]
Blame = Callable[[BaseException], "Optional[tuple[Any, tuple[Any, ...]]]"]


def first_specs(module: torch.nn.Module) -> Optional[dict[str, Optional[Spec]]]:
    """A first guess for each required input; None when forward takes something that no tensor can be."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):
        return None
    names = []
    for name, part in signature.parameters.items():
        if part.kind in (part.VAR_KEYWORD, part.VAR_POSITIONAL):
            continue
        if part.default is part.empty:
            names.append((name, inspect.formatannotation(part.annotation) if _is_told(part.annotation) else ""))
    return specs_of(module, names)


def specs_of(module: torch.nn.Module, names: Sequence[tuple[str, str]]) -> dict[str, Optional[Spec]]:
    """A first guess for each of what is given by this name, with this annotation."""
    return {
        name: _guess_more(module, name, annotation) if index else _guess(module, name, annotation)
        for index, (name, annotation) in enumerate(names)
    }


def _is_told(annotation: Any) -> bool:
    return not contains_unknown(annotation) and annotation is not inspect.Parameter.empty


def written_specs(module: torch.nn.Module, specs: dict[str, Optional[Spec]]) -> dict[str, Optional[Spec]]:
    """A first guess, with the shapes that people wrote down for it."""
    said = written_shapes(module.forward, list(specs))
    found = dict(specs)
    for name, sizes in sizes_of(module, said).items():
        spec, whole = specs[name], are_integers(said[name][1])
        found[name] = Spec(sizes, whole if whole is not None else spec is not None and spec.integer)
    return found


def compared(specs: dict[str, Optional[Spec]]) -> Iterator[dict[str, Optional[Spec]]]:
    """A prediction and its target, if the names say so: classes, numbers, classes of pixels."""
    given = next(iter(specs), "")
    targets = [name for name in specs if name != given and _TARGET.search(name)]
    if len(targets) == 1:
        for sizes, target in (
            (Spec((2, 10)), Spec((2,), True)),
            (Spec((2, 10)), Spec((2, 10))),
            (Spec((2, 3, 64, 64)), Spec((2, 64, 64), True)),
            (Spec((2, 3, 64, 64)), Spec((2, 3, 64, 64))),
        ):
            yield {**specs, given: sizes, targets[0]: target}


def _guess(module: torch.nn.Module, name: str, annotation: str) -> Spec:
    layers = [part for part in module.modules() if next(part.children(), None) is None and _width(part)]
    first = layers[0] if layers else None
    batch = 2
    if isinstance(first, torch.nn.Embedding) or "LongTensor" in annotation:
        return Spec((batch, 16), True)
    if first is None:
        return Spec((batch, 16), True) if _TOKENS.search(name) else Spec((batch, 3, 64, 64))
    width = _width(first)
    rank = _spatial_rank(first)
    if rank is not None:
        return Spec((batch, width, *(64 for _ in range(rank))))
    if isinstance(first, torch.nn.RNNBase):
        return Spec((batch, 16, width)) if first.batch_first else Spec((16, batch, width))
    if isinstance(first, torch.nn.LayerNorm):
        return Spec((batch, 16, *first.normalized_shape))
    if isinstance(first, torch.nn.MultiheadAttention) or _SEQUENCE.search(type(module).__name__):
        return Spec((batch, 16, width))
    return Spec((batch, width))


def _guess_more(module: torch.nn.Module, name: str, annotation: str) -> Optional[Spec]:
    if _TIMES.match(name):
        return Spec((2,))
    if _OPTIONAL.search(name):
        return None
    if _TOKENS.search(name):
        return Spec((2, 16), True)
    return _guess(module, name, annotation)


def _width(layer: torch.nn.Module) -> int:
    for name in (
        "in_channels",
        "in_features",
        "input_size",
        "num_embeddings",
        "embed_dim",
        "num_features",
        "num_channels",
    ):
        value = getattr(layer, name, None)
        if isinstance(value, int):
            return value
    shape = getattr(layer, "normalized_shape", None)
    return int(shape[-1]) if shape else 0


def _spatial_rank(layer: torch.nn.Module) -> Optional[int]:
    found = re.match(r"(?:Conv|ConvTranspose|BatchNorm|InstanceNorm|LazyConv)([123])d$", type(layer).__name__)
    if not found:
        return 2 if isinstance(layer, torch.nn.GroupNorm) else None
    rank = int(found.group(1))
    return rank


def probe(module: torch.nn.Module, run: Run, blame: Blame) -> Optional[Attempt]:
    """Try inputs until forward runs to its end, or give the last try. None if forward cannot be called with tensors.

    `run` calls the module with keyword arguments and returns the error, `blame` names the torch function that raised it
    and its arguments.
    """
    specs = first_specs(module)
    if specs is None or any(taken_apart(module.forward, name) for name in specs):
        return None
    tried: set[Any] = set()
    said = written_specs(module, specs)
    waiting: list[dict[str, Optional[Spec]]] = [specs] if said == specs else [said, specs]
    waiting += compared(specs)
    first: Optional[Attempt] = None
    while waiting and len(tried) < _MOST_TRIES:
        specs = waiting.pop(0)
        key = tuple(specs.items())
        if key in tried:
            continue
        tried.add(key)
        attempt = Attempt(specs, None)
        error = run(attempt.inputs())
        if error is None:
            return attempt
        attempt = replace(attempt, error=error)
        first = attempt if first is None or _deeper(attempt, first) else first
        direct = list(repairs(specs, error, blame(error)))
        waiting = [*direct, *(waiting or list(resized(specs)))]
    return first


def _deeper(now: Attempt, before: Attempt) -> bool:
    """Whether a try got further into forward than another, judged by the lines that it reached."""
    return _depth(now.error) > _depth(before.error)


def _depth(error: Optional[BaseException]) -> int:
    line, trace = 0, error.__traceback__ if error else None
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "forward" and "/torch/" not in trace.tb_frame.f_code.co_filename:
            return trace.tb_lineno
        trace = trace.tb_next
    return line


def repairs(
    specs: dict[str, Optional[Spec]], error: BaseException, raised: Optional[tuple[Any, tuple[Any, ...]]]
) -> Iterator[dict[str, Optional[Spec]]]:
    """The same inputs changed as an error asks for; `raised` is the torch function that raised, and its arguments."""
    text, layer = str(error), layer_of(error)
    for name, spec in specs.items():
        if spec is None:
            continue
        patterned = shape_for(layer, spec.shape) if layer is not None else None
        if patterned is not None:
            yield {**specs, name: replace(spec, shape=patterned)}
        for shape in (*_unpacked(spec.shape, error), *_shapes(spec, text, raised)):
            if shape != spec.shape and all(size > 0 for size in shape):
                yield {**specs, name: replace(spec, shape=shape)}
        if re.search(r"Long, Int|integer|indices.*(float|Float)|IntTensor", text) and not spec.integer:
            yield {**specs, name: Spec(spec.shape[:2] or (2,), True)}


def _unpacked(shape: tuple[int, ...], error: BaseException) -> Iterator[tuple[int, ...]]:
    """The shape with as many dimensions more or less as an unpacking that failed lacks: `b, n, h = *x.shape, heads`."""
    surplus = getattr(error, SURPLUS, 0)
    if surplus and len(shape) > surplus:
        yield with_rank(shape, len(shape) - surplus)


def _shapes(spec: Spec, text: str, raised: Optional[tuple[Any, tuple[Any, ...]]]) -> Iterator[tuple[int, ...]]:
    shape = spec.shape
    wanted = _wanted_rank(text)
    if wanted is not None and wanted != len(shape):
        yield with_rank(shape, wanted)
    if raised is not None:
        tensors = [part for part in raised[1] if isinstance(part, torch.Tensor)]
        name = getattr(raised[0], "__name__", "")
        if name == "linear" and len(tensors) >= 2 and tensors[0].dim():
            width = int(tensors[1].shape[-1])
            if int(tensors[0].shape[-1]) == shape[-1]:
                yield (*shape[:-1], width)
                yield (shape[0], width)
                yield (shape[0], 16, width)
        if name.startswith("conv") and len(tensors) >= 2 and tensors[1].dim() > 2:
            width, rank = int(tensors[1].shape[1]), tensors[1].dim() - 2
            if name.startswith("conv_transpose"):
                width = int(tensors[1].shape[0])
            yield (shape[0], width, *(shape[2:] or (64,))[:1] * rank)
        if name in ("layer_norm", "rms_norm") and len(raised[1]) > 1 and isinstance(raised[1][1], (tuple, list)):
            yield (*shape[: -len(raised[1][1])], *raised[1][1])
    parts = _SPLIT.search(text)
    if parts:
        dim, size = int(parts.group(2)), sum(map(int, parts.group(3).split(",")))
        if -len(shape) <= dim < len(shape) and shape[dim] == int(parts.group(1)):
            yield tuple(size if at == dim % len(shape) else other for at, other in enumerate(shape))
    clash = re.search(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", text)
    if clash:
        left, right = int(clash.group(1)), int(clash.group(2))
        for old, new in ((left, right), (right, left)):
            if old in shape[1:]:
                yield (shape[0], *(new if size == old else size for size in shape[1:]))


def _wanted_rank(text: str) -> Optional[int]:
    for pattern in (
        r"not enough values to unpack \(expected (\d)",
        r"too many values to unpack \(expected (\d)",
        r"is not equal to len\(dims\) = (\d)",
        r"number of subscripts in the equation \((\d)\) does not match the number of dimensions",
        r"[Ww]rong shape: expected (\d) dims",
        r"Expected \d-?D or (\d)-?D",
        r"[Ee]xpected (\d)D",
        r"expected (\d)D input",
        r"Expected (\d) dimensions",
        r"must be (\d)-?D",
    ):
        found = re.search(pattern, text)
        if found:
            return int(found.group(1))
    found = re.search(r"[Pp]attern ['\"]([^'\"]+?)->", text)
    if found:
        return len(re.sub(r"\([^)]*\)", "g", found.group(1)).split())
    found = re.search(r"Dimension out of range \(expected to be in range of \[-\d+, \d+\], but got (\d+)\)", text)
    return int(found.group(1)) + 1 if found else None


def with_rank(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The sizes of a tensor of another rank that goes for the same kind of thing."""
    if rank < len(shape):
        return (*shape[: rank - 1], shape[1]) if rank == 3 and len(shape) == 4 else shape[:rank]
    if rank == 3 and len(shape) == 2:
        return (shape[0], 16, shape[1])
    if rank == 4:
        return (shape[0], shape[1] if len(shape) == 3 else 3, 64, 64)
    return (*shape, *(16 for _ in range(rank - len(shape))))


def resized(specs: dict[str, Optional[Spec]]) -> Iterator[dict[str, Optional[Spec]]]:
    """The same inputs with other spatial sizes or lengths."""
    for size in _SIZES:
        new: dict[str, Optional[Spec]] = {}
        for name, spec in specs.items():
            if spec is None or len(spec.shape) < 3:
                new[name] = spec
            elif len(spec.shape) == 3:
                new[name] = replace(spec, shape=(spec.shape[0], size, spec.shape[2]))
            else:
                new[name] = replace(spec, shape=(*spec.shape[:2], *(size for _ in spec.shape[2:])))
        yield new


def variations(specs: dict[str, Optional[Spec]]) -> Iterator[dict[str, Optional[Spec]]]:
    """The same inputs with another batch, length and spatial size: what stays equal does not come from the input.

    Of three dimensions the second is a length (batch, length, width), or else the last (batch, channels, length).
    """
    for vary in (_vary, _vary_last):
        yield {name: None if spec is None else replace(spec, shape=vary(spec.shape)) for name, spec in specs.items()}


def _vary(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) <= 2:
        return (*(size + 1 for size in shape[:1]), *shape[1:])
    if len(shape) == 3:
        return (shape[0] + 1, shape[1] + 2, shape[2])
    return (shape[0] + 1, shape[1], *(size + 32 for size in shape[2:]))


def _vary_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0] + 1, shape[1], shape[2] + 32) if len(shape) == 3 else _vary(shape)


def text_of(specs: dict[str, Optional[Spec]]) -> str:
    """`x [2, 3, 64, 64], ids i64[2, 16]`."""
    parts = []
    for name, spec in specs.items():
        parts.append(f"{name} None" if spec is None else f"{name} {'i64' if spec.integer else ''}{list(spec.shape)}")
    return ", ".join(parts)
