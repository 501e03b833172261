"""jaxtyping's annotations that are not true: `x: Float[Tensor, "b 784"]` where x is [32, 1, 28, 28].

A type checker takes any string there, and at run time they are only looked at where somebody asked for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Location
from metalens.worker.judge import words
from metalens.worker.judge.quiet.claims import Claim, Seen, clean_classes, meaning, rewritten
from metalens.worker.judge.source import Function, Source, source_of
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.tracer import Tracer


def untrue(tracer: Tracer, observer: Observer) -> Iterator[Finding]:
    """One finding for each annotation in the methods of modules that disagrees with what was seen."""
    for file, names in clean_classes(observer).items():
        trace, source = tracer.files.get(file), source_of(tracer.facts, file)
        if trace is None or "jaxtyping" not in source.text:
            continue
        seen = Seen(trace)
        for cls in source.nodes:
            if isinstance(cls, ast.ClassDef) and cls.name in names:
                for function in cls.body:
                    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        yield from _of_function(function, cls.name, source, seen)


def _of_function(function: Function, cls: str, source: Source, seen: Seen) -> Iterator[Finding]:
    """Parameters first: what a name is in them, it is in the result."""
    sizes: dict[str, int] = {}
    for word, node, values in _annotated(function, source, seen):
        claim = _claim(node, values, source)
        shape = claim.shape if claim is not None else None
        if claim is None or shape is None:
            continue
        fits = len(shape) == len(claim.words)
        if fits and all(meaning(part, sizes) in (None, size) for part, size in zip(claim.words, shape)):
            sizes.update({part: size for part, size in zip(claim.words, shape) if part.isidentifier()})
        else:
            yield _told(word, claim, shape, cls, sizes, source)


def _annotated(function: Function, source: Source, seen: Seen) -> Iterator[tuple[str, Optional[ast.expr], list[Any]]]:
    """Each annotation of a function, the word for what it speaks of, and what was seen of that."""
    arguments = function.args
    for part in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        yield part.arg, part.annotation, seen.at(source.range_of(part))
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    values = [value for node in returned for value in seen.at(source.range_of(node))]
    yield "the result", function.returns, values


def _claim(annotation: Optional[ast.expr], values: list[Any], source: Source) -> Optional[Claim]:
    """What `Kind[Tensor, "b 10"]` says, if it names every dimension plainly."""
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return None
    parts = annotation.slice.elts
    text = parts[1].value if len(parts) == 2 and isinstance(parts[1], ast.Constant) else None
    if not isinstance(text, str) or not values or not all(isinstance(value, torch.Tensor) for value in values):
        return None
    dims = tuple(text.split())
    plain = all(word.isdigit() or (word.isidentifier() and not word.startswith("_")) for word in dims)
    return Claim(dims, source.location_of(parts[1]), tuple(values)) if dims and plain else None


def _told(word: str, claim: Claim, shape: tuple[int, ...], cls: str, sizes: dict[str, int], source: Source) -> Finding:
    place: Location = claim.location
    said = source.slice(place.range)
    right = said[0] + " ".join(rewritten(claim, sizes)) + said[-1]
    message = words.fit(
        f"{word} is annotated as {said}, but is {words.shape(shape)}",
        f"{word} is {words.shape(shape)}, not as annotated",
    )
    fixes = (Fix(f"Write {right}", (Edit(place, right),), preferred=True),)
    return Finding("shape-annotation", "warning", message, place, cls, fixes=fixes)
