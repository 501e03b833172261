"""The rules: what each mistake is called, and the page that explains it. The pages ship inside the package."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).resolve()

# In a checkout the pages stand where people read them; packaging puts them beside the code.
_FOLDERS = (_HERE.parents[1] / "rules", _HERE.parents[3] / "docs" / "rules")
_INDEX = "README"


@dataclass(frozen=True)
class Page:
    """A rule, its Markdown page, and the first paragraph of that."""

    rule: str
    path: Path
    text: str
    summary: str


@lru_cache(maxsize=1)
def pages() -> Mapping[str, Page]:
    """All rules by name, in alphabetical order."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
    return {path.stem: _read(path) for path in sorted(folder.glob("*.md")) if path.stem != _INDEX}


def near(name: str) -> tuple[str, ...]:
    """The rules that someone may have meant by a name that is none, the likeliest first."""
    alike = difflib.get_close_matches(name.lower().replace("_", "-"), pages(), 3, 0.6)
    parts = [rule for rule in pages() if len(name) > 2 and name.lower() in rule]
    return tuple(dict.fromkeys([*alike, *parts]))[:3]


def no_such_rule(name: str) -> str:
    """One sentence on a name that is no rule."""
    meant = near(name)
    return f"there is no rule {name}" + (f"; did you mean {meant[0]}?" if meant else "")


def _read(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    paragraphs = [part.strip() for part in text.split("\n\n")]
    return Page(path.stem, path, text, " ".join(paragraphs[1].split()) if len(paragraphs) > 1 else "")
