"""Constructor arguments that nobody gave, made up from names, annotations and defaults. What they show is assumed."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch

_CONFIG = re.compile(
    r"^(config|configs|cfg|conf|args|opt|opts|hparams|params|hps|h|model_args|config_\w+)$", re.IGNORECASE
)
# The first pattern that is found in a parameter's name decides; sizes divide each other where models want them to.
_NAMED: tuple[tuple[str, Any], ...] = (
    (r"^(in_|input_|img_|image_)?(shape|dims?_hw)$|input_shape|img_shape|image_shape", (3, 64, 64)),
    (r"drop|^p$|prob|rate|ratio|alpha|beta|gamma|eps|scale|momentum|temperature|temp$|std|weight$|sigma", 0.1),
    (r"dilation|groups|stride|^s$", 1),
    (r"pad", 1),
    (r"kernel|^k$|ks$|window_size|ksize", 3),
    (r"patch|frame_size|p_size", 8),
    (r"^frames|num_frames|n_frames", 8),
    (
        r"(image|img|input|spatial)_?(size|res|resolution|height|width|h|w)$|^(size|height|width|h|w|res|resolution)$",
        64,
    ),
    (r"(class|label)", 10),
    (r"vocab|num_embeddings|n_token|ntoken|num_tokens|dict", 100),
    (
        r"(seq|pred|label|max|ctx|context|block|input|src|tgt|text|token)\w*_?(len|length|size)|ctx$|seq_len|max_len",
        32,
    ),
    (r"dim_head|head_dim|d_head|d_k|d_v|dim_key|dim_value|d_kv", 16),
    (r"head", 4),
    (r"depth|layers?$|num_\w*(blocks|stages|convs)|n_(blocks|layers?|convs)|repeat|blocks$|iters?$|steps?$", 2),
    (r"mlp|ff|hidden|inner|d_inner|expand|nhid", 128),
    (r"^(in_|input_)?(channels?|chans?|c|ch|planes|nc)$|c_in|enc_in|dec_in|n_channels|in_ch|^cin$|img_channels", 3),
    (r"c_out|out_ch|out_planes|cout|nf$|ngf|ndf|filters|planes|width|channels|growth|features|feat", 16),
    (r"dim|d_model|embed|emb|size|latent|units|width|rank|ninp|n_in|n_out|^n$|num|^(in|out|input|output)", 64),
)
_MODULES = re.compile(
    r"^(fn|func|function|net|module|block|layer|backbone|encoder|decoder|model|body|head|\w*_net|\w*_fn)$"
)
_NORMS = re.compile(r"norm(_layer|_type)?$", re.IGNORECASE)
_ACTIVATIONS = re.compile(r"(^|_)act(_|$)|activation|nonlinearity")


class MadeUp:
    """A config object that makes up each attribute it is asked for, by its name."""

    def __init__(self, variant: int, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        object.__setattr__(self, "_variant", variant)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _by_name(name, self._variant)
        object.__setattr__(self, name, value)
        return value

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """As a dictionary would."""
        return default if default is not None else getattr(self, name)


def inventions(cls: type) -> Iterator[dict[str, Any]]:
    """Sets of keyword arguments for the constructor, the likeliest first."""
    try:
        parameters = [part for part in inspect.signature(cls).parameters.values() if part.kind not in (2, 4)]
    except (TypeError, ValueError):
        return
    if any(part.kind == part.POSITIONAL_ONLY for part in parameters):
        return
    for variant in range(3):
        yield {part.name: value_of(part, variant) for part in parameters if part.default is part.empty}


def value_of(parameter: inspect.Parameter, variant: int) -> Any:
    """Something that a parameter may be given, by its name and annotation; variants are other guesses."""
    if isinstance(parameter.annotation, type) and dataclasses.is_dataclass(parameter.annotation):
        return _record(parameter.annotation, variant)
    name, annotation = parameter.name, str(parameter.annotation)
    if _CONFIG.match(name) and not re.search(r"\b(int|float|bool)\b", annotation):
        return MadeUp(variant)
    if "bool" in annotation:
        return False
    if name.endswith("kwargs"):
        return {}
    if re.search(r"Module|Callable", annotation) or (_MODULES.match(name) and "int" not in annotation):
        return torch.nn.BatchNorm2d if _NORMS.search(name) else torch.nn.Identity()
    value = _by_name(name, variant)
    if re.search(r"[Ll]ist|[Tt]uple|Sequence", annotation) and not isinstance(value, tuple):
        return [value] * (2 if variant else 4)
    if "float" in annotation and isinstance(value, int):
        return 0.1
    if "int" in annotation and isinstance(value, float):
        return 1
    return value


def _record(cls: Any, variant: int) -> Any:
    """A dataclass with its own defaults, and made-up values for the other fields."""
    none = dataclasses.MISSING
    fields = [part for part in dataclasses.fields(cls) if part.init and part.default is part.default_factory is none]
    keyword = inspect.Parameter.KEYWORD_ONLY
    try:
        return cls(**{
            part.name: value_of(inspect.Parameter(part.name, keyword, annotation=part.type), variant) for part in fields
        })  # fmt: skip
    except Exception:  # noqa: BLE001 - the user's class need not like made-up values
        return MadeUp(variant)


def _by_name(name: str, variant: int) -> Any:
    if _NORMS.search(name):
        return torch.nn.BatchNorm2d
    if _ACTIVATIONS.search(name):
        return (torch.nn.ReLU(), "relu", torch.nn.functional.relu)[variant]
    if re.match(r"^(use|is|has|with|enable|do|no)_|bias|causal|bidirectional|normalize$", name):
        return bool(variant == 1)
    for pattern, value in _NAMED:
        if re.search(pattern, name):
            return _varied(value, variant)
    return _varied(16, variant)


def _varied(value: Any, variant: int) -> Any:
    """Other variants try equal widths, and pairs and lists where the first one gave a number."""
    if variant == 1 and value in (3, 16, 128):
        return 64
    if variant == 2 and isinstance(value, int) and value > 3:
        return [value, value, value, value]
    return value
