"""Shapes of inputs that people wrote down: docstrings, comments and annotations tell ranks and equal sizes."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

import torch

_WORD = r"(?:<=?\s*)?[A-Za-z_]\w*(?:\s*(?:\*|//|/|\+|-)\s*\w+)?|\d+"
_LIST = re.compile(rf"[\[(]\s*((?:{_WORD})(?:\s*,\s*(?:{_WORD}))*)\s*,?\s*[\])]")
_CROSSED = re.compile(r"(?<![\w.])([A-Za-z]\w*|\d+)((?:\s+[x×]\s+(?:[A-Za-z]\w*|\d+)){1,5})(?![\w.])")
_QUOTED = re.compile(r"""["']\s*((?:\w+\s+){1,5}\w+)\s*["']""")
_PARTS = re.compile(r"""["'](\w+)["']""")
_BATCH = re.compile(r"^(b|n|bs|bsz|batch|batch_?size|num_?batch(es)?|nb)$", re.IGNORECASE)
_SPACE = re.compile(r"^(h|w|d|height|width|depth|h_in|w_in|img_?size|image_?size)$", re.IGNORECASE)
_WIDTH = re.compile(
    r"dim|embed|hidden|feat|channel|state|model|width|size$|^(c|d|e|f|cin|c_in|in_c|in_channels)$", re.I
)
_CHANNELS = re.compile(r"^(c|ch|channels?|c_?in|in_channels|num_channels)$", re.IGNORECASE)
_STARTS = re.compile(
    r"\s*(?:inputs?|shape|size)?\s*(?:shape|size)?\s*[:=]?\s*(?:[\[(]|[a-z]\w*\s+[x×]\s)", re.IGNORECASE
)
_INTEGERS = re.compile(r"LongTensor|IntTensor|\bint64\b|\blong\b|token ids?|\bindices\b|\bInt\[", re.IGNORECASE)
_SAYS_SHAPE = re.compile(r"shape|size|dim|tensor|input", re.IGNORECASE)
_LENGTH, _EDGE = 16, 64

# name: the words for its dimensions, and what else is said of it
Written = Mapping[str, "tuple[tuple[str, ...], str]"]


def written_shapes(forward: Any, names: Sequence[str]) -> Written:
    """What is written of the parameters `names` around a function; of each the first shape that is found."""
    code = getattr(inspect.unwrap(getattr(forward, "__func__", forward)), "__code__", None)
    text = "".join(linecache.getlines(code.co_filename)) if code is not None else ""
    function, cls = _nodes_of(code, text)
    if function is None:
        return {}
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    docs = [part for part in (ast.get_docstring(function), ast.get_docstring(cls) if cls else None) if part]
    lines = text.split("\n")[function.lineno - 1 : _first_of(function).lineno - 1]
    head = [line.partition("#") for line in lines]
    for name in names:
        said = [
            *_annotations(function, name),
            *(after for before, mark, after in head if mark and _ends_with(before, name)),
            *(line for doc in docs for line in _about(name, doc.split("\n"))),
            *(rest for _, mark, after in head if mark for rest in _of_name(after, name)),
        ]
        for line in said:
            words = words_of(line)
            if words:
                found[name] = words, line
                break
    if names and names[0] not in found:
        # `# B x C x H x W` above the first statement speaks of the first input, as does `- Input: (N, C, L)`.
        above = [after for before, mark, after in head[1:] if mark and not before.strip() and _STARTS.match(after)]
        for line in (*above, *(line for doc in docs for line in _about("Input", doc.split("\n")))):
            words = words_of(line)
            if words:
                found[names[0]] = words, line
                break
    return found


def taken_apart(forward: Any, name: str) -> tuple[str, ...]:
    """The names that a function gives to the parts of a parameter: `audio, text = batch`; none if it does not."""
    code = getattr(inspect.unwrap(getattr(forward, "__func__", forward)), "__code__", None)
    text = "".join(linecache.getlines(code.co_filename)) if code is not None else ""
    function, _ = _nodes_of(code, text)
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
            parts = node.targets[0].elts if isinstance(node.targets[0], (ast.Tuple, ast.List)) else []
            if parts and all(isinstance(part, ast.Name) for part in parts):
                return tuple(part.id for part in parts if isinstance(part, ast.Name))
    return ()


def words_of(line: str) -> tuple[str, ...]:
    """The dimensions of the shape that a line speaks of; none if there is no shape in it."""
    for match in _LIST.finditer(line):
        words = tuple(word.strip() for word in match.group(1).split(","))
        before = line[: match.start()]
        is_call = re.search(r"\w$", before)
        if not is_call and (len(words) > 1 or _SAYS_SHAPE.search(before[-20:])):
            return words
    crossed = _CROSSED.search(line)
    return tuple(word.strip() for word in re.split(r"\s+[x×]\s+", crossed.group(0))) if crossed else ()


def sizes_of(module: torch.nn.Module, written: Written) -> dict[str, tuple[int, ...]]:
    """Sizes for what is written: the same word is the same size everywhere, numbers and attributes are themselves."""
    known: dict[str, int] = {}
    width = _width_of(module)
    found = {}
    for name, (words, _) in written.items():
        for place, word in enumerate(words):
            if word not in known:
                known[word] = _size(module, word, place, len(words), width)
        found[name] = tuple(known[word] for word in words)
    return {name: sizes for name, sizes in found.items() if all(size > 0 for size in sizes)}


def are_integers(said: str) -> Optional[bool]:
    """Whether a line says that a tensor holds whole numbers; None if it says nothing of that."""
    if _INTEGERS.search(said):
        return True
    return False if re.search(r"FloatTensor|\bfloat|torch\.Tensor|\bFloat\[", said) else None


# ---------------------------------------------------------------- inside


def _nodes_of(code: Any, text: str) -> tuple[Any, Any]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None, None
    for cls in ast.walk(tree):
        for node in getattr(cls, "body", ()) if isinstance(cls, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef) and code is not None:
                first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
                if node.name == code.co_name and first == code.co_firstlineno:
                    return node, cls
    return None, None


def _ends_with(signature: str, name: str) -> bool:
    """Whether a line of a signature ends with this parameter, so that a comment behind it speaks of it."""
    return re.search(rf"(?<!\w){re.escape(name)}\s*(:[^,]*)?(=[^,]*)?,?\s*\)?\s*:?\s*$", signature) is not None


def _of_name(comment: str, name: str) -> Iterator[str]:
    """What a comment says behind a name, if that is a shape: `x: (B, T), mask: (B,)`."""
    shape = r"\s*(?:\.shape|\.size\(\))?\s*(?:[:=]*\s*([\[(].*)|[:=]\s*(\w+\s+[x×]\s.*))"
    match = re.search(rf"(?<!\w){re.escape(name)}{shape}", comment)
    if match:
        yield match.group(1) or match.group(2)


def _first_of(function: Any) -> ast.stmt:
    """The first statement after the docstring: what is written before it speaks of what comes in."""
    body: list[ast.stmt] = function.body
    return body[1] if len(body) > 1 and ast.get_docstring(function) is not None else body[0]


def _annotations(function: Any, name: str) -> Iterator[str]:
    """The text in quotes of `x: Float[Tensor, "b c h w"]`, as a list."""
    for part in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        annotation = part.annotation
        said = ast.unparse(annotation) if annotation is not None else ""
        if isinstance(annotation, ast.Constant):
            said = str(annotation.value)  # put off by quotes
        if part.arg == name and "[" in said:
            quoted = _QUOTED.search(said)
            if quoted:
                yield f"{said.partition('[')[0]} shape ({', '.join(quoted.group(1).split())})"
            elif _PARTS.search(said):
                yield f"shape ({', '.join(_PARTS.findall(said))})"


def _about(name: str, lines: Sequence[str]) -> Iterator[str]:
    """What is said of a name where a line begins with it: the rest of that line, and of the next one."""
    before, after = r"^\W*(?:param\s+)?[`*]*", r"[`*]*\s*(?:\([^)]*\)\s*)?[:=,]"
    start = re.compile(before + re.escape(name) + after, re.IGNORECASE)
    for at, line in enumerate(lines):
        match = start.match(line)
        if match:
            rest = line[match.start() :].replace(name, "", 1)
            yield rest
            if at + 1 < len(lines):
                yield f"{rest} {lines[at + 1]}"


def _size(module: Any, word: str, place: int, rank: int, width: int) -> int:
    word = word.lstrip("<= ")
    if word.isdigit():
        return int(word)
    if place == 0 and (rank > 1 or _BATCH.match(word)):
        return 2 if not re.match(r"^(t|l|s|seq\w*|len\w*)$", word, re.IGNORECASE) else _LENGTH
    if _BATCH.match(word) and len(word) > 1:
        return 2
    own = getattr(module, word, None)
    if isinstance(own, int) and not isinstance(own, bool):
        return own
    if _SPACE.match(word) and (rank >= 4 or word.lower() not in ("d", "w", "h")):
        return _EDGE
    if not width and rank >= 4 and _CHANNELS.match(word):
        return 3
    if width and (_WIDTH.search(word) or (rank > 2 and place == rank - 1 and not re.match(r"^[tls]$", word, re.I))):
        return width
    return _LENGTH


def _width_of(module: torch.nn.Module) -> int:
    for part in module.modules():
        for name in ("in_channels", "in_features", "input_size", "embed_dim", "embedding_dim", "num_features"):
            value = getattr(part, name, None)
            if isinstance(value, int) and next(part.children(), None) is None:
                return value
        shape = getattr(part, "normalized_shape", None)
        if shape:
            return int(shape[-1])
    return 0
