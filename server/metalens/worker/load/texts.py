"""Texts that are not on the machine, and the words in them: torchtext's datasets and vocabularies, spaCy's tokens.

The words are made up, and how many there are of them; what does not depend on that is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

import torch

from metalens.worker.load import fields
from metalens.worker.load.inventions import WORDS, invented, more
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True
_SENTENCES, _LENGTH, _STEP = 256, 11, 7
_WORDS, _FOREIGN, _MORE = 907, 1151, 53
_DIMENSION = re.compile(r"(\d+)d$")
_PART = re.compile(r"torchtext\.(legacy\.)?(data|datasets)\.[a-z_]+")

# name: how many labels
_LABELLED = {
    "IMDB": 2,
    "SST2": 2,
    "CoLA": 2,
    "YelpReviewPolarity": 2,
    "AmazonReviewPolarity": 2,
    "AG_NEWS": 4,
    "SogouNews": 5,
    "YelpReviewFull": 5,
    "AmazonReviewFull": 5,
    "YahooAnswers": 10,
    "DBpedia": 14,
}
_PAIRED = ("Multi30k", "IWSLT2016", "IWSLT2017")
_PLAIN = ("WikiText2", "WikiText103", "PennTreebank", "EnWik9")
_SPLITS = {
    "Multi30k": 3,
    "IWSLT2016": 3,
    "IWSLT2017": 3,
    "WikiText2": 3,
    "WikiText103": 3,
    "PennTreebank": 3,
    "SST2": 3,
}


def _sentence(number: int, known: int = _WORDS) -> str:
    places, count = range(_LENGTH + number % 5 + more()), known + _MORE * more()
    return " ".join(f"word{(number * _LENGTH + place) * _STEP % count}" for place in places)


class Texts(list[Any]):
    """Items of a dataset, which may be read again and again."""

    def map(self, function: Any) -> Texts:
        """Each item changed."""
        return Texts(function(item) for item in self)

    def shuffle(self) -> Texts:
        """In another order."""
        return self

    sharding_filter = shuffle

    def batch(self, batch_size: int, *args: Any, **kwargs: Any) -> Texts:
        """Lists of so many items."""
        return Texts(list(self[at : at + batch_size]) for at in range(0, len(self), batch_size))


def _dataset(name: str) -> Any:
    parts = _SPLITS.get(name, 2)

    def items() -> Texts:
        invented(WORDS)
        if name in _PAIRED:
            return Texts((_sentence(number), _sentence(number + 1, _FOREIGN)) for number in range(_SENTENCES))
        if name in _PLAIN:
            return Texts(_sentence(number) for number in range(_SENTENCES))
        count = _LABELLED[name]
        labelled = ((number % count + (count > 2 or name == "IMDB"), _sentence(number)) for number in range(_SENTENCES))
        return Texts((text, label) if name in ("SST2", "CoLA") else (label, text) for label, text in labelled)

    def dataset(root: Any = None, split: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(root, (tuple, list)):  # a name of a part may come first where no folder is given
            split = root
        return items() if isinstance(split, str) else tuple(items() for _ in split or range(parts))

    return dataset


# ---------------------------------------------------------------- words


class Vocab:
    """Words and their numbers."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._numbers = {word: number for number, word in enumerate(self._words)}
        self._default: Optional[int] = None

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def __getitem__(self, word: str) -> int:
        number = self._numbers.get(word, self._default)
        if number is None:
            raise RuntimeError(f"Token {word} not found and default index is not set")
        return number

    def __call__(self, tokens: Iterable[str]) -> list[int]:
        """The numbers of words. Raises RuntimeError for one that is not known."""
        return [self[token] for token in tokens]

    forward = lookup_indices = __call__

    def set_default_index(self, index: Optional[int]) -> None:
        """The number of words that are not known."""
        self._default = index

    def get_default_index(self) -> Optional[int]:
        """See above."""
        return self._default

    def get_stoi(self) -> dict[str, int]:
        """Numbers by words."""
        return dict(self._numbers)

    def get_itos(self) -> list[str]:
        """Words by numbers."""
        return list(self._words)

    def lookup_token(self, index: int) -> str:
        """A word."""
        return self._words[index]

    def lookup_tokens(self, indices: Iterable[int]) -> list[str]:
        """Words."""
        return [self._words[index] for index in indices]

    def append_token(self, token: str) -> None:
        """One word more."""
        self._numbers[token] = len(self._words)
        self._words.append(token)


