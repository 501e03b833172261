"""Where the lines of an older text stand in a newer one: lines before and after what changed keep their meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from metalens.protocol.values import Range

_NEW_LINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Shift:
    """The first `same` lines are equal, and so are all from `old_tail` on, which now begin at `new_tail`."""

    same: int
    old_tail: int
    new_tail: int

    def newer(self, line: int) -> int | None:
        """Where a line of the older text stands in the newer; None if it was changed or removed."""
        if line < self.same:
            return line
        return line - self.old_tail + self.new_tail if line >= self.old_tail else None

    def older(self, line: int) -> int | None:
        """Where a line of the newer text stood in the older; None if it is new or was changed."""
        if line < self.same:
            return line
        return line - self.new_tail + self.old_tail if line >= self.new_tail else None

    def newer_range(self, place: Range) -> Range | None:
        """A range of the older text in the newer; None if one of its ends was changed or lines in it moved apart."""
        start, end = self.newer(place.start.line), self.newer(place.end.line)
        if start is None or end is None or end - start != place.end.line - place.start.line:
            return None
        return Range(replace(place.start, line=start), replace(place.end, line=end))


def shift_between(old: str, new: str) -> Shift:
    """How lines moved from one text to the next."""
    before, after = _NEW_LINE.split(old), _NEW_LINE.split(new)
    limit = min(len(before), len(after))
    same = next((index for index in range(limit) if before[index] != after[index]), limit)
    tail = next((n for n in range(limit - same) if before[-1 - n] != after[-1 - n]), limit - same)
    return Shift(same, len(before) - tail, len(after) - tail)
