"""What a script is told when it starts, and how it gives up: parsers of arguments, and exits."""

from __future__ import annotations

import argparse
import builtins
import re
import sys
import types
from pathlib import Path
from typing import Any, Optional

import torch

from metalens.worker.load.inventions import invented
from metalens.worker.load.unknown import Unknown, UnknownError
from metalens.worker.trace.devices import Lack, WantsDevices, devices

STAND_IN = True
_PLACE = re.compile(
    r"path|dir$|folder|file$|^root|^data$|^(image|img|video|audio|input|output)s?$|checkpoint|ckpt|^save"
)
_DATA = re.compile(r"^(data|dataset|images?|img|train|val)_?(dir|path|root|folder)$")
_INPUT = re.compile(
    r"^(data(set)?|images?|imgs?|train|val|test|corpus|texts?|audio|wavs?|input)_?(dir|path|root|folder|files?|list)?$"
    r"|^(root|path|dir|folder)(_?(dir|path|folder))?(_?to)?(_?data(set)?)?$"
)
# So ends what looks for an accelerator, or divides by how many there are.
_WANTS = (SystemExit, AssertionError, NameError, ZeroDivisionError)
_Patch = tuple[Any, str, Any]

# The hooks of instrumented code call from here; libraries, which count on an exit, do not.
_HOOKS = "metalens.worker.trace.tracer"
_given: list[argparse.Namespace] = []
_told: list[dict[str, Any]] = []  # and what each of them held then


class WantsPlaces(BaseException):
    """A script failed because nobody told it where its data is."""


# Options for where data is that are None unless given.
places = Lack()


def start_again(error: BaseException, called: int) -> None:
    """Raise what has a script started again with what it may have failed for want of, before it `called` a model."""
    if called:
        return
    if isinstance(error, _WANTS) and devices.missed():
        raise WantsDevices from error
    if places.missed() and isinstance(error, TypeError) and "NoneType" in str(error):
        raise WantsPlaces from error


def patches() -> list[_Patch]:
    """Stand-ins for parsers and exits: owner, name, value."""
    _given.clear()
    _told.clear()
    found: list[_Patch] = [
        (argparse.ArgumentParser, "parse_args", _parse_args),
        (argparse.ArgumentParser, "parse_known_args", _parse_known_args),
        (argparse._ActionsContainer, "add_argument", _add_argument),
        (sys, "exit", _exit),
    ]
    found += [(builtins, name, _exit) for name in ("exit", "quit") if hasattr(builtins, name)]
    return found


def _parse_known_args(
    parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None
) -> tuple[Any, list[str]]:
    """The defaults, overridden by the command line given; what is required and not given is Unknown."""
    given = list(sys.argv[1:] if args is None else args)
    result = namespace if namespace is not None else argparse.Namespace()
    missing = []
    for action in parser._actions:
        if action.required:
            missing.append(action)
            action.required = False
    try:
        result, rest = _PARSE(parser, given, result)
    except SystemExit as error:
        if not given:
            raise UnknownError("the command line does not fit its parser") from error
        result, rest = _parse_known_args(parser, [], namespace)  # it was written for another version of the parser
    for action in parser._actions:
        # Where an empty text stands for data, everybody has to say where it is.
        if getattr(result, action.dest, None) == "" == action.default and _DATA.search(action.dest.lower()):
            setattr(result, action.dest, action.dest)
        elif _may_name_data(action) and action.default is None and getattr(result, action.dest, "") is None:
            places.asked = True
            setattr(result, action.dest, _place_of(action) if places.present else None)
    for action in missing:
        if action.dest != argparse.SUPPRESS and getattr(result, action.dest, None) is None:
            # Any text will do for a place: what it names is not here.
            place = _PLACE.search(action.dest.lower()) and _takes_text(action)
            setattr(
                result, action.dest, _place_of(action) if place else Unknown(f"the required argument {action.dest}")
            )
    _given.append(result)
    _told.append(dict(vars(result)))
    return result, rest


def _place_of(action: argparse.Action) -> Any:
    return Path(action.dest) if action.type is Path else action.dest


def _takes_text(action: argparse.Action) -> bool:
    return action.type in (None, str, Path) and action.nargs is None and not action.choices


def _may_name_data(action: argparse.Action) -> bool:
    return _takes_text(action) and _INPUT.search(action.dest.lower()) is not None


def was_given(name: str, value: Any) -> bool:
    """Whether every parser gave this option, and this value for it, and no such option holds another one by now."""
    held = [(before.get(name), getattr(result, name, None)) for before, result in zip(_told, _given) if name in before]
    return bool(held) and all(type(item) is type(value) and item == value for pair in held for item in pair)


def options_given() -> Optional[set[Any]]:
    """The numbers and texts that command lines of this run gave, or left as they were; None if none was parsed."""
    values: list[Any] = []
    for value in (value for result in _given for value in vars(result).values()):
        values += value if isinstance(value, (list, tuple)) else [value]
    return {value for value in values if isinstance(value, (int, float, str))} if _given else None


def _parse_args(parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
    return _parse_known_args(parser, args, namespace)[0]


def _add_argument(container: Any, *args: Any, **kwargs: Any) -> Any:
    """As ever; choices, types and texts that are not known bind nobody."""
    return _ADD(container, *args, **{key: item for key, item in kwargs.items() if _is_told(key, item)})


def _is_told(key: str, item: Any) -> bool:
    if key == "default" or isinstance(item, (str, type)):
        return True
    parts = item if isinstance(item, (list, tuple)) else (item,)
    return not any(isinstance(part, Unknown) for part in parts)


_add_argument.takes_unknown = True  # type: ignore[attr-defined]


def _exit(code: Any = None) -> None:
    """The end of a script that is done. One that gives up (no GPU, no data) goes on here as it would elsewhere.

    A module that ends the interpreter is no script.
    """
    caller = sys._getframe(1)
    if code in (None, 0) or caller.f_globals.get("__name__") != _HOOKS or _in_module(caller):
        raise SystemExit(code)
    if devices.missed():
        raise WantsDevices
    invented("values after a script gave up")


def _in_module(frame: Optional[types.FrameType]) -> bool:
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), torch.nn.Module):
            return True
        frame = frame.f_back
    return False


_PARSE = argparse.ArgumentParser.parse_known_args
_ADD = argparse._ActionsContainer.add_argument
