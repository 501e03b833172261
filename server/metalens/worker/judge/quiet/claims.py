"""What people write about a shape, compared with what was seen: `[B, 16, 14, 14]`, `(N, T, C // 2)`, `"b 10"`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from metalens.protocol.values import Location, Range
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.lineage import lineage_of
from metalens.worker.judge.repair.edits import literal
from metalens.worker.trace.facts import Facts
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.tracer import FileTrace

BATCH = frozenset(["B", "b", "N", "bs", "BS", "batch", "batch_size", "batchsize", "bsz"])
_PRODUCT = re.compile(r"(\w+)\s*(\*|//|/|\+|-)\s*(\w+)")


@dataclass(frozen=True)
class Claim:
    """A written shape: its dimensions as words, where it stands, and the tensors that were seen there (one or more)."""

    words: tuple[str, ...]
    location: Location
    tensors: tuple[Any, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes that were seen, each once."""
        return tuple(dict.fromkeys(tuple(int(size) for size in tensor.shape) for tensor in self.tensors))

    @property
    def shape(self) -> Optional[tuple[int, ...]]:
        """The one shape that was seen, or None."""
        return self.shapes[0] if len(self.shapes) == 1 else None

    @property
    def fits_in_rank(self) -> bool:
        """Whether it has as many dimensions as every tensor that was seen."""
        return all(len(shape) == len(self.words) for shape in self.shapes)

    @property
    def letters(self) -> bool:
        """Whether it names its batch, so that it is certainly meant as a shape."""
        return self.words[0] in BATCH


class Seen:
    """The values that were seen in a file, by the ranges of expressions."""

    def __init__(self, trace: FileTrace) -> None:
        self._values: dict[Range, list[Any]] = {}
        for number, values in trace.seen.items():
            self._values.setdefault(trace.table.ranges[number], []).extend(values)

    def at(self, place: Range) -> list[Any]:
        """What an expression gave."""
        return self._values.get(place, [])


def clean_classes(observer: Observer) -> dict[str, set[str]]:
    """The classes whose every instance in this run was built and called as the user does, by file."""
    names: dict[str, set[str]] = {}
    doubtful: set[tuple[str, str]] = set()
    for seen in observer.seen:
        name = type(seen.built.module).__name__
        names.setdefault(seen.file, set()).add(name)
        if seen.assumed or seen.mended or seen.call_mended or seen.call_source == "probe" or not seen.returned:
            doubtful.add((seen.file, name))
    return {file: {name for name in found if (file, name) not in doubtful} for file, found in names.items()}


def meaning(word: str, sizes: Mapping[str, int]) -> Optional[int]:
    """The size that a word stands for; None if it may be any."""
    if word.isdigit():
        return int(word)
    if word in sizes:
        return sizes[word]
    match = _PRODUCT.fullmatch(word)
    if match is None:
        return None
    left, right = meaning(match.group(1), sizes), meaning(match.group(3), sizes)
    if left is None or right is None:
        return None
    sign = match.group(2)
    if sign in ("*", "+", "-"):
        return left * right if sign == "*" else left + right if sign == "+" else left - right
    return left // right if right else None


def wrong_places(claim: Claim, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The dimensions after the batch in which a claim of the right rank disagrees with what was seen."""
    shape = claim.shape
    if shape is None or len(shape) != len(claim.words):
        return ()
    pairs = enumerate(zip(claim.words, shape))
    return tuple(i for i, (word, size) in pairs if i and meaning(word, sizes) not in (None, size))


def is_mixed_up(claim: Claim, sizes: Mapping[str, int]) -> bool:
    """Whether the wrong words would be right in another order: names are used loosely, but not swapped on purpose."""
    wrong = wrong_places(claim, sizes)
    shape = claim.shape or ()
    return sorted(shape[place] for place in wrong) == sorted(
        size for place in wrong if (size := meaning(claim.words[place], sizes)) is not None
    )


def speaks_of_input(claim: Claim, facts: Facts) -> bool:
    """Whether a claim is true of what the operation was given: some write what goes in."""
    for tensor in claim.tensors:
        origin = facts.origin_of(tensor)
        for given in origin.inputs if origin is not None else ():
            shape = tuple(int(size) for size in given.shape)
            if len(shape) == len(claim.words) and all(
                not word.isdigit() or int(word) == size for word, size in zip(claim.words, shape)
            ):
                return True
    return False


def decided_by(facts: Facts, tensor: Any, dim: int, cls: ast.ClassDef) -> str:
    """Who decides a size: a `number` in a layer's constructor call in the class, an `argument`, or the `input`."""
    lineage = lineage_of(facts, tensor, dim)
    if lineage.layer is None or lineage.arithmetic:
        return "input"
    built = facts.built_of(lineage.layer)
    if built is None or built.location is None:
        return "argument"
    if not cls.lineno - 1 <= built.location.range.start.line < (cls.end_lineno or cls.lineno):
        return "argument"  # who replaced a layer from outside did not mean the comments
    names = ("out_features", "out_channels", "embedding_dim", "hidden_size", "embed_dim")
    slots = (slot_of(facts, lineage.layer, name) for name in names if hasattr(lineage.layer, name))
    written = any(slot is not None and slot.node is not None and literal(slot.node) is not None for slot in slots)
    return "number" if written else "argument"


def rewritten(claim: Claim, sizes: Mapping[str, int], kept: int = 0) -> tuple[str, ...]:
    """The words that would be true, in the writer's own names where they fit. The first `kept` are not judged."""
    shape = claim.shape or claim.shapes[0]
    same = len(shape) == len(claim.words)
    found: list[str] = []
    for place, size in enumerate(shape):
        word = claim.words[place] if same or not place else ""
        if word and (place < kept or meaning(word, sizes) in (None, size)):
            found.append(word)
            continue
        named = [name for name, value in sizes.items() if value == size and name not in found]
        found.append(named[0] if len(named) == 1 else str(size))
    return tuple(found)


def agreed(claims: Sequence[Claim], known: Mapping[str, int]) -> dict[str, int]:
    """The sizes of names: those known from the code, and those on which all claims of the right rank agree."""
    found: dict[str, set[int]] = {}
    for claim in claims:
        if claim.shape is not None and claim.fits_in_rank:
            for word, size in zip(claim.words, claim.shape):
                if word.isidentifier():
                    found.setdefault(word, set()).add(size)
    return {**{word: min(sizes) for word, sizes in found.items() if len(sizes) == 1}, **known}
