"""How the command line says what a class was built with, and who says so."""

from __future__ import annotations

from metalens.cli.paths import relative
from metalens.features.models import construction
from metalens.protocol.messages import Context
from metalens.protocol.values import Evidence


def provenance(evidence: Evidence) -> str:
    """`call site train.py:12`: the kind of evidence and, where known, its place, one-based as people read it."""
    if evidence.location is None:
        return evidence.source
    return f"{evidence.source} {relative(evidence.location.file)}:{evidence.location.range.start.line + 1}"


def built_with(context: Context) -> tuple[str, ...]:
    """How a class was built, then how it was called, and who says so: `Net(10) from call site train.py:12`."""
    told = ((construction(context), context.arguments), (context.inputs.text if context.inputs else "", context.inputs))
    return tuple(f"{text} from {provenance(evidence)}" for text, evidence in told if evidence is not None)
