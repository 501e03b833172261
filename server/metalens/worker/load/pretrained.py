"""Models of the hub by name where transformers is not installed: how wide they are, and the shapes that they give.

Their weights are not built; what is not known of them is Unknown. Tokenizers make texts of a made-up length.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.worker.load.inventions import WORDS, invented, more
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True
_TOKENS = 21

# family: words, the longest text; size: width, layers, heads
_WORDS = {"bert": (30522, 512), "roberta": (50265, 514), "gpt2": (50257, 1024), "t5": (32128, 512)}
_WORDS.update({"distilbert": (30522, 512), "distilroberta": (50265, 514), "electra": (30522, 512)})
_WORDS.update({"distilgpt2": (50257, 1024), "deberta-v3": (128100, 512), "xlm-roberta": (250002, 514)})
_SIZES: dict[str, tuple[int, int, int]] = {
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "bert-base": (768, 12, 12),
    "bert-large": (1024, 24, 16),
    "distilbert-base": (768, 6, 12),
    "distilroberta-base": (768, 6, 12),
    "distilgpt2": (768, 6, 12),
    "gpt2": (768, 12, 12),
    "gpt2-medium": (1024, 24, 16),
    "gpt2-large": (1280, 36, 20),
    "gpt2-xl": (1600, 48, 25),
    "t5-small": (512, 6, 8),
    "t5-base": (768, 12, 12),
    "t5-large": (1024, 24, 16),
    "t5-3b": (1024, 24, 32),
    "t5-11b": (1024, 24, 128),
    "t5-v1_1-small": (512, 8, 6),
    "t5-v1_1-base": (768, 12, 12),
    "t5-v1_1-large": (1024, 24, 16),
    "t5-v1_1-xl": (2048, 24, 32),
    "t5-v1_1-xxl": (4096, 24, 64),
    "electra-base-discriminator": (768, 12, 12),
    "deberta-v3-base": (768, 12, 12),
    "deberta-v3-large": (1024, 24, 16),
}
_NAME = re.compile(
    r"(?:[\w-]+/)?(?P<family>xlm-roberta|distilroberta|distilbert|distilgpt2|roberta|deberta-v3|electra|bert|gpt2|t5)"
    r"(?P<size>(?:-v1_1)?(?:-(?:small|base|medium|large|xl|xxl|3b|11b|base-discriminator))?)"
    r"(?P<kind>(?:-(?:multilingual|chinese|uncased|cased|wwm|ext|german|japanese))*)"
)
_POOLED = frozenset(["bert", "roberta", "xlm-roberta", "distilroberta"])


_SYNONYMS = (
    ("hidden_size", "d_model", "n_embd", "dim"),
    ("num_hidden_layers", "num_layers", "n_layer", "n_layers"),
    ("num_attention_heads", "num_heads", "n_head", "n_heads"),
    ("max_position_embeddings", "n_positions"),
)


class Config:
    """How a model is built: of a name that is known, or as the caller says beside what is usual."""

    usual = ""

    def __init__(self, **settings: Any) -> None:
        if self.usual:
            self.__dict__.update(Config.from_pretrained(self.usual).__dict__)
        self.__dict__.update(settings)
        for names in _SYNONYMS:
            given = [settings[name] for name in names if name in settings]
            self.__dict__.update(dict.fromkeys(names, given[0]) if given else {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"{name} of a model's configuration")

    @classmethod
    def from_pretrained(cls, name: Any = None, *args: Any, **settings: Any) -> Any:
        """The configuration of a model by name."""
        found = _NAME.fullmatch(name) if isinstance(name, str) else None
        sizes = _SIZES.get(found["family"] + found["size"]) or _SIZES.get(found["size"][1:]) if found else None
        if found is None or sizes is None:
            return Unknown(f"the configuration of {name}")
        words, longest = _WORDS[found["family"]]
        width, layers, heads = sizes
        known: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
        known.update({"intermediate_size": 4 * width, "max_position_embeddings": longest})
        if not found["kind"].strip("-") or found["kind"] == "-uncased":
            known["vocab_size"] = words
        return Config(**known, family=found["family"], name_or_path=name, **settings)


class Output(OrderedDict[str, Any]):
    """What a model gives: by name, as an attribute, or by its place."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def to_tuple(self) -> tuple[Any, ...]:
        """In order."""
        return tuple(super(Output, self).__getitem__(name) for name in self)


