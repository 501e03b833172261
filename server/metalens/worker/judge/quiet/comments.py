"""Shape comments that are not true: `x = self.pool(x)  # [B, 16, 14, 14]` where x is [2, 16, 16, 16].

A comment speaks of the run that its author had in mind, not of ours: other inputs give other sizes. So it is called
wrong only for what does not hang on the input (its rank, a size that a layer's number sets, a name that the code itself
took from a shape), or where other comments of the same function show that it is this very input which they speak of.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

import torch

from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Location, Position, Range
from metalens.worker.judge import words
from metalens.worker.judge.quiet.claims import (
    Claim,
    Seen,
    agreed,
    clean_classes,
    decided_by,
    is_mixed_up,
    rewritten,
    speaks_of_input,
    wrong_places,
)
from metalens.worker.judge.source import Function, Source, source_of
from metalens.worker.trace.facts import Facts
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.tracer import Tracer

_DIM = r"(?:\d+|[A-Za-z_]\w*(?:\s*(?:\*|//|/|\+|-)\s*\w+)?)"
_SHAPE = re.compile(
    r"#\s*(?:(?P<name>\w+)\s*[:=]\s*)?(?:(?:shape|size|out|output|now)\s*[:=]?\s*|(?:->|=>|→)\s*|torch\.Size)?"
    rf"(?P<shape>[\[(]\s*(?P<dims>{_DIM}(?:\s*,\s*{_DIM})+)\s*,?\s*[\])])\s*\.?\s*"
)
_SAID = frozenset(["shape", "size", "out", "output", "now"])
_Statement = Union[ast.Assign, ast.AnnAssign, ast.Return]


def stale(tracer: Tracer, observer: Observer) -> Iterator[Finding]:
    """One finding for each comment in the methods of modules that is certainly not true."""
    facts = tracer.facts
    for file, names in clean_classes(observer).items():
        trace = tracer.files.get(file)
        source = source_of(facts, file)
        comments = _comments(source) if trace is not None else {}
        if trace is None or not comments:
            continue
        seen = Seen(trace)
        for cls in source.nodes:
            if isinstance(cls, ast.ClassDef) and cls.name in names:
                for function in cls.body:
                    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        yield from _of_function(function, cls, source, seen, comments, facts)


def _comments(source: Source) -> dict[int, tuple[int, str]]:
    """Column and text of the comment at the end of each line that has one."""
    found: dict[int, tuple[int, str]] = {}
    if "#" not in source.text:
        return found
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                found[token.start[0] - 1] = (token.start[1], token.string)
    except (tokenize.TokenError, SyntaxError):
        return {}
    return found


def _of_function(
    function: Function,
    cls: ast.ClassDef,
    source: Source,
    seen: Seen,
    comments: dict[int, tuple[int, str]],
    facts: Facts,
) -> Iterator[Finding]:
    claims = [claim for statement in _statements(function) if (claim := _claim(statement, source, seen, comments))]
    known = _sizes(function, source, seen)
    sizes = agreed(claims, known)
    for claim in claims:
        severity = _verdict(claim, claims, known, facts, cls)
        if severity and not speaks_of_input(claim, facts):
            yield _told(claim, cls.name, source, sizes, severity)


def _verdict(claim: Claim, claims: Sequence[Claim], known: dict[str, int], facts: Facts, cls: ast.ClassDef) -> str:
    """How sure it is that a claim is not true; "" where it may be."""
    others = [other for other in claims if other is not claim]
    if not claim.fits_in_rank:
        differences = {len(shape) - len(claim.words) for shape in claim.shapes}
        if 0 in differences or not claim.letters:
            return ""
        # All are short of the same: the batch, which some leave out.
        return "" if others and not any(other.fits_in_rank for other in others) else "warning"
    wrong = wrong_places(claim, known)
    if not wrong:
        return ""
    if not all(claim.words[place].isdigit() for place in wrong):
        return "warning" if is_mixed_up(claim, known) else ""
    deciders = {decided_by(facts, claim.tensors[0], place, cls) for place in wrong}
    if "input" not in deciders or "number" in deciders:
        return "warning" if "number" in deciders else ""
    numbers = [other for other in others if _is_of_input(other, facts, cls)]
    if not numbers:
        return "information"
    return "warning" if any(not wrong_places(other, known) for other in numbers) else ""


def _is_of_input(claim: Claim, facts: Facts, cls: ast.ClassDef) -> bool:
    """Whether a claim has a number that hangs on the input."""
    if claim.shape is None or not claim.fits_in_rank:
        return False
    places = [place for place, word in enumerate(claim.words) if place and word.isdigit()]
    return any(decided_by(facts, claim.tensors[0], place, cls) == "input" for place in places)


def _told(claim: Claim, cls: str, source: Source, sizes: dict[str, int], severity: str) -> Finding:
    said = source.slice(claim.location.range)
    seen = words.shape(claim.shapes[0])
    right = said[0] + ", ".join(rewritten(claim, sizes, kept=1)) + said[-1]
    fixes = (Fix(f"Write {right}", (Edit(claim.location, right),), preferred=True),) if claim.shape else ()
    message = words.fit(f"the comment says {said}, but this is {seen}", f"the comment is not true: this is {seen}")
    return Finding("stale-shape-comment", severity, message, claim.location, cls, fixes=fixes)


def _statements(function: Function) -> Iterator[_Statement]:
    for node in ast.walk(function):
        named = isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        if named or isinstance(node, (ast.AnnAssign, ast.Return)):
            yield node  # type: ignore[misc]


def _claim(statement: _Statement, source: Source, seen: Seen, comments: dict[int, tuple[int, str]]) -> Optional[Claim]:
    """What the comment at the end of a statement says of its value, if that is a shape and nothing else."""
    line = (statement.end_lineno or statement.lineno) - 1
    if line not in comments or statement.value is None:
        return None
    column, text = comments[line]
    match = _SHAPE.fullmatch(text)
    if match is None or match.group("name") not in (None, *_SAID, _name_of(statement)):
        return None
    dims = tuple(part.strip() for part in match.group("dims").split(","))
    values = seen.at(source.range_of(statement.value))
    if "0" in dims or not values or not all(isinstance(value, torch.Tensor) for value in values):
        return None
    start, end = Position(line, column + match.start("shape")), Position(line, column + match.end("shape"))
    return Claim(dims, Location(source.file, Range(start, end)), tuple(values))


def _name_of(statement: _Statement) -> Optional[str]:
    target: Any = statement.value
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    return target.id if isinstance(target, ast.Name) else None


def _sizes(function: Function, source: Source, seen: Seen) -> dict[str, int]:
    """Names that the function takes from a shape, once and for all: `B, T, C = x.shape`."""
    bound: dict[str, list[Optional[int]]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.setdefault(node.id, []).append(None)
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Tuple):
            continue
        names = [part.id if isinstance(part, ast.Name) else "" for part in node.targets[0].elts]
        shapes = {tuple(value) for value in seen.at(source.range_of(node.value)) if isinstance(value, torch.Size)}
        if len(shapes) == 1 and len(next(iter(shapes))) == len(names):
            for name, size in zip(names, next(iter(shapes))):
                if len(bound.get(name, [])) == 1:
                    bound[name] = [int(size)]
    return {name: sizes[0] for name, sizes in bound.items() if len(sizes) == 1 and sizes[0] is not None and name != "_"}
