"""Which branch of a caller is taken where a condition is not known, or where the other one would leave the script."""

from __future__ import annotations

from typing import Any

from metalens.worker.load.unknown import Unknown


def branch(value: Any, then: str, otherwise: str, machine: bool) -> tuple[Any, str]:
    """The truth to go by, and why what follows is no proof, or "".

    `then` and `otherwise` tell how the two branches leave ("raise", "exit", or "" for one that goes on), `machine`
    that the condition asks what the machine has. Whatever runs after a branch that leaves did not take it.
    """
    if isinstance(value, Unknown):
        reason = "" if then or otherwise else "a branch on something that is not known"
        return not then, reason
    if machine and bool(then) != bool(otherwise):
        return bool(otherwise), ""
    if otherwise == "exit" and not then and not value:
        return True, "the script gives up"
    return value, ""
