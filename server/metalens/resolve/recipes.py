"""The shell commands that stand in a file: a script, a Makefile, a Dockerfile, a page, a notebook."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence

from metalens.resolve.shell import UNTOLD, Command, commands

_FENCE = re.compile(r"^[ \t]*```[ \t]*(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]*\.(?:py|sh) [^`\n]*)`|<code>([^<\n]*\.(?:py|sh) [^<\n]*)</code>")
_INDENTED = re.compile(r"(?:^(?: {3,}|\t)[^\n]*\n?)+", re.MULTILINE)
_PROMPT = re.compile(r"^[ \t]*(?:[\w.@:~/()-]*[$%#>]|!)[ \t]+(?=\S)|^[ \t]*!(?=\w)", re.MULTILINE)
# What a page writes for the reader to fill in, and what it offers to choose from.
_HOLE = re.compile(
    r"<[^<>\n]{1,80}>|\[[A-Za-z][^\]\n]* [^\]\n]*\]|\[[A-Z][A-Z_]+\]|(?<=\s)\[[a-z]\w+\]|(?<=\s)(?:\.\.\.|…)(?=\s|$)"
    r"|(?<![$\w])\{\*{0,2}[A-Za-z][\w -]*\*{0,2}\}"
    r"|(?P<echo>(?<=--)(?P<option>\w[\w-]*)[= ])(?i:(?P=option))(?=\s|$)"
)
_OPTIONAL = re.compile(r"\[-(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]")
_OFFER = re.compile(r"[\[{(]([\w.-]+)[|,][\w.,| -]*[\]})]")

_MAKE_VARIABLE = re.compile(r"^(\w+)[ \t]*[:?+]?=[ \t]*(.*)$", re.MULTILINE)
_MAKE_USE = re.compile(r"\$\((\w+)\)")
_DOCKER = re.compile(r"^[ \t]*(?P<word>RUN|CMD|ENTRYPOINT|WORKDIR|ENV|ARG)[ \t]+", re.MULTILINE | re.IGNORECASE)
_JSON_LIST = re.compile(r"^\[.*\]$", re.MULTILINE)


def commands_in(file: str, text: str, arguments: Sequence[str] = ()) -> tuple[Command, ...]:
    """What runs a Python file or a shell script there. `arguments` are those of a script. Never raises."""
    if not _runs_something(text):
        return ()
    return tuple(found for script in _scripts(file, text) for found in commands(script, arguments))


def _runs_something(text: str) -> bool:
    return ".py" in text or " -m " in text or ".sh" in text


def _scripts(file: str, text: str) -> Iterator[str]:
    name = os.path.basename(file)
    if name.endswith((".md", ".rst")):
        yield from _of_page(text)
    elif name.endswith(".ipynb"):
        yield from _of_notebook(text)
    elif name.lower() == "makefile" or name.endswith(".mk"):
        yield _of_makefile(text)
    elif name.endswith("Dockerfile"):
        yield _of_dockerfile(text)
    else:
        yield text


def _of_page(text: str) -> Iterator[str]:
    fences = list(_FENCE.finditer(text))
    rest = _FENCE.sub("\n", text)
    found = [fence["code"] for fence in fences if fence["language"].lower() not in ("python", "py", "python3")]
    found += [block[0] for block in _INDENTED.finditer(rest)]
    found += [span[1] or span[2] for span in _INLINE.finditer(rest)]
    for code in found:
        if _runs_something(code):
            yield _PROMPT.sub("", _HOLE.sub(_hole, _OFFER.sub(r"\1", _OPTIONAL.sub("", code))))


def _hole(found: re.Match[str]) -> str:
    """What is left of something to fill in; `--rank RANK` is that, `--data data` is not."""
    if found["echo"] and not found[0][len(found["echo"]) :].isupper():
        return found[0]
    return f"{found['echo'] or ''}${{{UNTOLD}}}"


def _of_notebook(text: str) -> Iterator[str]:
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):  # a notebook that is none has no commands
        return
    for source in sources:
        lines = [line for line in source.splitlines() if line.lstrip()[:1] in ("!", "%")]
        yield "\n".join(line.lstrip().lstrip("!%").replace("run ", "python ", 1) for line in lines)


def _of_makefile(text: str) -> str:
    """Each recipe line is a shell of its own."""
    variables = [f"{found[1]}={shlex.quote(found[2])}" for found in _MAKE_VARIABLE.finditer(text)]
    joined = re.sub(r"\\\n\s*", " ", text)
    recipes = [line.lstrip("\t@-+ ") for line in joined.splitlines() if line.startswith("\t")]
    return _MAKE_USE.sub(r"${\1}", "\n".join([*variables, *(f"({line})" for line in recipes)])).replace("$$", "$")


def _of_dockerfile(text: str) -> str:
    def word(found: re.Match[str]) -> str:
        return {"ENV": "export ", "ARG": "export "}.get(found["word"].upper(), "")

    def spelled(found: re.Match[str]) -> str:
        try:
            return shlex.join(str(item) for item in json.loads(found[0]))
        except ValueError:
            return ""

    lines = [line for line in text.splitlines() if not line.lstrip().upper().startswith("WORKDIR")]
    return _JSON_LIST.sub(spelled, _DOCKER.sub(word, "\n".join(lines)))
