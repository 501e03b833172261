"""The Python code that stands in other files: fences of Markdown, cells of notebooks."""

from __future__ import annotations

import json
import re
import textwrap

_FENCE = re.compile(r"^[ \t]*```(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
_LANGUAGES = frozenset({"", "py", "python", "python3"})
_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)


def python_in(file: str, text: str) -> str:
    """The code of a file as one program; its lines are not those of the file unless that is Python itself."""
    if file.endswith((".md", ".rst")):
        return "\n".join(
            textwrap.dedent(found["code"])
            for found in _FENCE.finditer(text)
            if found["language"].lower() in _LANGUAGES and "import" in found["code"]
        )
    if file.endswith(".ipynb"):
        return _cells(text)
    return text


def _cells(text: str) -> str:
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):  # a notebook that is none has no code
        return ""
    return "\n".join(_MAGIC.sub("pass", source) for source in sources)
