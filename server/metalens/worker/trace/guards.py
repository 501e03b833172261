"""Which branch of a caller is taken where a condition is not known, or where the other one would leave the script."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Mapping
from typing import Any

import torch

from metalens.worker.load import inventions
from metalens.worker.load.unknown import Unknown, UnknownError
from metalens.worker.trace.hybrid import Limit

_KEEPING = frozenset(("append", "appendleft", "insert", "add"))
_ADDING = frozenset(("append", "extend", "insert", "update", "setdefault", "add_module", "register_module"))
_SHAPING = frozenset("resize_ resize_as_ set_ squeeze_ unsqueeze_ transpose_ swapaxes_ swapdims_".split())


def branch(value: Any, then: str, otherwise: str, machine: bool, names: Mapping[str, Any]) -> tuple[Any, str]:
    """The truth to go by, and why what follows is no proof, or "".

    `then` and `otherwise` tell how the two branches leave, see `leaving_of`, `machine` that the condition asks what the
    machine has. Whatever runs after a branch that leaves did not take it; and what counts what is not known (`names`
    are those at hand) leaves it so.
    """
    told = [each[1:].split() for each in (then, otherwise) if each.startswith("=")]
    counted = [name for each in told for name in each]
    then, otherwise = ("" if each.startswith("=") else each for each in (then, otherwise))
    if isinstance(value, Unknown):
        stays = len(told) == 2 and all(isinstance(names.get(name), Unknown) for name in counted)
        reason = "" if then or otherwise or stays else "a branch on something that is not known"
        return not then, reason
    if machine and bool(then) != bool(otherwise):
        return bool(otherwise), ""
    if otherwise == "exit" and not then and not value:
        return True, "the script gives up"
    return value, ""


def hurried(value: Any, waits: str) -> Any:
    """The truth to go by where nobody waits any longer, of a condition that waits until enough is gathered."""
    if type(value) is not bool or value != (waits == "few") or not waits:
        return value
    inventions.invented(inventions.ROUNDS)
    return not value


def held(value: Any, guessed: bool) -> bool:
    """Whether an assertion is taken to hold: what it asks for was not computed, or rests on an invented value."""
    if isinstance(value, torch.Tensor) and value.is_meta:
        return True
    return guessed and not isinstance(value, torch.Tensor) and not value


def length(value: Any) -> Any:
    """`len(value)` in a caller: Unknown where nobody can count."""
    try:
        return len(value)
    except UnknownError:
        return Unknown("a length")


def unknowns(structure: Any) -> Any:
    """Unknown values, nested as a loop's target wants them."""
    if isinstance(structure, tuple):
        return tuple(unknowns(part) for part in structure)
    return Unknown("an item of something that is not known")


def why(error: BaseException) -> str:
    """Why a statement failed, in one short line."""
    if isinstance(error, (UnknownError, Limit)):
        return str(error)[:100]
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    return text[:100]


def loses(function: Any) -> bool:
    """Whether what a method belongs to lacks items, or has another shape, where it is not called."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(owner, torch.Tensor):
        return name in _SHAPING
    return isinstance(owner, (list, set, deque, dict, torch.nn.Module)) and name in _ADDING


def keeps(function: Any) -> bool:
    """Whether a method puts an item into a container, which without it would have a wrong length."""
    return type(getattr(function, "__self__", None)) in (list, set, deque) and function.__name__ in _KEEPING


def marked(function: Any) -> bool:
    """Whether a stand-in says that it may be called with values that are not known."""
    return getattr(function, "takes_unknown", False) is True
