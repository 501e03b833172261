"""The user's settings: one frozen value, decoded once from whatever the client sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from metalens.workspace.rules import no_such_rule, pages

SEVERITIES = {
    "error": "error",
    "warn": "warning",
    "warning": "warning",
    "info": "information",
    "information": "information",
    "hint": "hint",
    "ignore": "off",
    "off": "off",
}
OFF = "off"
LEVELS = "error, warning, information, hint or off"


@dataclass(frozen=True)
class Settings:
    """What the user chose. `timeout` is in seconds, `memory` in MiB.

    `rules` maps a rule to `error`, `warning`, `information`, `hint` or `off`.
    """

    enable: bool = True
    interpreter: str = ""
    timeout: float = 10.0
    memory: int = 1024
    fork: bool = True
    code_lens: bool = True
    hover: bool = True
    rules: Mapping[str, str] = field(default_factory=dict)


def read_settings(options: object) -> tuple[Settings, tuple[str, ...]]:
    """The settings in a client's options, and one sentence for each value that was not understood.

    Keys may be nested (`{"execution": {"timeout": 5}}`) or dotted (`{"execution.timeout": 5}`). A value that is not
    understood falls back to its default. Unknown keys are left to the client.
    """
    if options is None:
        return Settings(), ()
    if not isinstance(options, Mapping):
        return Settings(), (f"The settings are not an object but {_kind(options)}; all defaults are used.",)
    reader = _Reader(options)
    settings = Settings(
        enable=reader.read("enable", _boolean, True),
        interpreter=reader.read("worker.python", _path, "") or reader.read("interpreter", _path, ""),
        timeout=reader.read("execution.timeout", _seconds, Settings.timeout),
        memory=reader.read("execution.memoryLimitMb", _mebibytes, Settings.memory),
        fork=reader.read("execution.fork", _boolean, True),
        code_lens=reader.read("codeLens.enable", _boolean, True),
        hover=reader.read("hover.enable", _boolean, True),
        rules=reader.rules(),
    )
    return settings, tuple(reader.messages)


def read_rules(chosen: object) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The level of each rule in a mapping; and each rule that was not understood, with one sentence on it."""
    if not isinstance(chosen, Mapping):
        return {}, [("", f"rules must map each rule to its level, not be {_kind(chosen)}")]
    levels: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    for rule, level in chosen.items():
        known = SEVERITIES.get(level) if isinstance(level, str) else None
        if str(rule) not in pages():
            wrong.append((str(rule), f"rules.{rule}: {no_such_rule(str(rule))}"))
        elif known is None:
            wrong.append((str(rule), f"rules.{rule} must be {LEVELS}, not {_kind(level)}"))
        else:
            levels[str(rule)] = known
    return levels, wrong


class _Wrong(ValueError):
    """A value that is not understood; the argument says what is expected."""


class _Reader:
    def __init__(self, options: Mapping[Any, Any]) -> None:
        self._options = options
        self.messages: list[str] = []

    def read(self, key: str, decode: Callable[[object], Any], default: Any) -> Any:
        value = _find(self._options, key)
        if value is None:
            return default
        try:
            return decode(value)
        except _Wrong as wrong:
            self.messages.append(f"{key} must be {wrong}, not {_kind(value)}; {_shown(default)} is used.")
            return default

    def rules(self) -> dict[str, str]:
        chosen = _find(self._options, "rules")
        levels, wrong = read_rules({} if chosen is None else chosen)
        self.messages.extend(message if message.endswith("?") else f"{message}." for _, message in wrong)
        return levels


def _find(options: Mapping[Any, Any], key: str) -> object:
    if key in options:
        return options[key]
    here: object = options
    for part in key.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(part)
    return here


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Wrong("true or false")


def _path(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and len(value) <= 1 and all(isinstance(item, str) for item in value):
        return value[0].strip() if value else ""
    raise _Wrong("the path of a Python interpreter")


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0.1 <= value <= 3600:
        return float(value)
    raise _Wrong("a number of seconds from 0.1 to 3600")


def _mebibytes(value: object) -> int:
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 256 <= value <= 2**20
        and value == int(value)
    ):
        return int(value)
    raise _Wrong("a whole number of MiB from 256 to 1048576")


def _kind(value: object) -> str:
    if isinstance(value, (bool, int, float, str)) or value is None:
        return _shown(value)
    return "a list" if isinstance(value, (list, tuple)) else "an object"


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
