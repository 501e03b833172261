"""Errors that a stand-in raises as its package would: they are the user's own, and it knows words for them."""

from __future__ import annotations

_SAID = "_metalens_said"


def blame(error: BaseException, words: str) -> None:
    """From now on the error counts as the user's, in these words."""
    setattr(error, _SAID, words)


def said(error: BaseException) -> str:
    """The words of a stand-in for an error of the user's; "" for any other error."""
    return str(getattr(error, _SAID, ""))
