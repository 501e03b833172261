"""`metalens explain RULE`: the page of a rule; without one, all rules in a line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from metalens.cli.terminal import Palette, palette_for
from metalens.workspace.rules import Page, near, pages


@dataclass(frozen=True)
class ExplainOptions:
    """`rule` may be empty: all of them. `format` is `text` or `json`."""

    rule: str = ""
    format: str = "text"


def explain(options: ExplainOptions) -> int:
    """Write to standard output; the exit code is always 0. Raises NoSuchRule."""
    chosen = [_page(options.rule)] if options.rule else list(pages().values())
    if options.format == "json":
        entries = [{"rule": page.rule, "summary": page.summary, "page": page.text} for page in chosen]
        sys.stdout.write(json.dumps(entries[0] if options.rule else entries, ensure_ascii=False) + "\n")
    elif options.rule:
        sys.stdout.write("\n".join(_shown(chosen[0].text, palette_for(sys.stdout))) + "\n")
    else:
        width = max((len(page.rule) for page in chosen), default=0)
        sys.stdout.writelines(f"{page.rule:<{width}}  {_first_sentence(page.summary)}\n" for page in chosen)
    return 0


class NoSuchRule(Exception):
    """A name that is no rule; its text is a sentence for the user."""


def _page(rule: str) -> Page:
    found = pages().get(rule)
    if found is None:
        meant = near(rule)
        hint = f"did you mean {' or '.join(meant)}?" if meant else "`metalens explain` lists them all"
        raise NoSuchRule(f"there is no rule {rule}; {hint}")
    return found


def _shown(text: str, palette: Palette) -> Iterator[str]:
    """Markdown as a terminal shows it: headlines are strong, code is indented, fences are not shown."""
    within = False
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("```"):
            within = not within
        elif within:
            yield palette.frame(f"    {line}".rstrip())
        else:
            yield palette.strong(line.lstrip("# ")) if line.startswith("#") else line


def _first_sentence(text: str) -> str:
    head, stop, _ = text.partition(". ")
    return head + "." if stop else text
