"""Repairs of shapes that constructors keep for `view`, or hand on to a layer of the user's that calls it."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Iterator

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import fix, literal
from metalens.worker.judge.repair.views import sizes_of
from metalens.worker.judge.source import Source, source_of


def kept(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """One number of a shape that a constructor keeps or hands on: `self.shape = (128, 5, 5)`, `View((-1, 256))`."""
    x = mistake.tensor
    if x is None or not x.dim():
        return
    found: list[tuple[bool, int, int, Source, ast.expr, str]] = []
    for total, asked, among in _counts(case, mistake):
        for source, name, part in _kept_numbers(case):
            number = literal(part)
            if number == 0 and 0 in among:
                found.append((True, 0, -1, source, part, name))
            # The shape may be what is asked for, or what the elements were made from.
            for wanted, known in ((total, asked), (asked, total)):
                if number and number > 0 and wanted != known > 0 and number * wanted % known == 0:
                    found.append((number in among, number, number * wanted // known, source, part, name))
    for _, number, new, source, part, name in sorted(found, key=lambda item: (not item[0], item[2] not in x.shape)):
        yield fix(f"Change {number} to {new} in {name}", source.replace(part, str(new)))


def _counts(case: Case, mistake: Mistake) -> Iterator[tuple[int, int, list[int]]]:
    """How many elements there are, how many are asked for, and the numbers that ask: of all, or of one item."""
    x, values = mistake.tensor, sizes_of(case)
    if mistake.code != "reshape-numel":
        if mistake.given and mistake.expected:
            yield mistake.expected, mistake.given, [mistake.given]
        return
    total, batch = math.prod(int(n) for n in x.shape), int(x.shape[0])
    if values and values[0] in (-1, batch) and batch:
        total, values = total // batch, values[1:]
    if -1 not in values:
        yield total, math.prod(values), values


def _kept_numbers(case: Case) -> Iterator[tuple[Source, str, ast.expr]]:
    """The parts of the shapes that the constructors of the models under way keep or hand on, with a name for each."""
    for call in reversed(case.failure.modules):
        code = getattr(inspect.unwrap(type(call.module).__init__), "__code__", None)
        source = source_of(case.facts, code.co_filename) if code is not None else None
        scope = source.function_at(code.co_firstlineno - 1) if source is not None and code is not None else None
        if source is None or scope is None:
            continue
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Tuple, ast.List)):
                yield from ((source, source.text_of(node.targets[0]), part) for part in node.value.elts)
            elif isinstance(node, ast.Call) and not source.text_of(node.func).startswith(("nn.", "torch.")):
                name = source.text_of(node.func)
                shapes = [part for part in node.args if isinstance(part, (ast.Tuple, ast.List))]
                yield from ((source, name, part) for shape in shapes for part in shape.elts)
