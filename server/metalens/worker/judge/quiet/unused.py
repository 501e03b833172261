"""Layers with parameters that no code uses: memory for nothing, and numbers that nothing trains."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Location, Position, Range
from metalens.worker.judge import words
from metalens.worker.judge.quiet.classes import Code, code_of, is_read_elsewhere
from metalens.worker.judge.source import Source
from metalens.worker.trace.facts import Facts
from metalens.worker.trace.observe import Observer, Seen

# Ways to a layer that does not name it.
_DYNAMIC = re.compile(
    r"\bgetattr\(|__getattr|__dict__|\bvars\(|\beval\(|\bexec\(|_modules\b|\bget_submodule\b|\.apply\("
    r"|\.(named_)?(children|modules)\(|\.(load_)?state_dict\("
)


def unused(observer: Observer, facts: Facts) -> Iterator[Finding]:
    """One finding for each attribute of a class whose forward ran to its end without it, where no code names it."""
    done: set[type] = set()
    for seen in observer.seen:
        cls = type(seen.built.module)
        if cls not in done and seen.returned and not seen.assumed:
            done.add(cls)
            yield from _of_class(seen, cls, observer, facts)


def _of_class(seen: Seen, cls: Any, observer: Observer, facts: Facts) -> Iterator[Finding]:
    code = code_of(facts, cls) if not cls.__subclasses__() else None
    if code is None or _DYNAMIC.search(code.text()):
        return
    named = _names(code)
    for name, layer in vars(seen.built.module)["_modules"].items():
        if layer is None or name in named or not any(True for _ in nn.Module.parameters(layer)):
            continue
        if any(id(part) in observer.calls for part in nn.Module.modules(layer)):
            continue
        place = code.assignment(name)
        if place is None or is_read_elsewhere(facts, code, name):
            continue
        source, statement, target = place
        count = sum(parameter.numel() for parameter in nn.Module.parameters(layer))
        message = words.fit(f"{name} is never used: nothing trains its {count:,} parameters", f"{name} is never used")
        fixes = tuple(_fixes(source, statement, name))
        yield Finding("unused-layer", "hint", message, source.location_of(target), cls.__qualname__, fixes=fixes)


def _names(code: Code) -> set[str]:
    """What the class reads: attributes of anything, and strings that may name one."""
    found: set[str] = set()
    for _, node in code.nodes():
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def _fixes(source: Source, statement: ast.Assign, name: str) -> Iterator[Fix]:
    """Remove the statement with its lines, where something else is left in its block."""
    holder = source.parents.get(statement)
    body = getattr(holder, "body", [])
    place = source.range_of(statement)
    line = source.lines[place.start.line]
    if len(body) < 2 or line[: place.start.column].strip() or place.end.line + 1 >= len(source.lines):
        return
    if source.lines[place.end.line][place.end.column :].strip():
        return
    whole = Range(Position(place.start.line, 0), Position(place.end.line + 1, 0))
    yield Fix(f"Remove {name}", (Edit(Location(source.file, whole), ""),), preferred=True)
