"""configargparse, where it is not installed: an argument parser whose options may stand in files too."""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Optional

STAND_IN = True

_OWN = ("is_config_file", "is_config_file_arg", "is_write_out_config_file_arg", "env_var")
_LINE = re.compile(r"^\s*(?:-{0,2})(?P<key>[A-Za-z_][\w.-]*)\s*(?:(?:=|:|\s)\s*(?P<value>.*?))?\s*(?:\s[#;].*)?$")


class Parser(argparse.ArgumentParser):
    """What stands in a configuration file counts as if it stood on the command line before all else."""

    def __init__(self, *args: Any, **options: Any) -> None:
        names = inspect.signature(argparse.ArgumentParser.__init__).parameters
        self._standard = list(options.get("default_config_files") or ())
        self._files: set[str] = set()
        super().__init__(*args, **{key: value for key, value in options.items() if key in names})

    def add_argument(self, *args: Any, **options: Any) -> Any:
        """As of argparse."""
        own = {name: options.pop(name) for name in _OWN if name in options}
        if own.get("is_config_file") or own.get("is_config_file_arg"):
            self._files.update(name for name in args if isinstance(name, str))
        return super().add_argument(*args, **options)

    add = add_arg = add_argument

    def parse_known_args(self, args: Any = None, namespace: Any = None, **options: Any) -> Any:
        """As of argparse, with what the files say."""
        words = list(sys.argv[1:] if args is None else args.split() if isinstance(args, str) else args)
        told = [word for file in self._named(words) for word in self._words_of(file, words)]
        return super().parse_known_args([*told, *words], namespace)

    def parse_args(self, args: Any = None, namespace: Any = None, **options: Any) -> Any:
        """As of argparse, with what the files say."""
        return self.parse_known_args(args, namespace)[0]

    def _named(self, words: Sequence[str]) -> Iterator[str]:
        yield from (file for file in self._standard if isinstance(file, str))
        for at, word in enumerate(words):
            flag, equals, value = word.partition("=")
            if flag in self._files and (equals or at + 1 < len(words)):
                yield value if equals else words[at + 1]

    def _words_of(self, file: str, words: Sequence[str]) -> Iterator[str]:
        """The entries of a file as options, but for those that the command line gives as well."""
        for key, value in _entries(file):
            action = self._option_string_actions.get(f"--{key}")
            if action is None or not {word.partition("=")[0] for word in words}.isdisjoint(action.option_strings):
                continue
            if action.nargs == 0:
                yield from [f"--{key}"] if value is None or value.lower() in ("true", "yes", "1") else []
            elif value is not None:
                yield from (f"--{key}", *_parts(value, action.nargs))


def _entries(file: str) -> Iterator[tuple[str, Optional[str]]]:
    beside = os.path.join(os.path.dirname(sys.argv[0]), file)
    found = next((path for path in (file, beside) if os.path.isfile(path)), None)
    if found is None:
        return
    with open(found, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            entry = _LINE.match(line) if line.strip() and line.lstrip()[0] not in "#;[" else None
            if entry is not None:
                yield entry["key"], entry["value"] or None


def _parts(value: str, nargs: Any) -> list[str]:
    """The words of a value: several if the option takes them or the file lists them."""
    if value[:1] == "[" and value[-1:] == "]":
        try:
            return [str(part) for part in ast.literal_eval(value)]
        except (ValueError, SyntaxError):
            return [part.strip(" \"'") for part in value[1:-1].split(",")]
    return value.split() if nargs in ("+", "*") else [value.strip("\"'")]


_HELD = {"ArgumentParser": Parser, "ArgParser": Parser}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for any other module."""
    return _HELD if name == "configargparse" else None
