"""Why something is wrong, for the hover over a squiggle: the places behind it, PyTorch's words, fixes, assumptions."""

from __future__ import annotations

from pathlib import Path

from metalens.engine.result import Result
from metalens.features.words import code
from metalens.protocol.messages import Finding, Related


def explanation(result: Result, finding: Finding) -> str:
    """Markdown on a finding beyond its message; empty where there is nothing to add."""
    why = [f"- {_place(part, result)}: {part.message}" for part in finding.related]
    parts = [
        "\n".join([f"**Why** {code(finding.code)}", "", *why]) if why else "",
        "  \n".join(finding.notes),
        f"PyTorch would say:\n{_verbatim(finding.torch)}" if finding.torch else "",
        "\n".join(["**Fixes**, each tried:", "", *(f"- {fix.title}" for fix in finding.fixes)])
        if finding.fixes
        else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _place(part: Related, result: Result) -> str:
    line = part.location.range.start.line + 1
    return f"line {line}" if part.location.file == result.file else f"{Path(part.location.file).name}:{line}"


def _verbatim(text: str) -> str:
    """A block of text that shows every character as it is, so that people can search for it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text.strip()}\n{fence}"
