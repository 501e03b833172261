"""Modules in a plain list, tuple or dict: `parameters()`, `to()` and `state_dict()` do not see them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Optional

from torch import nn

from metalens.protocol.messages import Finding, Fix
from metalens.worker.judge import words
from metalens.worker.judge.quiet.classes import Code, code_of, is_read_elsewhere
from metalens.worker.judge.repair.edits import fix
from metalens.worker.judge.source import Source
from metalens.worker.trace.facts import Facts
from metalens.worker.trace.observe import Observer

_DEPTH = 3
# Who writes one of these takes care of the parameters, or keeps them out on purpose.
_AWARE = re.compile(
    r"requires_grad|\.eval\(|no_grad|\bdef (parameters|named_parameters|_apply|to|cuda|state_dict|train|children)\b"
    r"|\badd_module\b|register_module|register_parameter|ParameterList|(?<!self)\.parameters\(\)"
)


def unregistered(observer: Observer, facts: Facts) -> Iterator[Finding]:
    """One finding for each attribute of a class that hides modules which the class itself builds."""
    held = {id(child) for built in facts.built.values() for child in vars(built.module).get("_modules", {}).values()}
    done: set[tuple[type, str]] = set()
    for seen in observer.seen:
        module = seen.built.module
        if not seen.done or seen.assumed or seen.mended:
            continue
        for name, value in list(vars(module).items()):
            if not isinstance(value, (list, tuple, dict)) or name.startswith("_") or (type(module), name) in done:
                continue
            lost = [
                part for part in _modules_in(value) if id(part) not in held and any(True for _ in part.parameters())
            ]
            if lost:
                done.add((type(module), name))
                yield from _told(module, name, value, lost, facts)


def _told(module: Any, name: str, value: Any, lost: list[Any], facts: Facts) -> Iterator[Finding]:
    code = code_of(facts, type(module))
    place = code.assignment(name) if code is not None else None
    if code is None or place is None or _AWARE.search(code.text()) or is_read_elsewhere(facts, code, name):
        return
    registered = {id(parameter) for parameter in module.parameters()}
    for part in lost:
        built = facts.built_of(part)
        if built is None or built.location is None or not _is_built_by(code, built.location):
            return
        if any(id(parameter) in registered for parameter in part.parameters()):
            return
    source, statement, target = place
    kind = "dict" if isinstance(value, dict) else "list" if isinstance(value, list) else "tuple"
    better = "ModuleDict" if isinstance(value, dict) else "ModuleList"
    count = f"its {len(lost)} modules are" if len(lost) > 1 else "its module is"
    message = words.fit(
        f"{name} is a plain {kind}: {count} not registered (use nn.{better})",
        f"{name} is a plain {kind}: {count} not registered",
    )
    yield Finding(
        "unregistered-module",
        "warning",
        message,
        source.location_of(target),
        type(module).__qualname__,
        notes=("parameters(), to() and state_dict() do not see them: an optimizer does not train them.",),
        fixes=tuple(_fixes(source, statement, better)),
    )


def _modules_in(value: Any, depth: int = _DEPTH) -> Iterator[Any]:
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, (list, tuple, dict)) and depth:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _modules_in(part, depth - 1)


def _is_built_by(code: Code, location: Any) -> bool:
    return code.holds(location.file, location.range.start.line)


def _fixes(source: Source, statement: ast.Assign, better: str) -> Iterator[Fix]:
    written = _name_of(source, better)
    if written is None:
        return
    value = statement.value
    text = source.slice(source.range_of(value))
    if (isinstance(value, (ast.List, ast.Tuple)) and not value.elts) or (
        isinstance(value, ast.Dict) and not value.keys
    ):
        text = ""
    elif isinstance(value, ast.Tuple) and not text.startswith("("):
        text = f"({text})"
    yield Fix(f"Use nn.{better}", fix("", source.replace(value, f"{written}({text})")).edits, preferred=True)


def _name_of(source: Source, better: str) -> Optional[str]:
    """How this file names a class of torch.nn."""
    names = {}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "torch.nn" and alias.asname:
                    names[f"{alias.asname}.{better}"] = 1
                elif alias.name in ("torch", "torch.nn"):
                    names[f"{alias.asname or 'torch'}.nn.{better}"] = 2
        elif isinstance(node, ast.ImportFrom) and node.module in ("torch", "torch.nn"):
            for alias in node.names:
                if node.module == "torch" and alias.name == "nn":
                    names[f"{alias.asname or 'nn'}.{better}"] = 1
                elif node.module == "torch.nn" and alias.name == better:
                    names[alias.asname or better] = 0
    return min(names, key=lambda name: names[name]) if names else None
