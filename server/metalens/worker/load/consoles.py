"""The console of Atari's games without `ale_py` and `atari_py`: black screens, and the actions that each game has."""

from __future__ import annotations

import os
from typing import Any, Optional

from metalens.worker.load import arrays, environments
from metalens.worker.load.unknown import Unknown

STAND_IN = True
_PACKAGES = ("ale_py", "atari_py")
_HEIGHT, _WIDTH, _ALL, _STEPS = 210, 160, 18, 8


class ALEInterface:
    """A console with one game in it; its rounds are short."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._game = ""
        self._left = _STEPS

    def loadROM(self, file: Any) -> None:  # noqa: N802
        """Put the game in whose name the file has."""
        named = isinstance(file, (str, os.PathLike)) and not isinstance(file, Unknown)
        self._game = os.path.splitext(os.path.basename(os.fspath(file)))[0] if named else ""

    def getMinimalActionSet(self) -> Any:  # noqa: N802
        """The actions that do something in this game."""
        known = environments.known("".join(word.capitalize() for word in self._game.split("_")))
        if known is None or not isinstance(known.actions, int):
            return Unknown("the actions of a game that is not known")
        return list(range(known.actions))

    def getLegalActionSet(self) -> list[int]:  # noqa: N802
        """The actions that the console has."""
        return list(range(_ALL))

    def reset_game(self) -> None:
        """Begin a round."""
        self._left = _STEPS

    def act(self, action: Any, *args: Any) -> float:
        """One step, for no reward."""
        self._left -= 1
        return 0.0

    def game_over(self, *args: Any, **kwargs: Any) -> bool:
        """Whether the round is over."""
        return self._left <= 0

    def lives(self) -> int:
        """A game without lives."""
        return 0

    def getScreenDims(self) -> Any:  # noqa: N802
        """Which comes first is not the same in both packages."""
        return Unknown("the order of a screen's sizes")

    def getScreenRGB(self, *args: Any) -> Any:  # noqa: N802
        """Bytes of height, width and colours."""
        return arrays.numpy().zeros((_HEIGHT, _WIDTH, 3), "uint8")

    def getScreenGrayscale(self, *args: Any) -> Any:  # noqa: N802
        """Bytes of height and width."""
        return arrays.numpy().zeros((_HEIGHT, _WIDTH), "uint8")

    def getRAM(self, *args: Any) -> Any:  # noqa: N802
        """The memory of the console."""
        return arrays.numpy().zeros(128, "uint8")

    def nothing(self, *args: Any) -> None:
        """What sets something, or tells of it."""

    setInt = setFloat = setBool = setString = setLoggerMode = saveState = loadState = nothing  # noqa: N815
    act.takes_unknown = True  # type: ignore[attr-defined]
    loadROM.takes_unknown = True  # type: ignore[attr-defined]


def get_game_path(name: Any) -> Any:
    """The file of a game."""
    return f"{name}.bin"


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for other modules."""
    if name not in _PACKAGES:
        return None
    return {"ALEInterface": ALEInterface, "get_game_path": get_game_path}
