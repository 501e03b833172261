"""Choosing between the ways in which a class was built, for the length of a session."""

from __future__ import annotations

from dataclasses import dataclass, field

from metalens.engine.result import Model, Result
from metalens.features.contexts import Key, pin_edits, preferring, ways
from metalens.features.lenses import Lens, provenance_lenses
from metalens.protocol.messages import Edit

CONTEXTS = "metalens/contexts"
USE_CONTEXT = "metalens.useContext"
PIN_CONTEXT = "metalens.pinContext"
CHOOSE_CONTEXT = "metalens.chooseContext"
"""The client's own command, with a URI and the name of a class: a client that has it says so in its options."""

OPTION = "choosesContexts"


@dataclass
class Choices:
    """What the user chose, by file and class. `offered`: the client can ask the user."""

    offered: bool = False
    _chosen: dict[str, dict[str, Key]] = field(default_factory=dict)

    def applied(self, result: Result) -> Result:
        """The result with the chosen contexts first."""
        return preferring(result, self._chosen.get(result.file, {}))

    def lenses(self, result: Result) -> tuple[Lens, ...]:
        """Where the shapes of each class come from."""
        return provenance_lenses(result, offered=self.offered)

    def listed(self, result: Result, name: str) -> list[dict[str, object]]:
        """The contexts of a class as plain JSON, the one that is shown first."""
        model = _named(result, name)
        return [
            {"label": way.text, "description": way.detail, "arguments": way.arguments, "inputs": way.inputs}
            for way in (ways(result, model) if model else ())
        ]

    def use(self, result: Result, name: str, index: int) -> Result:
        """From now on the class is shown as in this one of its listed contexts."""
        model = _named(result, name)
        found = ways(result, model) if model else ()
        if 0 <= index < len(found):
            self._chosen.setdefault(result.file, {})[name] = found[index].key
        return self.applied(result)

    def pinned(self, result: Result, name: str, arguments: str, inputs: str) -> tuple[Edit, ...]:
        """The edits that pin a class; what was chosen for it is over."""
        model = _named(result, name)
        self._chosen.get(result.file, {}).pop(name, None)
        return pin_edits(result, model, arguments, inputs) if model else ()


def _named(result: Result, name: str) -> Model | None:
    return next((model for model in reversed(result.models) if model.cls.qualname == name), None)
