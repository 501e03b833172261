"""The source of a module class that was seen in a run: its own code and that of the classes it derives from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from torch import nn

from metalens.worker.judge.source import Source, source_of
from metalens.worker.trace.facts import Facts
from metalens.worker.trace.observe import class_file

_PLAIN_BASES = (nn.Module, object)


@dataclass(frozen=True)
class Code:
    """The class statements of a class and its bases in the workspace, with the files in which they stand."""

    parts: tuple[tuple[Source, ast.ClassDef], ...]

    def nodes(self) -> Iterator[tuple[Source, ast.AST]]:
        """Everything inside of them."""
        for source, part in self.parts:
            for node in ast.walk(part):
                yield source, node

    def text(self) -> str:
        """Their text."""
        return "\n".join(source.slice(source.range_of(part)) for source, part in self.parts)

    def assignment(self, name: str) -> Optional[tuple[Source, ast.Assign, ast.Attribute]]:
        """The first statement that does nothing but assign to `self.name`."""
        for source, node in self.nodes():
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                if isinstance(target, ast.Attribute) and target.attr == name and _is_self(target.value):
                    return source, node, target
        return None

    def holds(self, file: str, line: int) -> bool:
        """Whether a zero-based line of a file is inside of one of the classes."""
        return any(
            source.file == file and part.lineno - 1 <= line < (part.end_lineno or part.lineno)
            for source, part in self.parts
        )


def code_of(facts: Facts, cls: Any) -> Optional[Code]:
    """The code of a class; None if some of it cannot be seen, or the class derives from one of another package."""
    parts = []
    for base in cls.__mro__:
        if base in _PLAIN_BASES or base.__module__ in ("abc", "typing"):
            continue
        file = class_file(base)
        text = facts.source_of(file) if file is not None else ""
        if not text or file is None:
            return None
        source = source_of(facts, file)
        found = [node for node in source.nodes if isinstance(node, ast.ClassDef) and node.name == base.__name__]
        if len(found) != 1:
            return None
        parts.append((source, found[0]))
    return Code(tuple(parts))


def is_read_elsewhere(facts: Facts, code: Code, name: str) -> bool:
    """Whether some code outside of a class may use its attribute: `model.name` anywhere in the files of the run."""
    pattern = re.compile(rf"(?<!\bself)\.{re.escape(name)}\b")
    inside = {(source.file, part.lineno, part.end_lineno or part.lineno) for source, part in code.parts}
    for file, text in facts.sources.items():
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            if not any(file == own and first <= line <= last for own, first, last in inside):
                return True
    return False


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
