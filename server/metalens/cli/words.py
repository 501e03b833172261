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


def built_with(context: Context) -> str:
    """How a class was built and called, and who says so: `Net(10), input x [32, 10] from call site train.py:12`."""
    if context.arguments is None:
        return ""
    told = construction(context)
    if context.inputs is None:
        return f"{told} from {provenance(context.arguments)}"
    origins = dict.fromkeys((provenance(context.arguments), provenance(context.inputs)))
    return f"{told}, input {context.inputs.text} from {' and '.join(origins)}"
