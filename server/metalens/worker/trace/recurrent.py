"""Recurrent layers by rule: on the meta device torch would run them step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_Rule = Callable[[Any, Callable[..., Any], "tuple[Any, ...]", "dict[str, Any]"], Any]


def _layer(states: int) -> _Rule:
    """RNN (one state) or LSTM (two): torch checks the sizes of inputs and states before it comes here."""

    def run(mode: Any, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        packed = isinstance(args[3], (list, tuple))
        if packed:
            data, _, hidden, weights, _, layers, _, _, both = args[:9]
        else:
            data, hidden, weights, _, layers, _, _, both = args[:8]
        state = hidden[0] if states == 2 else hidden
        stacked = layers * (2 if both else 1)
        if int(state.shape[0]) != stacked:
            raise RuntimeError(f"Expected hidden size ({stacked}, ...), got {list(state.shape)}")
        if int(weights[0].shape[1]) != int(data.shape[-1]):
            raise RuntimeError(f"Expected input of size {int(weights[0].shape[1])}, got {int(data.shape[-1])}")
        width = int(state.shape[-1]) * (2 if both else 1)
        output = torch.empty((*data.shape[:-1], width), dtype=data.dtype, device="meta")
        if states == 2:
            return output, _meta(hidden[0]), _meta(hidden[1])
        return output, _meta(hidden)

    return run


def _meta(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


def _pack(mode: Any, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    data, lengths, batch_first = args
    if lengths.is_meta:
        mode.invented("sequence lengths that are computed")
        lengths = torch.full(lengths.shape, int(data.shape[1 if batch_first else 0]))
    steps = [int(length) for length in lengths.tolist()]
    sizes = [sum(1 for length in steps if length > step) for step in range(max(steps))]
    batch, time, *rest = data.shape if batch_first else (data.shape[1], data.shape[0], *data.shape[2:])
    if len(steps) != batch or max(steps) > time:
        return func(torch.zeros(data.shape), lengths, batch_first)  # raises as on a CPU
    packed = torch.empty((sum(sizes), *rest), dtype=data.dtype, device="meta")
    return packed, torch.tensor(sizes)


def _unpack(mode: Any, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    data, batch_sizes, batch_first = args[:3]
    total = args[4] if len(args) > 4 else kwargs.get("total_length", -1)
    sizes = [int(size) for size in batch_sizes.tolist()]
    batch, time = sizes[0], max(len(sizes), int(total or -1))
    shape = (batch, time) if batch_first else (time, batch)
    lengths = torch.tensor([sum(1 for size in sizes if size > item) for item in range(batch)])
    return torch.empty((*shape, *data.shape[1:]), dtype=data.dtype, device="meta"), lengths


def _rules() -> dict[Any, _Rule]:
    table: dict[Any, _Rule] = {}
    for holder in (torch._VF, torch):
        for name, states in (("lstm", 2), ("gru", 1), ("rnn_tanh", 1), ("rnn_relu", 1)):
            table[getattr(holder, name)] = _layer(states)
        table[holder._pack_padded_sequence] = _pack
        table[holder._pad_packed_sequence] = _unpack
    return table


RULES: dict[Any, _Rule] = _rules()
