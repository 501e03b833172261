"""Candidate repairs, the best first. The engine runs each of them before it is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair import heads, operations, widths
from metalens.worker.judge.repair.edits import preferred_first

LIMIT = 6

_Repair = Callable[[Case, Mistake], Iterable[Fix]]

# From each kind of repair so many candidates, in this order.
_WIDTH: tuple[tuple[_Repair, int], ...] = (
    (widths.flattened, 1),
    (widths.moved, 1),
    (widths.consumer_side, 2),
    (widths.at_call, 2),
    (widths.other_block, 1),
    (widths.producer_side, 2),
    (widths.pooled, 1),
    (widths.consumer_side, 4),
    (widths.producer_side, 4),
    (widths.lazy, 1),
)
_REPAIRS: dict[str, tuple[tuple[_Repair, int], ...]] = {
    "linear-in-features": _WIDTH,
    "conv-in-channels": _WIDTH,
    "norm-features": _WIDTH,
    "attention-embed-dim": (*_WIDTH[1:6], (operations.batch_first, 1)),
    "recurrent-input-size": (*_WIDTH[1:6], (operations.hidden_state, 3)),
    "index-range": ((widths.consumer_side, 3),),
    "embed-heads": ((heads.divided, 6),),
    "matmul-inner-dim": ((operations.product, 6),),
    "cat-dim": ((operations.cat, 6),),
    "broadcast": ((operations.broadcasted, 6),),
    "loss-size": ((operations.compared, 4),),
    "reshape-numel": ((operations.reshaped, 4),),
    "view-contiguity": ((operations.reshaped, 1),),
    "unpack-rank": ((operations.counted, 3),),
    "dim-range": ((operations.counted, 3),),
    "spatial-collapse": ((operations.collapsed, 4), (widths.producer_side, 1)),
    "dtype-mismatch": ((operations.retyped, 2),),
    "index-dtype": ((operations.retyped, 2),),
    "input-rank": ((operations.ranked, 4),),
}


def repairs_of(case: Case, mistake: Mistake) -> tuple[Fix, ...]:
    """At most six repairs; the first is preferred."""
    return preferred_first(list(_candidates(case, mistake)), LIMIT)


def _candidates(case: Case, mistake: Mistake) -> Iterator[Fix]:
    for repair, most in _REPAIRS.get(mistake.code, ()):
        yield from islice(iter(repair(case, mistake)), most)
