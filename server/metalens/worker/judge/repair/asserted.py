"""Sizes of which the user's own assertion says that they must be equal, or that one must divide the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind
from metalens.worker.judge.assertions import Assertion, assertion_of
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import fix, is_literal
from metalens.worker.judge.repair.heads import at_callers, near_divisors, near_multiples
from metalens.worker.judge.repair.sizes import change_value


def held(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Either side changed, where it was decided, to what the other one asks for."""
    found = assertion_of(case.failure, case.facts)
    if found is None or found.relation != "!=":
        return
    own = [call.module for call in case.failure.modules if not torchkind.is_own(call.module)]
    for node, old, new in _wanted(found):
        text = found.source.text_of(node)
        if is_literal(node):
            yield fix(f"Change {old} to {new}", found.source.replace(node, str(new)))
        elif text.isidentifier() or isinstance(node, (ast.Attribute, ast.Subscript)):
            yield from change_value(case, found.source, node, old, new, own[-1] if own else None)
            yield from at_callers(case, found.source, node, old, new)


def without_the_check(case: Case, mistake: Mistake, fixes: list[Fix]) -> list[Fix]:
    """The fixes that leave the condition of a failed check as it is."""
    found = assertion_of(case.failure, case.facts) if mistake.code == "size-assertion" else None
    if found is None:
        return fixes
    place = found.source.location_of(found.test)
    lines = range(place.range.start.line, place.range.end.line + 1)
    return [
        fix
        for fix in fixes
        if not any(e.location.file == place.file and e.location.range.start.line in lines for e in fix.edits)
    ]


def _wanted(found: Assertion) -> Iterator[tuple[ast.expr, int, int]]:
    """Expressions with the sizes that they have and those that they should have."""
    left, right = found.values
    if found.divided is not None:
        (width, factor), wide, part = found.divided
        yield from ((part, factor, new) for new in near_divisors(width, factor))
        yield from ((wide, width, new) for new in near_multiples(width, factor))
    elif isinstance(left, int) and isinstance(right, int) and found.right is not None:
        yield found.right, right, left
        yield found.left, left, right
