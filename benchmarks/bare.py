"""What PyTorch itself needs: a warm process that builds a model on the meta device and runs it once, over and over.

Each line on standard input is a JSON object with `file`, `build` and `call`; the answer is the seconds that it took.
The classes of a file are loaded once, so that reading and compiling it is not in the time.
"""

from __future__ import annotations

import ast
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn


def main() -> None:
    with torch.device("meta"):
        layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4))
        layers(torch.empty(2, 3, 3, 3)).softmax(-1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    spaces: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        wanted = json.loads(line)
        space = spaces.setdefault(wanted["file"], {})
        if not space:
            load(Path(wanted["file"]), space)
        started = time.perf_counter()
        with torch.device("meta"):
            space["model"] = eval(wanted["build"], space)
            eval(wanted["call"], space)
        sys.stdout.write(f"{time.perf_counter() - started}\n")
        sys.stdout.flush()


def load(file: Path, space: dict[str, Any]) -> None:
    """The imports and classes of a script, without what it does with them."""
    sys.modules["bare_model"] = type(sys)("bare_model")
    space["__name__"] = "bare_model"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [part for part in tree.body if isinstance(part, (ast.Import, ast.ImportFrom, ast.ClassDef))]
    exec(compile(tree, str(file), "exec"), space)


if __name__ == "__main__":
    main()
