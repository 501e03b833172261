"""Other points to try: what an error asks for, and what else each choice might have been."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Optional

import torch

from metalens.worker.trace import probe
from metalens.worker.trace.assume import (
    AnyText,
    Anything,
    Config,
    Fields,
    Path,
    Point,
    chosen,
    is_size,
    leaves,
    parts,
    tensors,
)
from metalens.worker.trace.hints import Hints
from metalens.worker.trace.probe import Spec
from metalens.worker.trace.trial import Outcome

_USUAL = (1, 2, 3, 4, 5, 8, 16, 64)
_SPACES = (224, 64, 32, 28, 16, 8, 4, 7, 49, 50, 196, 197, 256, 299)
_MOST_DIMENSIONS = 6
_APART = 512  # so many tokens or features may have been put to it, or steps cut off
_LONGEST, _LARGEST = 1 << 18, 1 << 26  # of what is worth trying
_RANKS = re.compile(
    r"is invalid for input of size|out of range|too many indices|must match the number of dim|len\(dims\)"
)
_ATTRIBUTE = re.compile(
    r"'(?:Tensor|NoneType|dict|list|int|float|bool|(?:types\.)?SimpleNamespace)' object has no attribute '(\w+)'"
)
_KINDS = re.compile(
    r"'Tensor' object|an? integer|must be \w+, not Tensor|'NoneType'|not iterable|index|Boolean|bool|scalar type|dtype"
    r"|not Tensor|argument"
)
_MAPPING = re.compile(r"must be a mapping|string indices|'(?:int|float)' object is not subscriptable|has no attribute")
_CALLED = re.compile(r"object is not callable|has no attribute|unexpected keyword|positional argument")
_NOTHING = object()
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")


def repairs(outcome: Outcome, hints: Hints) -> Iterator[Point]:
    """Points that may get further than one that failed, the likeliest first."""
    return (point for point in _repairs(outcome, hints) if all(map(_is_sound, tensors(point).values())))


def _is_sound(spec: Spec) -> bool:
    return all(size <= _LONGEST for size in spec.shape) and math.prod(spec.shape) <= _LARGEST


def _repairs(outcome: Outcome, hints: Hints) -> Iterator[Point]:
    point, error = outcome.point, outcome.error
    if error is None:
        return
    if isinstance(error, NameError):
        return  # nothing that could be given would mend that
    if not outcome.built:
        yield from _other_arguments(outcome, hints)
        return
    yield from _matched(outcome)
    yield from _patterned(outcome)
    yield from _mapped(outcome)
    raised = (outcome.raised.function, outcome.raised.args) if outcome.raised is not None else None
    yield from _named(point, lambda specs: probe.repairs(specs, error, raised))
    if _KINDS.search(str(error)):
        yield from other_kinds(point)
    if outcome.place is None and isinstance(error, (ValueError, NotImplementedError)):
        arguments = [path for path, _ in leaves(point) if path[0] == "argument"]
        yield from (chosen(point, {path: text}) for text in hints.texts for path in arguments)
    if isinstance(error, (AttributeError, TypeError, KeyError)):
        yield from _other_arguments(outcome, hints)
    if isinstance(error, AssertionError):
        yield from _asserted(outcome)
    if _RANKS.search(str(error)):
        yield from other_ranks(point)
    if outcome.sides is None or outcome.sides.divides or outcome.sides.wanted > 1:
        yield from _named(point, probe.resized)


def _named(
    point: Point, changes: Callable[[dict[str, Optional[Spec]]], Iterator[dict[str, Optional[Spec]]]]
) -> Iterator[Point]:
    """The point with the changes of its tensors, which are asked for by names."""
    paths = {".".join(map(str, path)): path for path in tensors(point)}
    known = tensors(point)
    for changed in changes({name: known[path] for name, path in paths.items()}):
        yield chosen(point, {paths[name]: spec for name, spec in changed.items()})


def _matched(outcome: Outcome) -> Iterator[Point]:
    """One of the numbers that disagree is made the other, where a choice can be told that it came from."""
    if outcome.sides is None:
        return
    point = outcome.point
    for one, other in ((outcome.sides.given, outcome.sides.wanted), (outcome.sides.wanted, outcome.sides.given)):
        equal = [path for path, value in leaves(point) if is_size(value) and value == one]
        for path in sorted(equal, key=lambda path: path[0] == "argument"):
            if other > 0 and not _is_batch(path, point):
                yield chosen(point, {path: other})
        if len(equal) > 1 and other > 0:
            yield chosen(point, {path: other for path in equal if not _is_batch(path, point)})
    for one, other in ((outcome.sides.given, outcome.sides.wanted), (outcome.sides.wanted, outcome.sides.given)):
        for path, value in leaves(point):
            if not is_size(value) or value == one or one <= 0 or value == 1 or _is_batch(path, point):
                continue
            if one % value == 0 and other % (one // value) == 0 and other > 0:
                yield chosen(point, {path: other // (one // value)})
            elif value % one == 0 and other > 0:
                yield chosen(point, {path: other * (value // one)})
            if 0 < abs(value - one) <= _APART and value + other - one > 0:
                yield chosen(point, {path: value + other - one})
    yield from _alike(point, outcome.sides.given, outcome.sides.wanted)
    yield from _joined(point, outcome.sides.given, outcome.sides.wanted)


def _alike(point: Point, given: int, wanted: int) -> Iterator[Point]:
    """Sizes of several inputs, alike and in the same place, that were joined so often to what was given."""
    groups: dict[tuple[Any, int], list[Path]] = {}
    for path, value in leaves(point):
        if path[0] == "input" and is_size(value) and not _is_batch(path, point):
            groups.setdefault((path[-1], value), []).append(path)
    for (_, value), paths in groups.items():
        times = given // value
        if len(paths) > 1 and given == times * value and times > 1 and wanted % times == 0:
            yield chosen(point, dict.fromkeys(paths, wanted // times))


def _joined(point: Point, given: int, wanted: int) -> Iterator[Point]:
    """Two sizes of inputs that may have been joined to what was given are made to join to what is wanted."""
    sizes = [
        (path, value)
        for path, value in leaves(point)
        if path[0] == "input" and is_size(value) and not _is_batch(path, point)
    ]
    for (path, value), (other, more) in itertools.combinations(sizes, 2):
        if value + more == given and path[1:-1] != other[1:-1] and wanted > 1:
            yield from (
                chosen(point, {one: wanted - kept}) for one, kept in ((other, value), (path, more)) if kept < wanted
            )
            yield chosen(point, {path: wanted - wanted // 2, other: wanted // 2})


def _patterned(outcome: Outcome) -> Iterator[Point]:
    """Inputs of the rank that the pattern of a layer under way asks for."""
    pattern = getattr(outcome.call.module, "pattern", None) if outcome.call is not None else None
    if not isinstance(pattern, str) or "->" not in pattern:
        return
    rank = len(re.sub(r"\([^)]*\)", "g", pattern.split("->")[0]).split())
    for path, value in tensors(outcome.point).items():
        if len(value.shape) != rank:
            yield chosen(outcome.point, {path: replace(value, shape=probe.with_rank(value.shape, rank))})


def _mapped(outcome: Outcome) -> Iterator[Point]:
    """Inputs that are dictionaries or records, with the keys and attributes that are asked for."""
    text, point = str(outcome.error), outcome.point
    yield from _recorded(outcome)
    missing = _MISSING.search(text)
    keys = re.findall(r"'(\w+)'", missing.group(1)) if missing else []
    if "Could not infer sizes" in text:
        keys = re.findall(r"'(\w+)'", text.split("Could not infer sizes")[1])
    if isinstance(outcome.error, KeyError) and outcome.error.args and isinstance(outcome.error.args[0], str):
        keys = [outcome.error.args[0]]
    like = next(iter(tensors(point).values()), Spec((2, 16, 64)))
    for name, value in (point.inputs or {}).items():
        if isinstance(value, dict) and keys:
            for part in (like, 8):
                yield replace(point, inputs={**(point.inputs or {}), name: {**value, **dict.fromkeys(keys, part)}})
        elif isinstance(value, Spec) and (_MAPPING.search(text) or "indices" in text):
            yield replace(point, inputs={**(point.inputs or {}), name: {}})


def _recorded(outcome: Outcome) -> Iterator[Point]:
    """Inputs with the attribute that is asked for: the one that the failing line names, or else any."""
    asked, point = _ATTRIBUTE.search(str(outcome.error)), outcome.point
    if asked is None:
        return
    like = next(iter(tensors(point).values()), Spec((2, 16, 64)))
    inputs = point.inputs or {}
    named = [name for name in inputs if re.search(rf"\b{name}\b", outcome.line)]
    for name in named or inputs:
        known = inputs[name].values if isinstance(inputs[name], Fields) else {}
        for part in (like, replace(like, integer=not like.integer, shape=like.shape[:2]), 8):
            if asked.group(1) not in known and not callable(getattr(torch.Tensor, asked.group(1), None)):
                yield replace(point, inputs={**inputs, name: Fields({**known, asked.group(1): part})})


def _is_batch(path: Path, point: Point) -> bool:
    """Whether a size is the first one of an input, which may be anything in a batch."""
    spec = tensors(point).get(path[:-1])
    return spec is not None and path[-1] == 0 and len(spec.shape) > 1


def other_kinds(point: Point) -> Iterator[Point]:
    """Inputs that are no tensors, or tensors after all."""
    like = next(iter(tensors(point).values()), Spec((2, 16, 64)))
    for path, value in parts(point):
        if isinstance(value, Spec):
            others: list[Any] = [replace(value, integer=not value.integer), None, 4, [value, value], True, 1.0]
        elif value is None:
            others = [like, replace(like, integer=True, shape=like.shape[:2]), 4, [like, like], True]
        elif isinstance(value, bool):
            others = [not value]
        else:
            others = [like] if not isinstance(value, (int, float, str)) else []
        for other in others:
            yield chosen(point, {path: other})


def _asserted(outcome: Outcome) -> Iterator[Point]:
    """Sizes that may be meant where an assertion speaks of an input."""
    point, names = outcome.point, set(re.findall(r"\w+", outcome.line))
    sizes = sorted({size for _, size in leaves(point) if is_size(size)})[:8]
    for path, value in leaves(point):
        if path[0] == "input" and path[1] in names and is_size(value):
            for size in sizes:
                if size != value:
                    yield chosen(point, {path: size})
    yield from other_ranks(point)


def _other_arguments(outcome: Outcome, hints: Hints) -> Iterator[Point]:
    """Arguments of other kinds: all kinds for those that the failing line speaks of, then kind by kind for the rest."""
    point, words = outcome.point, outcome.words + outcome.line
    names = set(re.findall(r"\w+", words))
    named: list[tuple[Path, list[Any]]] = []
    others: list[tuple[Path, list[Any]]] = []
    for path, value in leaves(point):
        if path[0] == "argument":
            told = bool(names & {part for part in path[1:] if isinstance(part, str)})
            (named if told else others).append((path, _kinds(path, value, outcome, hints)))
    for path, kinds in named:
        yield from (chosen(point, {path: kind}) for kind in kinds)
    for row in itertools.zip_longest(*(kinds for _, kinds in others), fillvalue=_NOTHING):
        yield from (chosen(point, {path: kind}) for (path, _), kind in zip(others, row) if kind is not _NOTHING)


def _kinds(path: Path, value: Any, outcome: Outcome, hints: Hints) -> list[Any]:
    """What else than a value of its kind an argument may be, the likeliest first."""
    told = outcome.words + outcome.line
    number = value if is_size(value) else 16
    kinds: list[Any] = [[number] * 4, (number, number), Config({}), None, number, 64, 4, 0.1, True]
    if isinstance(value, float):
        kinds = [[value] * 4, (value, value), *kinds]
    kinds += [torch.nn.Identity(), 1, 2 * number, number + 1, [number] * 2, (number,) * 4, "relu"]
    if path[-1] in re.findall(r"\w+", told) and _MAPPING.search(told):
        kinds = [*kinds[:2], Config({}), {}, *kinds]
    if isinstance(value, torch.nn.Module) or _CALLED.search(told):
        kinds = [*hints.classes, *kinds]
    if isinstance(outcome.error, (KeyError, ValueError, NotImplementedError, AssertionError)):
        kinds = [*kinds[:4], *hints.texts, *kinds[4:]]
    else:
        kinds += hints.texts
    if re.search(r"\bbool\b", str(outcome.error)):
        kinds = [True, False, *kinds]
    return [kind for kind in kinds if type(kind) is not type(value) or kind != value]


def alternatives(path: Path, value: Any, point: Point) -> list[Any]:
    """What else one choice might have been."""
    if is_size(value):
        if _is_batch(path, point):
            return [value + 1, 2 * value, 1]
        found = [2 * value, value + 1, 3 * value, value - 1, *_USUAL]
        if path[0] == "input":
            found += [value + 2, *_SPACES]
        found += sorted({size for _, size in leaves(point) if is_size(size)})[:8]
        return [size for size in dict.fromkeys(found) if size > 0 and size != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, float):
        return [2 * value, value / 2, 1.0, 0.0]
    if isinstance(value, int):
        return [1, 2, 3]
    if isinstance(value, str):
        return [AnyText(value), "?"]
    if isinstance(value, torch.nn.Module):
        return [Anything()]
    if value is None:
        return [True, 7, Anything()] if path[0] == "argument" else []
    return [lambda *args, **kwargs: torch.nn.Identity()] if callable(value) else []


def together(point: Point) -> Iterator[tuple[frozenset[Path], Point]]:
    """Points in which sizes that may hang together change together, and the paths that change in their own way."""
    sizes = {path: value for path, value in leaves(point) if is_size(value) and not _is_batch(path, point)}
    groups: dict[Any, list[Path]] = {}
    for path, value in sizes.items():
        groups.setdefault(value, []).append(path)
        if path[0] == "input" and len(path) > 2:
            groups.setdefault((path[1], value), []).append(path)
        groups.setdefault(path[:2] if path[0] == "argument" else "inputs", []).append(path)
    for paths in groups.values():
        if len(paths) > 1:
            yield from (_scaled(point, paths, sizes, change) for change in (2, 3, -1))
            if len({sizes[path] for path in paths}) == 1:
                for size in _SPACES:
                    yield frozenset(paths), chosen(point, {path: size for path in paths})
    # Where all grow alike, what two of them make of each other stays: that tells nothing of any one.
    large = [path for path, value in sizes.items() if value > 4]
    for paths, factor in ((list(sizes), 2), (large, 2), (large, 3)):
        yield frozenset(), _scaled(point, paths, sizes, factor)[1]


def _scaled(point: Point, paths: list[Path], sizes: dict[Path, int], factor: int) -> tuple[frozenset[Path], Point]:
    changed = {path: sizes[path] * factor if factor > 0 else sizes[path] + 1 for path in paths}
    return frozenset(paths), chosen(point, changed)


def other_ranks(point: Point) -> Iterator[Point]:
    """Inputs of other ranks, one by one and all together."""
    specs = tensors(point)
    for rank in range(1, _MOST_DIMENSIONS + 1):
        ranked = {
            path: [replace(value, shape=shape) for shape in _of_rank(value.shape, rank)]
            for path, value in specs.items()
        }
        for path, values in ranked.items():
            for value in values:
                yield chosen(point, {path: value})
        if len(ranked) > 1 and all(ranked.values()):
            for which in range(2):
                yield chosen(point, {path: values[min(which, len(values) - 1)] for path, values in ranked.items()})


def _of_rank(shape: tuple[int, ...], rank: int) -> list[tuple[int, ...]]:
    """Sizes of another rank: what is more comes before the last dimension, or after it; the width stays somewhere."""
    more = rank - len(shape)
    if more == 0 or not shape:
        return [shape]
    if more > 0:
        return [(*shape[:-1], *(4,) * more, shape[-1]), (*shape, *(4,) * more)]
    return list(dict.fromkeys([(*shape[: rank - 1], shape[-1]), shape[:rank]]))
