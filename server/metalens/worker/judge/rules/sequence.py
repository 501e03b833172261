"""Recurrent layers and attention."""

from __future__ import annotations

import re
from typing import Any, Optional

from torch import nn

from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.rules.layers import rank

_SIZES = re.compile(r"Expected hidden(\[\d\])? size \(([\d, ]+)\), got \[([\d, ]+)\]")


def recurrent(case: Case) -> Optional[Mistake]:
    """RNN, LSTM, GRU and their cells: rank, width, and the hidden state."""
    layer = case.layer
    if not torchkind.is_recurrent(layer) and not torchkind.is_cell(layer):
        return None
    x, word = case.input, case.word()
    if x is None:
        return None
    hidden = _hidden(case, x, word)
    if hidden is not None:
        return hidden
    allowed = (1, 2) if torchkind.is_cell(layer) else (2, 3)
    if x.dim() not in allowed and "atched" not in case.torch:
        form = f"[B, {layer.input_size}]" if torchkind.is_cell(layer) else _form(layer)
        return rank(case, word, form, x, layer)
    given = int(x.shape[-1])
    if given == layer.input_size:
        return None
    message = words.within(f"{word} expects input_size {layer.input_size}, got {given}", *case.why(x, -1))
    return Mistake(
        "recurrent-input-size", message, layer, "input_size", layer.input_size, given, tensor=x, dim=x.dim() - 1
    )


def attention(case: Case) -> Optional[Mistake]:
    """MultiheadAttention (also inside torch's transformer layers) and scaled_dot_product_attention."""
    heads = _heads(case)
    if heads is not None:
        return heads
    layer = case.layer
    if isinstance(layer, nn.MultiheadAttention):
        return _multihead(case, layer)
    if torchkind.is_transformer(layer):
        return _transformer(case, layer)
    if case.name == "scaled_dot_product_attention" and len(case.tensors) > 2:
        return _dot_product(case)
    return None


def _hidden(case: Case, x: Any, word: str) -> Optional[Mistake]:
    match = _SIZES.search(case.torch)
    states = [t for t in _state(case) if t is not None]
    state = states[0] if states else None
    if match is not None:
        want, got = f"[{match.group(2)}]", f"[{match.group(3)}]"
        which = " cell state" if match.group(1) == "[1]" else " hidden state"
        message = words.fit(f"{word} expects{which} {want}, got {got}")
        return _of_state(case, message, state, [int(size) for size in match.group(2).split(",")])
    if state is None:
        return None
    match = re.search(r"hidden(\d) has inconsistent hidden_size: got (\d+), expected (\d+)", case.torch)
    if match is not None:
        state = states[min(int(match.group(1)), len(states) - 1)]
        message = f"{word} expects hidden_size {match.group(3)} in its state, got {match.group(2)}"
        wanted = [*state.shape[:-1], case.layer.hidden_size]
        return _of_state(case, words.within(message, *case.why(state, -1)), state, wanted)
    match = re.search(r"hx(?: and cx)? should also be (\d)-D but got (\(?[\d, -]+D?\)?)", case.torch)
    if match is not None or "hidden state" in case.torch or "hx" in case.torch or "stacked_rnn" in case.torch:
        message = words.fit(f"{word} expects hidden state {_state_form(case.layer, x)}, got {words.shape(state.shape)}")
        return Mistake("recurrent-input-size", message, case.layer, tensor=state)
    return None


def _of_state(case: Case, message: str, state: Any, wanted: list[int]) -> Mistake:
    """A state that is not the wanted one: in its width alone, or in its counts of layers and items too."""
    sizes = [int(size) for size in state.shape]
    differing = [dim for dim, (one, other) in enumerate(zip(sizes, wanted)) if one != other]
    dim = len(sizes) - 1
    if len(sizes) != len(wanted) or differing != [dim]:
        return Mistake("recurrent-input-size", message, case.layer, tensor=state)
    return Mistake(
        "recurrent-input-size",
        message,
        case.layer,
        "hidden_size",
        wanted[dim],
        sizes[dim],
        tensor=state,
        dim=dim,
    )


def _state(case: Case) -> list[Any]:
    if case.call is None:
        return []
    value = case.call.kwargs.get("hx", case.call.args[1] if len(case.call.args) > 1 else None)
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _state_form(layer: Any, x: Any) -> str:
    if torchkind.is_cell(layer):
        return words.shape((x.shape[0], layer.hidden_size)) if x.dim() == 2 else words.shape((layer.hidden_size,))
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    width = layer.proj_size or layer.hidden_size
    if x.dim() == 2:
        return words.shape((count, width))
    return words.shape((count, x.shape[0 if layer.batch_first else 1], width))


