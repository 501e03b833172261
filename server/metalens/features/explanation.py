"""Why something is wrong, for the hover over a squiggle: PyTorch's words, assumptions, fixes."""

from __future__ import annotations

from metalens.protocol.messages import Finding


def explanation(finding: Finding) -> str:
    """Markdown on a finding beyond its message and the places behind it, which editors show; empty if there is none."""
    parts = [
        f"PyTorch would say:\n{_verbatim(finding.torch)}" if finding.torch else "",
        "  \n".join(finding.notes),
        "\n".join(["**Fixes**, each tried:", "", *(f"- {fix.title}" for fix in finding.fixes)])
        if finding.fixes
        else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _verbatim(text: str) -> str:
    """A block of text that shows every character as it is, so that people can search for it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text.strip()}\n{fence}"
