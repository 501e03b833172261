"""A mistake in a class whose arguments were made up: told in the user's own expressions, without numbers of ours."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Optional

from metalens.protocol.messages import Edit, Fix
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.source import source_of

_NUMBER, _NAME = re.compile(r"\d+"), re.compile(r"[^\W\d]\w*")
# A name with a factor or a term beside it.
_SCALED = re.compile(r"\w\]?\s*(?:\*\*?|//|[+-])\s*\d|\d\s*(?:\*|[+-])\s*[^\W\d]")
_EXCHANGES = re.compile(r"\.(?:transpose|permute|movedim|swapaxes|t|mT)\b")
_LONGEST = 32
_SMALL = 4


def is_assumed(case: Case) -> bool:
    """Whether the sizes in a case rest on arguments that nobody gave."""
    return case.failure.fixed and case.failure.arguments is not None and case.failure.arguments.source == "invented"


def in_own_words(case: Case, mistake: Mistake) -> Mistake:
    """The mistake with the expressions that made its two sizes, where both can be seen."""
    if mistake.expected is None or mistake.given is None:
        return mistake
    wanted, given = _expression(case, mistake.layer, mistake.argument), _of_producer(case, mistake)
    if wanted is None or given is None or wanted == given:
        return mistake
    message = _first(_first(mistake.message, mistake.expected, "\0"), mistake.given, given).replace("\0", wanted)
    return replace(mistake, message=words.fit(message, mistake.message))


def without_our_numbers(case: Case, fixes: Iterable[Fix], mistake: Mistake) -> tuple[Fix, ...]:
    """The fixes that write down no size which rests on what was made up, and no arithmetic that fits it by chance."""
    sizes = {size for size in (mistake.expected, mistake.given) if size is not None and size > _SMALL}
    ours = {size for size in sizes if not _is_written(case, size)}

    producers = _of_producer(case, mistake)

    def rests(edit: Edit) -> bool:
        if edit.text == producers:
            return False
        if any(int(number) in ours for number in _NUMBER.findall(edit.text)):
            return True
        before = source_of(case.facts, edit.location.file).slice(edit.location.range)
        fresh = {*_NAME.findall(edit.text)} - {*_NAME.findall(before)}
        return bool(fresh) and bool(_SCALED.search(edit.text))

    return tuple(fix for fix in fixes if not any(map(rests, fix.edits)))


def without_chance(case: Case, fixes: Iterable[Fix], mistake: Mistake) -> tuple[Fix, ...]:
    """The fixes that exchange no dimensions where the other one only has the size by chance, being made up."""
    tensor = mistake.tensor
    others = [] if tensor is None else [dim for dim in range(tensor.dim()) if dim != mistake.dim]
    fitting = [dim for dim in others if int(tensor.shape[dim]) == mistake.expected]
    if not any(case.lineage(tensor, dim).layer is None for dim in fitting):
        return tuple(fixes)
    return tuple(fix for fix in fixes if not any(_EXCHANGES.search(edit.text) for edit in fix.edits))


def _is_written(case: Case, size: int) -> bool:
    """Whether a size stands in the class that fails, and no argument that was made up has it."""
    made_up = case.failure.arguments.text if case.failure.arguments is not None else ""
    source = source_of(case.facts, case.location.file)
    statement = source.statement_at(case.location.range.start.line)
    around = source.enclosing(statement) if statement is not None else ()
    owner = next((node for node in around if isinstance(node, ast.ClassDef)), None)
    if owner is None or str(size) in _NUMBER.findall(made_up):
        return False
    return any(
        isinstance(node, ast.Constant) and type(node.value) is int and node.value == size for node in ast.walk(owner)
    )


def _of_producer(case: Case, mistake: Mistake) -> Optional[str]:
    """The expression by which the layer was built that made what comes in, if names decide it."""
    producer = case.lineage(mistake.tensor, mistake.dim).layer if mistake.tensor is not None else None
    return _expression(case, producer, torchkind.output_argument(producer)) if producer is not None else None


def _expression(case: Case, layer: Any, argument: str) -> Optional[str]:
    """The expression of a constructor's argument, if names decide it."""
    slot = slot_of(case.facts, layer, argument) if layer is not None and argument else None
    if slot is None or slot.node is None or not any(isinstance(part, ast.Name) for part in ast.walk(slot.node)):
        return None
    text = " ".join(slot.source.text_of(slot.node).split())
    return text if len(text) <= _LONGEST else None


def _first(message: str, size: int, text: str) -> str:
    return re.sub(rf"(?<![\w.·]){size}(?![\w.·])", lambda match: text, message, count=1)