def _form(layer: Any) -> str:
    return f"[B, T, {layer.input_size}]" if layer.batch_first else f"[T, B, {layer.input_size}]"


def _heads(case: Case) -> Optional[Mistake]:
    if not re.search(r"embed_dim must be divisible by num_heads", case.torch):
        return None
    values = case.constructor_values("num_heads")
    embed, heads = values.get("embed_dim"), values.get("num_heads")
    if not isinstance(embed, int) or not isinstance(heads, int):
        return Mistake("embed-heads", "embed_dim is not divisible by num_heads")
    message = f"embed_dim {embed} is not divisible by num_heads {heads}"
    return Mistake("embed-heads", message, expected=heads, given=embed)


def _multihead(case: Case, layer: Any) -> Optional[Mistake]:
    word = case.word()
    if case.call is None:
        return None
    names = ("query", "key", "value")
    given = {**dict(zip(names, case.call.args)), **case.call.kwargs}
    sizes = {"query": layer.embed_dim, "key": layer.kdim, "value": layer.vdim}
    arguments = {"query": "embed_dim", "key": "kdim", "value": "vdim"}
    for name in names:
        x = given.get(name)
        if x is None or not hasattr(x, "dim"):
            continue
        if x.dim() not in (2, 3):
            form = f"[B, T, {sizes[name]}]" if layer.batch_first else f"[T, B, {sizes[name]}]"
            return rank(case, word, form, x, layer)
        if int(x.shape[-1]) != sizes[name]:
            head = f"{word} expects {name} width {sizes[name]}, got {int(x.shape[-1])}"
            argument = "embed_dim" if layer._qkv_same_embed_dim else arguments[name]
            message, dim = words.within(head, *case.why(x, -1)), x.dim() - 1
            return Mistake(
                "attention-embed-dim", message, layer, argument, sizes[name], int(x.shape[-1]), tensor=x, dim=dim
            )
    return _attention_shapes(case, given, word, layer)


def _attention_shapes(case: Case, given: dict[str, Any], word: str, layer: Any) -> Optional[Mistake]:
    query, key, value = given.get("query"), given.get("key"), given.get("value")
    mask = given.get("attn_mask", given.get("key_padding_mask"))
    if "mask" in case.torch and mask is not None:
        want = re.search(r"should be \(?([\d, ]+)\)?", case.torch)
        tail = f", expected [{want.group(1).strip(', ')}]" if want else ""
        return Mistake(
            "attention-embed-dim", words.fit(f"{word}: mask is {words.shape(mask.shape)}{tail}"), layer, tensor=mask
        )
    if key is not None and value is not None and tuple(key.shape[:2]) != tuple(value.shape[:2]):
        message = f"{word}: key is {words.shape(key.shape)}, value {words.shape(value.shape)}"
        return Mistake("attention-embed-dim", words.fit(message), layer, tensor=key, other=value)
    if query is None or key is None:
        return None
    message = f"{word}: query is {words.shape(query.shape)}, key {words.shape(key.shape)}"
    return Mistake("attention-embed-dim", words.fit(message), layer, tensor=query, other=key)


def _transformer(case: Case, layer: Any) -> Optional[Mistake]:
    width, x = torchkind.width(layer, "d_model"), case.input
    if width is None or x is None or not x.dim() or int(x.shape[-1]) == width:
        return None
    message = words.within(f"{case.word()} expects width {width} (d_model), got {int(x.shape[-1])}", *case.why(x, -1))
    return Mistake("attention-embed-dim", message, layer, "d_model", width, int(x.shape[-1]), tensor=x, dim=x.dim() - 1)


def _dot_product(case: Case) -> Optional[Mistake]:
    query, key, value = case.tensors[:3]
    head = "attention"
    if query.dim() and key.dim() and int(query.shape[-1]) != int(key.shape[-1]):
        sizes = f"{int(query.shape[-1])} vs {int(key.shape[-1])}"
        message = words.within(
            f"{head}: query and key widths differ, {sizes}", f" ({words.shape(query.shape)}, {words.shape(key.shape)})"
        )
        return Mistake("attention-embed-dim", message, tensor=query, dim=query.dim() - 1, other=key)
    if key.dim() > 1 and value.dim() > 1 and int(key.shape[-2]) != int(value.shape[-2]):
        message = f"{head}: {int(key.shape[-2])} keys but {int(value.shape[-2])} values ({words.shape(value.shape)})"
        return Mistake("attention-embed-dim", words.fit(message), tensor=key, other=value)
    message = f"{head}: query {words.shape(query.shape)} and key {words.shape(key.shape)} do not fit"
    return Mistake("attention-embed-dim", words.fit(message, f"{head}: shapes do not fit"), tensor=query, other=key)
