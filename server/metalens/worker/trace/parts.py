"""Parts of models of which data decides a size: what of them does not depend on it is as the user's code says."""

from __future__ import annotations

import inspect
from typing import Any, Optional

from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.trial import apart

_OTHER = 8
_PLAIN = (int, float, str, bool, type(None))


def know_parts(observer: Observer) -> None:
    """Build each such model once more with other sizes; parts that are built as before are not assumed any longer."""
    for seen in list(observer.seen):
        parts = [item for item in observer.seen if item.root is seen] if seen.holes and seen.done else []
        others = _parts_of_another(seen, observer) if parts else None
        if others is None or [item.built.cls for item in others] != [item.built.cls for item in parts]:
            continue
        for part, other in zip(parts, others):
            part.assumed = part.assumed and not _is_alike(part, other)


def _parts_of_another(seen: Seen, observer: Observer) -> Optional[list[Seen]]:
    built, tracer = seen.built, observer.tracer
    before = tracer.mended, tracer.doubted
    try:
        bound = inspect.signature(built.cls).bind(*built.args, **built.kwargs)
        for name in seen.holes:
            bound.arguments[name] = _another(bound.arguments[name])
        with apart(observer):
            known = len(observer.seen)
            built.cls(*bound.args, **bound.kwargs)
            return [item for item in observer.seen[known:] if item.root is not None]
    except Exception:  # noqa: BLE001 - the user's constructor need not like another size
        return None
    finally:
        tracer.mended, tracer.doubted = before


def _another(value: Any) -> Any:
    return value + _OTHER if isinstance(value, int) else value


def _is_alike(part: Seen, other: Seen) -> bool:
    given, again = part.built, other.built
    if len(given.args) != len(again.args) or given.kwargs.keys() != again.kwargs.keys():
        return False
    pairs = [*zip(given.args, again.args), *((value, again.kwargs[name]) for name, value in given.kwargs.items())]
    return all(_is_same(one, two) for one, two in pairs)


def _is_same(one: Any, two: Any) -> bool:
    if isinstance(one, (list, tuple)) and type(one) is type(two):
        return len(one) == len(two) and all(map(_is_same, one, two))
    return one is two or (type(one) is type(two) and isinstance(one, _PLAIN) and one == two)
