"""From a failure to a finding: replayed on real tensors, told in plain words, placed, and with candidate repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Optional

import torch

from metalens.protocol.messages import Finding, Fix
from metalens.worker.judge import words
from metalens.worker.judge.assumed import in_own_words, is_assumed, without_chance, without_our_numbers
from metalens.worker.judge.blame import place_of, related_to
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair import repairs_of
from metalens.worker.judge.replay import replay
from metalens.worker.judge.rules import mistake_of
from metalens.worker.trace.facts import Facts, Failure, ModuleCall

Repairs = Callable[[Case, Mistake], "tuple[Fix, ...]"]


def no_repairs(case: Case, mistake: Mistake) -> tuple[Fix, ...]:
    """For a finding of which only the words matter."""
    return ()


def judge(failure: Failure, facts: Facts) -> Optional[Finding]:
    """The finding behind a failure; None if the evidence is too weak for one, or real PyTorch would not raise."""
    case = case_of(failure, facts)
    return tell(case) if case is not None else None


def case_of(failure: Failure, facts: Facts) -> Optional[Case]:
    """The failure with PyTorch's own words; None if it is no mistake that can be told."""
    torch = replay(failure, facts) if may_speak(failure) else None
    return Case(failure, facts, torch) if torch is not None else None


def tell(case: Case, repairs: Repairs = repairs_of) -> Finding:
    """The finding of a case, in PyTorch's words where no better ones can be found."""
    failure = case.failure
    try:
        return explain(case, repairs)
    except Exception:  # noqa: BLE001 - the user's classes may answer our questions in any way; the mistake is real
        message = words.fit(f"forward fails here: {words.first_line(case.torch)}")
        return Finding("forward-error", "error", message, case.location, failure.model, torch=case.torch)


def explain(case: Case, repairs: Repairs = repairs_of) -> Finding:
    """The finding in the words of the rule that knows it, with its place, what explains it, and repairs."""
    failure, mistake = case.failure, mistake_of(case)
    fixes = repairs(case, mistake)
    if failure.fixed:
        fixes = without_chance(case, fixes, mistake)
    if is_assumed(case):
        fixes, mistake = without_our_numbers(case, fixes, mistake), in_own_words(case, mistake)
    return Finding(
        code=mistake.code,
        severity="warning" if failure.unless else "error",
        message=mistake.message,
        location=place_of(case, mistake),
        model=failure.model,
        related=related_to(case, mistake),
        torch=case.torch,
        notes=notes(case, mistake),
        fixes=fixes,
        passes=tuple(dict.fromkeys(frame.location.file for frame in failure.frames)),
        called=failure.inputs is not None and failure.inputs.source != "probe",
        caller=failure.caller,
    )


def may_speak(failure: Failure) -> bool:
    """Whether a run of this grade may raise a finding: clean ones may, borrowed ones for sizes fixed in the class.

    A model that is called with nothing (a slice beyond what there is of the data) would not have been called. Nor is
    what a script gathers of a model that was trained (gradients, say) ever nothing.
    """
    if not failure.modules and any(isinstance(part, (list, tuple)) and not part for part in failure.args):
        return False
    graded = failure.grade == "clean" or (failure.grade == "borrowed" and failure.fixed)
    return graded and not any(part.numel() == 0 for call in failure.modules[:1] for part in _tensors(call))


def _tensors(call: ModuleCall) -> Iterator[torch.Tensor]:
    return (part for part in (*call.args, *call.kwargs.values()) if isinstance(part, torch.Tensor))


def notes(case: Case, mistake: Mistake) -> tuple[str, ...]:
    """Further sentences of the explanation: the tensor as it arrived, and the evidence."""
    said = []
    if case.failure.unless:
        said.append(f"This fails unless {case.failure.unless}; the numbers here are one example.")
    elif is_assumed(case):
        said.append("This fails whatever it is built and called with; the numbers here are one example.")
    if mistake.tensor is not None:
        said.append(f"The tensor here is {list(mistake.tensor.shape)}.")
    if case.failure.arguments is not None:
        said.append(f"Built with {case.failure.arguments.text or 'no arguments'} ({case.failure.arguments.source}).")
    if case.failure.in_use:
        said.append("It was called once more after eval(), as in use: there it does otherwise than in training.")
    if case.failure.inputs is not None:
        said.append(f"Called with {case.failure.inputs.text} ({case.failure.inputs.source}).")
    return tuple(said)
