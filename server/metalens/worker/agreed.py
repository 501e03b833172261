"""A choice that a script leaves open, such as of the model, and that fails in one way with whatever else is chosen.

One command line that nobody wrote proves nothing, for it may not go together with the script's other options. A model
that never ran, and that fails at one place in several command lines, on other data in each, is wrong in all of them,
unless it is the data and the options that disagree. A configuration file like one that is used was written for the
script, and a line that chooses it shows mistakes of its own, but none between the data and the options. A model that
contradicts itself is wrong in one command line as well, if no option has a part in that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import torch

from metalens.protocol.messages import Caller, Finding
from metalens.worker import judge
from metalens.worker.judge.case import Case
from metalens.worker.judge.lineage import lineage_of
from metalens.worker.judge.rules import mistake_of
from metalens.worker.trace.facts import Facts, Failure
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.operands import tensors_in
from metalens.worker.within import contradicts_itself

_LEAST = 2
_NOTE = "Nobody wrote this command line; it fails with each of the {count} that were tried."
_ITSELF = "Nobody wrote this command line, but no option has a part in what fails: {line}"


@dataclass
class Chosen:
    """Failures of runs in which nothing was in doubt but the choice, each with its command line."""

    failed: list[tuple[Caller, Failure]] = field(default_factory=list)
    itself: list[tuple[Caller, Failure]] = field(default_factory=list)

    def add(self, caller: Caller, failure: Failure, observer: Observer) -> None:
        """Remember a failure of a model."""
        if failure.modules and failure.grade == "mended":
            self.failed.append((caller, failure))
            told = replace(failure, grade="clean")
            if _contradicts_itself(told, observer):
                self.itself.append((caller, told))

    def findings(self, seen: list[Seen], facts: Facts) -> Iterator[Finding]:
        """What fails with whatever is chosen. `seen` are all the modules of the run."""
        ran = {_class(item.built.module) for item in seen if item.returned and item.call_source != "probe"}
        groups: dict[Any, list[tuple[Caller, Failure]]] = {}
        for caller, failure in self.failed:
            key = failure.frames[-1].location, type(failure.error), _class(failure.modules[0].module)
            groups.setdefault(key, []).append((caller, failure))
        for (*_, model), group in groups.items():
            lines = {(caller.file, caller.argv) for caller, _ in group}
            inputs = {failure.inputs.text for _, failure in group if failure.inputs is not None}
            failure = replace(group[0][1], grade="clean")
            if model in ran or min(len(lines), len(inputs)) < _LEAST or is_of_data(failure, facts) is not False:
                continue
            told = judge.findings_of([failure], facts)
            yield from (replace(item, notes=(*item.notes, _NOTE.format(count=len(lines)))) for item in told)
        alone = {
            (failure.frames[-1].location, type(failure.error)): (caller, failure) for caller, failure in self.itself
        }
        for caller, failure in alone.values():
            note = _ITSELF.format(line=" ".join(caller.argv))
            yield from (replace(item, notes=(*item.notes, note)) for item in judge.findings_of([failure], facts))


def _contradicts_itself(failure: Failure, observer: Observer) -> bool:
    try:
        case = judge.case_of(failure, observer.tracer.facts)
        return case is not None and contradicts_itself(case, observer)
    except Exception:  # noqa: BLE001 - judging runs torch on what user code left behind
        return False


def is_of_data(failure: Failure, facts: Facts) -> Optional[bool]:
    """Whether a model failed where data as it is given meets a size that options decide; None if nobody can tell."""
    try:
        case = judge.case_of(failure, facts) if failure.modules else None
        return _meets_data(case) if case is not None else None
    except Exception:  # noqa: BLE001 - judging runs torch on what user code left behind
        return None


def _meets_data(case: Case) -> bool:
    mistake = mistake_of(case)
    call = case.failure.modules[0]
    given = list(tensors_in((call.args, call.kwargs)))
    # What is given may have been made of something else: `model(x / 255)`.
    sources = [lineage_of(case.facts, part, dim).tensor for part in given for dim in range(part.dim())]
    data, decided = 0, mistake.layer is not None
    for tensor, dim in ((mistake.tensor, mistake.dim), (mistake.other, mistake.other_dim)):
        if tensor is None or not tensor.dim():
            continue
        lineage = lineage_of(case.facts, tensor, dim)
        decided = decided or lineage.layer is not None or isinstance(lineage.tensor, torch.nn.Parameter)
        data += lineage.layer is None and any(lineage.tensor is part for part in (*given, *sources))
    return bool(data) and decided


def _class(module: Any) -> tuple[str, str]:
    """A class by its names: each command line makes its own one."""
    return type(module).__module__, type(module).__qualname__
