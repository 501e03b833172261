"""Caret annotations in ordinary Python files: what a test expects, written below the code that it speaks of.

        x = self.head(image)
#       ^ hover: `x` [32, 10]
#           ^^^^^^^^^^^^^^^^ error[linear-in-features]: head expects 400 input features, got 14400
#                          | fix: Change in_features of head to 14400

Carets stand under a range of the nearest code line above; `^^^>` is a range that ends in a later line. `#<` speaks of
the whole line, `#<^^` of a range that begins in column 0. Lines that begin with `|` go on with the text. `error!` is a
result known to be wrong, `missed!` a mistake known not to be found, and a line that begins with `!` says why.
Reading a file and writing it again changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

ANNOTATION = re.compile(
    r"#(?P<lead> *)(?P<mark><\^*|\^+)(?P<open>>?) "
    r"(?P<kind>[a-z]+)(?P<wrong>!?)(?:\[(?P<code>[a-z0-9-]+)\])?(?:: (?P<text>.*))?"
)
CONTINUATION = re.compile(r"# *(?P<mark>[|!])(?: (?P<text>.*))?")


@dataclass(frozen=True)
class Span:
    """Columns of a range in its line, in code points; `open` when the range ends in a later line."""

    start: int
    end: int
    open: bool = False


@dataclass(frozen=True)
class Annotation:
    """One expectation about a line of code, counted without annotation lines. No span: it is about the whole line."""

    line: int
    span: Span | None
    kind: str
    code: str = ""
    text: tuple[str, ...] = ()
    wrong: bool = False
    reason: tuple[str, ...] = ()


@dataclass(frozen=True)
class Annotated:
    """A file taken apart into its lines of code and what is said of them."""

    code: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    newline: str = "\n"

    def code_lines(self) -> dict[int, int]:
        """From line numbers of the written file to those of its code; lines of annotations are not in it."""
        numbers: dict[int, int] = {}
        for number in range(len(self.code)):
            above = sum(len(_lines(item)) for item in self.annotations if item.line < number)
            numbers[number + above] = number
        return numbers


def read(text: str) -> Annotated:
    """Take a file apart. Raises ValueError for an annotation above all code."""
    newline = "\r\n" if "\r\n" in text else "\n"
    code: list[str] = []
    annotations: list[Annotation] = []
    inside = False
    for line in text.split(newline):
        if match := ANNOTATION.fullmatch(line):
            annotations.append(_begun(len(code) - 1, match))
            inside = True
        elif inside and (match := CONTINUATION.fullmatch(line)):
            annotations[-1] = _continued(annotations[-1], match)
        else:
            code.append(line)
            inside = False
    return Annotated(tuple(code), tuple(annotations), newline)


def write(annotated: Annotated) -> str:
    """Put a file together again. Raises ValueError for a range that carets cannot show."""
    lines: list[str] = []
    for number, line in enumerate(annotated.code):
        lines.append(line)
        for item in annotated.annotations:
            if item.line == number:
                lines += _lines(item)
    return annotated.newline.join(lines)


def _begun(line: int, match: re.Match[str]) -> Annotation:
    if line < 0:
        raise ValueError(f"an annotation above all code: {match.group()}")
    text = () if match["text"] is None else (match["text"],)
    return Annotation(line, _span(match), match["kind"], match["code"] or "", text, bool(match["wrong"]))


def _span(match: re.Match[str]) -> Span | None:
    if match["mark"] == "<":
        return None
    start = 0 if match["mark"].startswith("<") else match.start("mark")
    return Span(start, match.end("mark"), bool(match["open"]))


def _continued(annotation: Annotation, match: re.Match[str]) -> Annotation:
    text = match["text"] or ""
    if match["mark"] == "!":
        return replace(annotation, reason=(*annotation.reason, text))
    return replace(annotation, text=(*annotation.text, text))


def _lines(item: Annotation) -> list[str]:
    mark = "#<" if item.span is None else _carets(item.span)
    label = item.kind + ("!" if item.wrong else "") + (f"[{item.code}]" if item.code else "")
    first, *rest = item.text or (None,)
    margin = "#" + " " * (len(mark.rstrip(">")) - 2)
    return [
        f"{mark} {label}" + ("" if first is None else f": {first}"),
        *(f"{margin}| {text}" if text else f"{margin}|" for text in rest),
        *(f"{margin}! {text}" if text else f"{margin}!" for text in item.reason),
    ]


def _carets(span: Span) -> str:
    beyond = ">" if span.open else ""
    if span.start > 0:
        return "#" + " " * (span.start - 1) + "^" * (span.end - span.start) + beyond
    if span.end < 3:
        raise ValueError("carets cannot show one or two columns at the start of a line")
    return "#<" + "^" * (span.end - 2) + beyond
