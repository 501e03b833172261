"""Random networks that run: a grammar over the layers of torch.nn, written down as scripts; and one number changed.

`grammar/KIND.txt` has the steps that may follow an `x` of a kind. A step is a piece of constructor, `--`, and a piece
of `forward`; an empty line ends it, and `=> KIND` before it tells that it gives another kind. `{...}` is an expression
over the sizes of `x` (their names stand in `KINDS`) and over random numbers: `m` and `n` are widths, `k` is an odd
kernel, `g` divides the width of `x`. `@name` is an attribute of its own. `grammar/blocks.txt` has what steps build.
"""

from __future__ import annotations

import ast
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

KINDS = {
    "image": ("b", "c", "h", "w"),
    "volume": ("b", "c", "z", "h", "w"),
    "signal": ("b", "c", "l"),
    "sequence": ("b", "t", "d"),
    "flat": ("b", "d"),
    "tokens": ("b", "t"),
}
STARTS = {
    "image": ["torch.randn({batch}, 3, {side}, {side})", "torch.randn({batch}, {m}, {side}, {side + 2})"],
    "volume": ["torch.randn({batch}, {m // 4}, 4, {side // 2}, {side // 2})"],
    "signal": ["torch.randn({batch}, {m}, {side * 2})", "torch.randn({batch}, 1, {side * 4})"],
    "sequence": ["torch.randn({batch}, {many}, {m})"],
    "flat": ["torch.randn({batch}, {m})"],
    "tokens": ["torch.arange({batch * many}).view({batch}, {many})"],
}

_GRAMMAR = Path(__file__).parent / "grammar"
_HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
_WIDTHS = (8, 12, 16, 20, 24, 32)
_MOST = 60_000  # elements
_TRIES = 200
_LARGEST = 1000


@dataclass(frozen=True)
class Network:
    """A script that builds one network and calls it. `name` tells its seed, and which number is not what it was."""

    name: str
    text: str


@dataclass(frozen=True)
class Step:
    """What may follow, and the kind of `x` after it."""

    target: str
    constructor: str
    forward: str


def network(seed: int) -> Network:
    """A correct network."""
    with torch.no_grad(), torch.device("meta"):
        return Network(f"network {seed}", _Draft(random.Random(seed)).finished())


def mutant(correct: Network, seed: int) -> Network:
    """The same network with one whole number in it changed."""
    chance = random.Random(seed)
    nodes = [node for node in ast.walk(ast.parse(correct.text)) if isinstance(node, ast.Constant)]
    numbers = [node for node in nodes if type(node.value) is int]
    node = chance.choice(numbers)
    old: Any = node.value
    others = [other.value for other in numbers if other.value != old]
    new = chance.choice([old + 1, old - 1, old * 2, old // 2, old + 3, chance.choice(others or [old + 1])])
    lines = correct.text.split("\n")
    line = lines[node.lineno - 1]
    # A kernel or a stride of 0 is refused by some backends and not by others; to divide by 0 is another matter.
    least = 1 if old and re.search(r"nn\.|pool|unshuffle|interpolate|//", line) else 0
    new = old + 1 if new == old or not least <= new <= _LARGEST else new
    lines[node.lineno - 1] = f"{line[: node.col_offset]}{new}{line[node.end_col_offset :]}"
    return Network(f"{correct.name}, line {node.lineno}: {old} became {new}", "\n".join(lines))


class _Draft:
    """A network as it grows: each step is run on the meta device, so that the next one knows the shape of `x`."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.built: list[str] = []
        self.forward: list[str] = []
        self.blocks: list[str] = []
        self.names = 0
        self.namespace: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional, "self": nn.Module()}
        self.kind = chance.choice(sorted(STARTS))
        self.start = self.filled(chance.choice(STARTS[self.kind]))
        exec(f"x = {self.start}", self.namespace)

    def finished(self) -> str:
        """The text of the script, with a few steps."""
        wanted = self.chance.randint(2, 9)
        for _ in range(_TRIES):
            if not wanted:
                break
            wanted -= self.took(self.chance.choice(STEPS[self.kind]))
        return self.script()

    def took(self, step: Step) -> bool:
        """Whether a step could be added."""
        try:
            constructor, _, forward = self.filled(f"{step.constructor}--\n{step.forward}").partition("--\n")
        except (ValueError, ZeroDivisionError):
            return False
        blocks = [name for name in BLOCKS if re.search(rf"\b{name}\(", constructor)]
        trial = dict(self.namespace)
        try:
            for name in blocks:
                exec(BLOCKS[name], trial)
            exec(constructor, trial)
            exec(forward, trial)
        except (RuntimeError, ValueError, AssertionError, IndexError, TypeError):
            return False
        x = trial["x"]
        if not 0 < x.numel() <= _MOST or x.dim() != len(KINDS[step.target]):
            return False
        self.namespace["x"], self.kind = x, step.target
        self.blocks += [name for name in blocks if name not in self.blocks]
        self.built += constructor.splitlines()
        self.forward += forward.splitlines()
        return True

    def script(self) -> str:
        """All that was added, as a file."""
        blocks = "".join(f"\n\n{BLOCKS[name]}" for name in self.blocks)
        constructor = "".join(f"\n        {line}" for line in self.built)
        forward = "".join(f"        {line}\n" for line in self.forward)
        return (
            f"{_HEAD}{blocks}\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()"
            f"{constructor}\n\n    def forward(self, x):\n{forward}        return x\n\n\n"
            f"net = Net()\nout = net({self.start})\n"
        )

    def filled(self, text: str) -> str:
        """A step with numbers and names in it."""
        x = self.namespace.get("x")
        values = dict(zip(KINDS[self.kind], (int(size) for size in x.shape), strict=True)) if x is not None else {}
        width = values.get("c", values.get("d", 1))
        values |= {
            "m": self.chance.choice(_WIDTHS),
            "n": self.chance.choice(_WIDTHS),
            "k": self.chance.choice((1, 3, 5)),
            "g": self.chance.choice([part for part in (1, 2, 3, 4) if width % part == 0]),
            "batch": self.chance.choice((2, 3, 4)),
            "side": self.chance.choice((6, 8, 12, 16)),
            "many": self.chance.choice((5, 7, 9, 10)),
        }
        names: dict[str, str] = {}

        def named(found: re.Match[str]) -> str:
            if found.group(1) not in names:
                self.names += 1
                names[found.group(1)] = f"{found.group(1)}{self.names}"
            return names[found.group(1)]

        text = re.sub(r"@(\w+)", named, text)
        return re.sub(r"\{(.*?)\}", lambda found: str(eval(found.group(1), {"max": max}, values)), text)


def _steps(kind: str) -> list[Step]:
    found = []
    for step in (_GRAMMAR / f"{kind}.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        target, body = kind, f"{step}\n"
        if body.startswith("=> "):
            head, _, body = body.partition("\n")
            target = head[3:]
        constructor, _, forward = body.partition("--\n")
        found.append(Step(target, constructor, forward))
    return found


def _blocks() -> dict[str, str]:
    text = (_GRAMMAR / "blocks.txt").read_text(encoding="utf-8")
    nodes = [node for node in ast.parse(text).body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    return {node.name: f"{ast.get_source_segment(text, node)}\n" for node in nodes}


STEPS = {kind: _steps(kind) for kind in KINDS}
BLOCKS = _blocks()