def _vocab(
    ordered_dict: Mapping[str, int], min_freq: int = 1, specials: Any = None, special_first: bool = True
) -> Vocab:
    words = [word for word, count in ordered_dict.items() if count >= min_freq and word not in (specials or ())]
    return Vocab([*(specials or ()), *words] if special_first else [*words, *(specials or ())])


def _vocab_of(
    iterator: Any, min_freq: int = 1, specials: Any = None, special_first: bool = True, max_tokens: Any = None
) -> Vocab:
    if isinstance(iterator, Unknown):
        raise UnknownError("the words of a vocabulary are not known")
    counts = Counter(token for tokens in iterator for token in tokens)
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    room = None if max_tokens is None else max_tokens - len(specials or ())
    return _vocab(dict(list(ordered.items())[:room]), min_freq, specials, special_first)


class Vectors:
    """Vectors that were learned elsewhere: how long they are is known."""

    def __init__(self, name: Any = "6B", *args: Any, dim: Any = 300, **kwargs: Any) -> None:
        invented(WORDS)
        found = _DIMENSION.search(str(name).removesuffix(".txt")) if isinstance(name, str) else None
        self.dim = int(found.group(1)) if found else dim
        self.itos = [f"word{number}" for number in range(_WORDS + _MORE * more())]
        self.stoi = {word: number for number, word in enumerate(self.itos)}
        self.vectors = torch.empty((len(self.itos), self.dim), device="meta")

    def __len__(self) -> int:
        return len(self.itos)

    def __getitem__(self, token: str) -> torch.Tensor:
        return torch.empty(self.dim, device="meta")

    def get_vecs_by_tokens(self, tokens: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One vector for each."""
        return torch.empty(self.dim if isinstance(tokens, str) else (len(tokens), self.dim), device="meta")


def _tokenizer(tokenizer: Any = None, language: str = "en") -> Any:
    return tokenizer if callable(tokenizer) else lambda text: text.split()


def _ngrams(tokens: list[str], ngrams: int) -> Iterator[str]:
    for size in range(1, ngrams + 1):
        yield from (" ".join(tokens[at : at + size]) for at in range(len(tokens) - size + 1))


# ---------------------------------------------------------------- spaCy


class _Token(str):
    """A word as spaCy gives it."""

    @property
    def text(self) -> str:
        """The word."""
        return str(self)

    lemma_ = lower_ = text
    is_stop = is_punct = is_space = False


class _Language:
    """What takes texts apart."""

    def __call__(self, text: str, *args: Any, **kwargs: Any) -> list[_Token]:
        return [_Token(word) for word in text.split()]

    tokenizer = make_doc = property(lambda self: self)

    def pipe(self, texts: Iterable[str], *args: Any, **kwargs: Any) -> Iterator[list[_Token]]:
        """Each text taken apart."""
        return map(self, texts)


def _language(*args: Any, **kwargs: Any) -> _Language:
    return _Language()


class Phonemes:
    """g2p_en: the sounds of English words, here the same four for each of them."""

    takes_unknown = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        return None

    def __call__(self, text: Any) -> list[str]:
        """Of a text that is not known as many as of one word."""
        invented(WORDS)
        words = text.split() if isinstance(text, str) else [""]
        return [sound for word in words for sound in (" ", "HH", "AH0", "L", "OW1")][1:]


_DATASETS = fields.datasets({name: _dataset(name) for name in (*_LABELLED, *_PAIRED, *_PLAIN)})
_MODULES: dict[str, dict[str, Any]] = {
    "torchtext": {},
    "torchtext.data": {**fields.NAMES, "get_tokenizer": _tokenizer, "to_map_style_dataset": Texts},
    "torchtext.data.utils": {"get_tokenizer": _tokenizer, "ngrams_iterator": _ngrams},
    "torchtext.data.functional": {"to_map_style_dataset": Texts},
    "torchtext.vocab": {
        "Vocab": Vocab,
        "vocab": _vocab,
        "build_vocab_from_iterator": _vocab_of,
        **dict.fromkeys(("Vectors", "GloVe", "FastText", "CharNGram"), Vectors),
    },
    "torchtext.datasets": _DATASETS,
    "torchtext.legacy": {},
    "torchtext.legacy.data": fields.NAMES,
    "torchtext.legacy.datasets": _DATASETS,
    "g2p_en": {"G2p": Phonemes},
    "spacy": {"load": _language, "blank": _language},
    "spacy.lang.en": {"English": _language},
    "spacy.tokenizer": {"Tokenizer": _language},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What is known of a module of torchtext or spaCy, by its dotted name."""
    known = _MODULES.get(name)
    if known is None and _PART.fullmatch(name):
        return _MODULES[name.rpartition(".")[0]]  # such as torchtext.datasets.translation
    return known
