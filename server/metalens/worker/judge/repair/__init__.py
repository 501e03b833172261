"""Candidate repairs, the best first. The engine runs each of them before it is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair import (
    asserted,
    exchange,
    factors,
    forward,
    heads,
    operations,
    patterns,
    ranks,
    shapes,
    slices,
    space,
    steps,
    tables,
    usage,
    views,
    widths,
)
from metalens.worker.judge.repair.edits import preferred_first

# What the engine is given to try; it stops when enough of them mend the mistake.
LIMIT = 40

_Repair = Callable[[Case, Mistake], Iterable[Fix]]

# From each kind of repair so many candidates, in this order.
_WIDTH: tuple[tuple[_Repair, int], ...] = (
    (steps.unpadded, 3),
    (forward.joined_to_fit, 1),
    (widths.flattened, 1),
    (forward.flattened_at_definition, 1),
    (steps.flattened_early, 1),
    (widths.moved, 2),
    (widths.consumer_side, 2),
    (widths.at_call, 2),
    (widths.other_block, 1),
    (widths.producer_side, 2),
    (usage.reshaped, 1),
    (widths.pooled, 1),
    (shapes.kept, 1),
    (widths.consumer_side, 8),
    (widths.producer_side, 4),
    (usage.unmerged, 1),
    (usage.renamed, 2),
)
_REPAIRS: dict[str, tuple[tuple[_Repair, int], ...]] = {
    "linear-in-features": _WIDTH,
    "conv-in-channels": _WIDTH,
    "norm-features": ((heads.grouped, 3), *_WIDTH),
    "attention-embed-dim": (*_WIDTH[5:10], (operations.batch_first, 1)),
    "recurrent-input-size": (*_WIDTH[5:10], (operations.hidden_state, 3)),
    "index-range": ((widths.consumer_side, 3),),
    "embed-heads": ((heads.divided, 6),),
    "matmul-inner-dim": ((operations.product, 6), (usage.same_expression, 2)),
    "cat-dim": ((operations.cat, 6), (exchange.as_others_do, 1), (space.fitting_geometry, 3), (space.interpolated, 2)),
    "broadcast": (
        (steps.unpadded, 3),
        (steps.like_the_other, 2),
        (steps.unsqueezed, 2),
        (tables.resized, 2),
        (operations.broadcasted, 6),
        (exchange.as_others_do, 1),
        (space.fitting_geometry, 3),
        (space.interpolated, 2),
    ),
    "loss-size": ((operations.compared, 4),),
    "reshape-numel": ((views.reshaped, 6), (views.filled, 3), (shapes.kept, 4), (factors.multiplied, 2)),
    "view-contiguity": ((views.reshaped, 1),),
    "unpack-rank": (
        (factors.multiplied, 2),
        (operations.counted, 3),
    ),
    "size-assertion": ((asserted.held, 6),),
    "dim-range": ((steps.each_dimension_once, 2), (steps.unsqueezed, 1), (operations.counted, 3)),
    "dim-count": ((steps.before_permute, 3),),
    "spatial-collapse": ((space.collapsed, 4), (widths.producer_side, 1)),
    "dtype-mismatch": ((operations.retyped, 2),),
    "index-dtype": ((operations.retyped, 2),),
    "forward-error": ((steps.each_dimension_once, 2), (heads.grouped, 3)),
    "input-rank": (
        (ranks.indexed, 3),
        (ranks.weighed, 1),
        (usage.whole_batch, 1),
        (usage.renamed, 2),
        (operations.ranked, 4),
    ),
}

# What the lines on the way say against themselves or each other, whatever the mistake is: few, and tried first.
_SLIPS: tuple[tuple[_Repair, int], ...] = (
    (exchange.misnamed, 1),
    (exchange.forgotten_attribute, 2),
    (steps.as_in_parallel, 2),
    (steps.exchanged_sizes, 2),
    (patterns.in_order, 2),
    (patterns.swapped_operands, 1),
)
# Other strong signs.
_SIGNS: tuple[tuple[_Repair, int], ...] = (
    (forward.joined_batches, 1),
    (factors.of_local, 2),
    (slices.shifted, 2),
    (exchange.as_other_calls_do, 2),
    (usage.through_layer, 2),
    (exchange.forgotten_variable, 2),
    (forward.as_its_neighbours, 2),
    (exchange.other_element, 2),
    (patterns.exchanged, 3),
    (forward.forgotten_part, 1),
    (exchange.as_others_do, 1),
    (exchange.other_default, 2),
    (widths.lazy, 1),
)
# What one mistyped word, number or order near any mistake would need; twice round, so that each kind gets its turn.
_ANYWHERE: tuple[tuple[_Repair, int], ...] = (
    (patterns.in_order_anywhere, 2),
    (exchange.swapped_in_constructor, 2),
    (exchange.other_attribute, 2),
    (forward.as_its_neighbours, 2),
    (factors.multiplied, 2),
    (forward.join_part, 2),
    (patterns.exchanged, 4),
    (forward.join_dimension, 2),
    (exchange.other_size, 2),
    (exchange.other_index, 3),
    (exchange.as_others_do, 2),
    (forward.at_definition, 2),
    (exchange.other_variable, 2),
    (exchange.swapped_in_call, 1),
    (forward.other_dimension, 2),
    (exchange.swapped_in_constructor, 6),
    (exchange.other_attribute, 6),
    (exchange.other_size, 6),
    (exchange.as_others_do, 6),
    (forward.join_part, 4),
    (patterns.exchanged, 12),
    (forward.shaped, 6),
    (exchange.other_variable, 6),
    (factors.multiplied, 6),
)
_IN_SPACE: tuple[tuple[_Repair, int], ...] = (
    (exchange.as_others_do, 2),
    (space.geometry, 4),
    (space.image_size, 3),
    (space.round_sizes, 2),
    (space.geometry, 12),
)
_SPATIAL = frozenset(
    ["broadcast", "cat-dim", "loss-size", "reshape-numel", "spatial-collapse", "linear-in-features", "forward-error"]
)


def repairs_of(case: Case, mistake: Mistake) -> tuple[Fix, ...]:
    """Candidates to be tried, the first preferred."""
    return preferred_first(asserted.without_the_check(case, mistake, list(_candidates(case, mistake))), LIMIT)


def _candidates(case: Case, mistake: Mistake) -> Iterator[Fix]:
    for repair, most in (*_SLIPS, *_REPAIRS.get(mistake.code, ()), *_SIGNS):
        yield from _first_of(repair, most, case, mistake)
    space = _IN_SPACE if _is_spatial(mistake) else ()
    for repair, most in (*_ANYWHERE, *space) if _is_of_tokens(mistake) else (*space, *_ANYWHERE):
        yield from (replace(found, guess=True) for found in _first_of(repair, most, case, mistake))


def _first_of(repair: _Repair, most: int, case: Case, mistake: Mistake) -> list[Fix]:
    try:
        return list(islice(iter(repair(case, mistake)), most))
    except Exception:  # noqa: BLE001 - code of the user's that no repair expects; the others go on
        return []


def _is_spatial(mistake: Mistake) -> bool:
    """Whether the sizes in conflict may be heights, widths or lengths."""
    if mistake.code == "broadcast" or mistake.code == "cat-dim":
        return mistake.tensor is None or mistake.tensor.dim() > 2
    return mistake.code in _SPATIAL


def _is_of_tokens(mistake: Mistake) -> bool:
    """Whether the tensor looks like a sequence, whose length has no part in the sizes that disagree."""
    return mistake.code == "linear-in-features" and mistake.tensor is not None and mistake.tensor.dim() == 3
