"""Problems in files that are not open: those of settings, and errors in which code of an open file has a part."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from metalens.protocol.messages import Finding


@dataclass
class Elsewhere:
    """What is shown now, by file."""

    _shown: dict[str, tuple[Finding, ...]] = field(default_factory=dict)

    def changes(self, told: Iterable[Finding], opened: Container[str]) -> Iterator[tuple[str, tuple[Finding, ...]]]:
        """The files whose problems are others than before, each with all of them; those that are open speak themselves.

        Several files may tell of one mistake.
        """
        found: dict[str, dict[object, Finding]] = {}
        for finding in told:
            found.setdefault(finding.location.file, {}).setdefault((finding.location, finding.code), finding)
        now = {file: tuple(findings.values()) for file, findings in found.items() if file not in opened}
        before, self._shown = self._shown, now
        for file in before.keys() | now.keys():
            if file not in opened and now.get(file, ()) != before.get(file, ()):
                yield file, now.get(file, ())