class Pretrained(torch.nn.Module):
    """A model by name; its widths are known, its weights are not built."""

    task = ""

    def __init__(self, config: Any, *args: Any, **settings: Any) -> None:
        super().__init__()
        if isinstance(config, Unknown) or not isinstance(getattr(config, "hidden_size", None), int):
            raise UnknownError("the configuration of a model is not known")
        self.config = config
        self._made = True

    @classmethod
    def from_pretrained(cls, name: Any = None, *args: Any, **settings: Any) -> Any:
        """The model by name."""
        config = settings.pop("config", None) or Config.from_pretrained(name)
        if isinstance(config, Unknown):
            return Unknown(f"the model {name}")
        config.__dict__.update(settings)
        return cls(config)

    @classmethod
    def from_config(cls, config: Any, *args: Any, **settings: Any) -> Any:
        """The model as it is configured."""
        return cls(config)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "module" or name.startswith("_") or "_made" not in self.__dict__:
                raise
            return Unknown(f"{name} of a model that is not here")

    def parameters(self, recurse: bool = True) -> Iterator[torch.nn.Parameter]:
        """Something to freeze, to optimize, or to ask for a device; it belongs to no model."""
        yield torch.nn.Parameter(torch.empty(1, device="meta"))

    def state_dict(self, *args: Any, **settings: Any) -> Any:
        """Its weights are not here."""
        return Unknown("the weights of a model")

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return torch.device("cpu")

    def resize_token_embeddings(self, count: Any = None, *args: Any, **settings: Any) -> None:
        """More words, or fewer."""
        self.config.vocab_size = count

    def gradient_checkpointing_enable(self, *args: Any, **settings: Any) -> None:
        """Changes no shape."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        *args: Any,
        inputs_embeds: Any = None,
        output_hidden_states: Any = None,
        return_dict: Any = None,
        labels: Any = None,
        **others: Any,
    ) -> Any:
        """What the last layer gives, and what is made of it."""
        given = input_ids if input_ids is not None else inputs_embeds
        if not isinstance(given, torch.Tensor):
            raise UnknownError("what a model is given is not known")
        config = self.config
        shape = tuple(given.shape) if given is input_ids else tuple(given.shape[:-1])
        if len(shape) != 2:
            raise ValueError(f"not enough values to unpack (expected 2, got {len(shape)})")
        hidden = torch.empty((*shape, config.hidden_size), device="meta")
        told = Output()
        if labels is not None:
            told["loss"] = torch.empty((), device="meta")
        if self.task == "words":
            told["logits"] = torch.empty((*shape, config.vocab_size), device="meta")
        elif self.task:
            labelled = config.num_labels if isinstance(config.num_labels, int) else 2
            told["logits"] = torch.empty((*(shape if self.task == "tokens" else shape[:1]), labelled), device="meta")
        else:
            told["last_hidden_state"] = hidden
            if config.family in _POOLED:
                told["pooler_output"] = torch.empty((shape[0], config.hidden_size), device="meta")
        if output_hidden_states or config.__dict__.get("output_hidden_states"):
            told["hidden_states"] = (hidden,) * (config.num_hidden_layers + 1)
        plain = return_dict is False or config.__dict__.get("return_dict") is False
        return told.to_tuple() if plain else told


class _ForWords(Pretrained):
    task = "words"


class _ForTokens(Pretrained):
    task = "tokens"


class _ForSequences(Pretrained):
    task = "sequences"


class Tokenizer:
    """Numbers for the words of texts, as many as the caller asks for or a made-up number of them."""

    def __init__(self, name: Any) -> None:
        config = Config.from_pretrained(name)
        self.vocab_size = Unknown("the number of words") if isinstance(config, Unknown) else config.vocab_size
        self.pad_token_id = self.cls_token_id = self.sep_token_id = self.eos_token_id = self.bos_token_id = 0
        self.pad_token = self.eos_token = self.bos_token = "<pad>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"{name} of a tokenizer")

    @classmethod
    def from_pretrained(cls, name: Any = None, *args: Any, **settings: Any) -> Tokenizer:
        """The tokenizer of a model by name."""
        return cls(name)

    def __len__(self) -> int:
        if not isinstance(self.vocab_size, int):
            raise UnknownError("the number of words is not known")
        return self.vocab_size

    def tokenize(self, text: Any, *args: Any, **settings: Any) -> list[str]:
        """The words of a text."""
        invented(WORDS)
        return ["word"] * (_TOKENS + more())

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """A number for each word."""
        return 1 if isinstance(tokens, str) else [1] * len(tokens)

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        *args: Any,
        padding: Any = False,
        pad_to_max_length: Any = False,
        max_length: Any = None,
        return_tensors: Any = None,
        return_token_type_ids: Any = None,
        **others: Any,
    ) -> Any:
        """The numbers of one text or of several, and which of them count."""
        if isinstance(text, Unknown) or isinstance(max_length, Unknown):
            raise UnknownError("the texts are not known")
        full = isinstance(max_length, int) and (padding == "max_length" or pad_to_max_length)
        if not full:
            invented(WORDS)
        length = max_length if full else _TOKENS + more()
        many = isinstance(text, (list, tuple))
        size = (len(text), length) if many else (1, length)
        names = ["input_ids", "attention_mask", *(["token_type_ids"] if return_token_type_ids else [])]
        if return_tensors == "pt":
            return Encoding({name: torch.empty(size, dtype=torch.long, device="meta") for name in names})
        rows = [[1] * length for _ in range(size[0])]
        return Encoding({name: rows if many else rows[0] for name in names})

    encode_plus = batch_encode_plus = __call__

    def encode(self, text: Any = None, *args: Any, **settings: Any) -> Any:
        """The numbers of a text alone."""
        return self(text, **settings)["input_ids"]


class Encoding(dict[str, Any]):
    """What a tokenizer gives: by name, or as an attribute."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to(self, device: Any) -> Encoding:
        """Devices do not matter."""
        return self


