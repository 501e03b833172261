"""Bounds of slices near the mistake that are off by as much as the sizes differ: `x[: n - 2]` for `x[: n - 1]`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import torch

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import fix, literal
from metalens.worker.judge.repair.near import sites
from metalens.worker.judge.source import Source

_MOST_AWAY = 2
_MOST_SITES = 6


def shifted(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A bound that is arithmetic first, then one that is a number."""
    away = _away(mistake)
    found: list[Fix] = []
    for site in sites(case, mistake)[:_MOST_SITES] if away else ():
        whole = site.source.statement_of(site.node) or site.node
        for part in ast.walk(whole):
            if isinstance(part, ast.Slice):
                for bound in filter(None, (part.upper, part.lower)):
                    plain = literal(bound) is not None
                    fixes = _shifted(site.source, bound, away)
                    if plain:
                        found += fixes
                    else:
                        yield from fixes
    yield from found


def _shifted(source: Source, bound: ast.expr, away: int) -> Iterator[Fix]:
    text, value = source.text_of(bound), literal(bound)
    for by in (away, -away):
        if value is not None:
            # A bound that counts from the end stays one.
            new = str(value + by) if (value + by) * value > 0 else ""
        elif isinstance(bound, ast.BinOp) and isinstance(bound.op, (ast.Add, ast.Sub)):
            right = literal(bound.right)
            total = 0 if right is None else by + (right if isinstance(bound.op, ast.Add) else -right)
            base = source.text_of(bound.left)
            new = "" if right is None else f"{base} {'+' if total > 0 else '-'} {abs(total)}" if total else base
        else:
            new = ""
        if new:
            yield fix(f"Change {text} to {new} in the slice", source.replace(bound, new))


def _away(mistake: Mistake) -> int:
    """By how much the sizes in conflict differ, if that is little; by one where only one of them is known."""
    if mistake.code == "expand-size" and mistake.given is None:
        return 1
    pairs = [(mistake.given, mistake.expected)]
    one, other = mistake.tensor, mistake.other
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        pairs += list(zip(reversed(one.shape), reversed(other.shape)))
    found = {abs(int(a) - int(b)) for a, b in pairs if a is not None and b is not None and 1 not in (a, b)} - {0}
    return next(iter(found)) if len(found) == 1 and max(found) <= _MOST_AWAY else 0