_TASKS: dict[str, type[Pretrained]] = {
    "Model": Pretrained,
    "EncoderModel": Pretrained,
    "ForMaskedLM": _ForWords,
    "LMHeadModel": _ForWords,
    "ForCausalLM": _ForWords,
    "ForSequenceClassification": _ForSequences,
    "ForTokenClassification": _ForTokens,
}
_USUAL = {
    "Bert": "bert-base-uncased",
    "Roberta": "roberta-base",
    "DistilBert": "distilbert-base-uncased",
    "GPT2": "gpt2",
    "T5": "t5-small",
    "XLMRoberta": "xlm-roberta-base",
    "Electra": "",
    "DebertaV2": "",
    "Auto": "",
}


def _names() -> dict[str, Any]:
    known: dict[str, Any] = {}
    for family, usual in _USUAL.items():
        known[f"{family}Config"] = type(f"{family}Config", (Config,), {"usual": usual})
        known[f"{family}Tokenizer"] = known[f"{family}TokenizerFast"] = Tokenizer
        kinds = {name: kind for name, kind in _TASKS.items() if name != "EncoderModel" or family == "T5"}
        # T5 as a whole takes two texts.
        known.update({f"{family}{name}": kind for name, kind in kinds.items() if (family, name) != ("T5", "Model")})
    known["AutoModelForCausalLM"] = known["AutoModelForMaskedLM"] = _ForWords
    return known


_KNOWN = _names()


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without any."""
    return _KNOWN if name == "transformers" or name.startswith("transformers.models.") else None
