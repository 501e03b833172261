"""torchtext as it was: fields, datasets that are split, and iterators over batches of made-up texts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

import torch

from metalens.worker.load.inventions import WORDS, invented, more
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True
_EXAMPLES, _LENGTH, _WORDS = 2000, 23, 4801

# name: the names of its fields, the labels of the last one (0: it is a text, too), how many parts it has
_SPLIT: dict[str, tuple[str, int, int]] = {
    "SNLI": ("premise hypothesis label", 3, 3),
    "MultiNLI": ("premise hypothesis label", 3, 3),
    "XNLI": ("premise hypothesis label", 3, 2),
    "SST": ("text label", 3, 3),
    "TREC": ("text label", 6, 2),
    "IMDB": ("text label", 2, 2),
    "Multi30k": ("src trg", 0, 3),
    "IWSLT": ("src trg", 0, 3),
    "WMT14": ("src trg", 0, 3),
    "TranslationDataset": ("src trg", 0, 3),
    "WikiText2": ("text", 0, 3),
    "WikiText103": ("text", 0, 3),
    "PennTreebank": ("text", 0, 3),
    "LanguageModelingDataset": ("text", 0, 3),
    "UDPOS": ("text udtags ptbtags", 0, 3),
    "SequenceTaggingDataset": ("text tags", 0, 3),
}


class Words:
    """The vocabulary of a field: of texts a made-up one, of labels as many as the dataset has."""

    def __init__(self, specials: Sequence[str], labels: int = 0, room: Any = None) -> None:
        count = labels
        if not labels:
            invented(WORDS)
            count = _WORDS + 53 * more()
            count = min(count, room) if isinstance(room, int) else count
        self.itos = [*specials, *(f"word{number}" for number in range(count))]
        self.stoi = {word: number for number, word in enumerate(self.itos)}
        self.freqs = dict.fromkeys(self.itos, 1)
        self.vectors: Any = None
        self.unk_index = 0

    def __len__(self) -> int:
        return len(self.itos)

    def __getitem__(self, token: str) -> int:
        return self.stoi.get(token, 0)

    def load_vectors(self, vectors: Any, *args: Any, **kwargs: Any) -> None:
        """Vectors that were learned elsewhere, by name or themselves."""
        last = str(vectors[-1] if isinstance(vectors, (list, tuple)) else vectors).rpartition(".")[2]
        width = getattr(vectors, "dim", None) or (int(last[:-1]) if last[:-1].isdigit() else 300)
        self.vectors = torch.empty((len(self), width), device="meta")

    def set_vectors(self, stoi: Any, vectors: Any, dim: int, *args: Any, **kwargs: Any) -> None:
        """Vectors that the caller has."""
        self.vectors = torch.empty((len(self), dim), device="meta")


class Field:
    """How a column of texts becomes a tensor."""

    is_label = False

    def __init__(
        self,
        sequential: bool = True,
        use_vocab: bool = True,
        init_token: Any = None,
        eos_token: Any = None,
        fix_length: Any = None,
        dtype: Any = torch.long,
        preprocessing: Any = None,
        postprocessing: Any = None,
        lower: bool = False,
        tokenize: Any = None,
        tokenizer_language: str = "en",
        include_lengths: bool = False,
        batch_first: bool = False,
        pad_token: Any = "<pad>",
        unk_token: Any = "<unk>",
        **others: Any,
    ) -> None:
        self.sequential, self.use_vocab, self.fix_length, self.dtype = sequential, use_vocab, fix_length, dtype
        self.init_token, self.eos_token, self.pad_token, self.unk_token = init_token, eos_token, pad_token, unk_token
        self.include_lengths, self.batch_first, self.lower = include_lengths, batch_first, lower
        self.tokenize = tokenize if callable(tokenize) else str.split
        self.vocab: Any = Unknown("a vocabulary that was not built")
        self.labels = 0

    def preprocess(self, text: str) -> Any:
        """The words of a text."""
        return self.tokenize(text.lower() if self.lower else text) if self.sequential else text

    def build_vocab(self, *args: Any, max_size: Any = None, vectors: Any = None, **kwargs: Any) -> None:
        """Of the datasets given."""
        ends = [self.pad_token, self.init_token, self.eos_token] if self.sequential else []
        specials = [self.unk_token, *ends, *kwargs.get("specials", ())]
        labels = 0
        if not self.sequential:
            labels = self.labels
            if not labels:
                invented(WORDS)
                labels = 5 + more()
        self.vocab = Words(list(dict.fromkeys(word for word in specials if word is not None)), labels, max_size)
        if vectors is not None:
            self.vocab.load_vectors(vectors)

    def process(self, batch: Any, device: Any = None) -> Any:
        """A batch of texts as a tensor."""
        return self.tensor(len(batch))

    def tensor(self, size: int) -> Any:
        """What a batch of so many examples has in this column."""
        if not self.sequential:
            return torch.empty(size, dtype=self.dtype, device="meta")
        if self.fix_length is None:
            invented(WORDS)
        length = _LENGTH + more() if self.fix_length is None else self.fix_length
        made = torch.empty((size, length) if self.batch_first else (length, size), dtype=self.dtype, device="meta")
        return (made, torch.empty(size, dtype=torch.long, device="meta")) if self.include_lengths else made

    def reverse(self, batch: Any) -> list[str]:
        """Texts again."""
        return ["word"] * batch.shape[0 if self.batch_first else 1]


class LabelField(Field):
    """A field of labels."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"sequential": False, "unk_token": None, **options})


class Example:
    """One example, with the words of its columns as attributes."""

    def __init__(self, names: Sequence[str]) -> None:
        self.__dict__.update({name: ["word"] * _LENGTH for name in names})

    @classmethod
    def fromlist(cls, data: Any, fields: Any) -> Example:
        """Of values in a row."""
        made = cls(())
        for value, (name, field) in zip(data, fields):
            if name is not None:
                setattr(made, name, field.preprocess(value) if field is not None else value)
        return made


class Dataset:
    """Examples of which only the columns are known, or that are at hand."""

    def __init__(self, examples: Any = None, fields: Any = (), *args: Any, **options: Any) -> None:
        self.fields = _fields(fields)
        self.examples = examples if isinstance(examples, list) else [Example(list(self.fields))] * _EXAMPLES

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Any:
        return self.examples[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.examples)

    def __getattr__(self, name: str) -> Any:
        """One column of all examples."""
        if name not in vars(self).get("fields", ()):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return (getattr(example, name) for example in self.examples)

    def split(self, split_ratio: Any = 0.7, *args: Any, **options: Any) -> tuple[Dataset, ...]:
        """In two or three parts."""
        parts = len(split_ratio) if isinstance(split_ratio, (list, tuple)) else 2
        return tuple(Dataset(self.examples, self.fields) for _ in range(parts))

    @classmethod
    def splits(cls, *args: Any, fields: Any = None, **options: Any) -> Any:
        """One for each file that is named."""
        given = [name for name in ("train", "validation", "test") if options.get(name) is not None]
        if fields is None or isinstance(fields, Unknown):
            raise UnknownError("the columns of a table are not known")
        parts = tuple(cls(fields=fields) for _ in given or range(3))
        return parts


class TabularDataset(Dataset):
    """Columns of a file that is not read."""

    def __init__(self, path: Any = None, format: Any = None, fields: Any = (), *args: Any, **options: Any) -> None:
        super().__init__(None, fields)


def _fields(fields: Any) -> dict[str, Any]:
    """Names and fields of the columns that are used."""
    pairs = list(fields.values()) if isinstance(fields, Mapping) else list(fields)
    if isinstance(fields, Mapping) and pairs and not isinstance(pairs[0], (tuple, list)):
        pairs = list(fields.items())
    found: dict[str, Any] = {}
    for name, field in pairs:
        if field is not None:
            found.update(zip(name, field) if isinstance(name, tuple) else {name: field})
    return found


# ---------------------------------------------------------------- batches


class Batch:
    """A batch, with a tensor for each column."""

    def __init__(self, fields: Mapping[str, Any], size: int, dataset: Any) -> None:
        self.batch_size, self.dataset, self.fields = size, dataset, list(fields)
        self.__dict__.update({name: field.tensor(size) for name, field in fields.items()})

    def __len__(self) -> int:
        return self.batch_size

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, name) for name in self.fields])


class BucketIterator:
    """Batches of a dataset."""

    def __init__(self, dataset: Any, batch_size: int = 32, *args: Any, repeat: bool = False, **options: Any) -> None:
        self.dataset, self.batch_size, self.repeat = dataset, batch_size, repeat
        self.epoch = self.iterations = 0

    def __len__(self) -> int:
        return max(1, len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        for _ in itertools.count() if self.repeat else range(len(self)):
            yield Batch(self.dataset.fields, self.batch_size, self.dataset)

    def init_epoch(self) -> None:
        """Start again."""

    @classmethod
    def splits(cls, datasets: Any, batch_sizes: Any = None, batch_size: int = 32, *args: Any, **options: Any) -> Any:
        """One for each dataset."""
        sizes = batch_sizes or [batch_size] * len(datasets)
        return tuple(cls(dataset, size, **options) for dataset, size in zip(datasets, sizes))


class BPTTIterator(BucketIterator):
    """Parts of one long text, and what follows each."""

    def __init__(self, dataset: Any, batch_size: int, bptt_len: int = 35, *args: Any, **options: Any) -> None:
        super().__init__(dataset, batch_size, *args, **options)
        self.bptt_len = bptt_len

    def __iter__(self) -> Iterator[Any]:
        for _ in range(len(self)):
            batch = Batch({}, self.batch_size, self.dataset)
            for name in ("text", "target"):
                text = torch.empty((self.bptt_len, self.batch_size), dtype=torch.long, device="meta")
                setattr(batch, name, text)
            yield batch


class Corpus:
    """A dataset by name: `splits` of it as it was, a call as it is now."""

    def __init__(self, name: str, now: Optional[Callable[..., Any]] = None) -> None:
        self._now = now
        self._columns, self._labels, self._parts = _SPLIT.get(name, ("text label", 0, 2))

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The first part with fields, or what a call gives now."""
        if self._now is None or any(isinstance(part, Field) for part in (*args, *options.values())):
            return self.splits(*args, **options)[0]
        return self._now(*args, **options)

    def splits(self, *args: Any, fields: Any = None, **options: Any) -> tuple[Dataset, ...]:
        """Its parts, with the fields given."""
        given = [part for part in (*args, *options.values()) if isinstance(part, Field)]
        given = given or [part for pair in (fields or ()) for part in (pair if isinstance(pair, tuple) else (pair,))]
        found = [part for part in given if isinstance(part, Field)]
        if not found:
            raise UnknownError("the fields of a dataset are not known")
        names = self._columns.split()
        if len(names) == 3 and len(found) == 2:  # premise and hypothesis are of one kind
            found.insert(0, found[0])
        if self._labels:
            found[-1].labels = self._labels
        return tuple(Dataset(None, list(zip(names, found))) for _ in range(self._parts))

    def iters(self, batch_size: int = 32, *args: Any, **options: Any) -> tuple[BucketIterator, ...]:
        """Iterators over its parts, with fields of their own."""
        text, label = Field(), LabelField()
        parts = self.splits(text, label) if self._labels else self.splits(text)
        for field in (text, label):
            field.build_vocab()
        kind = BPTTIterator if self._columns == "text" else BucketIterator
        return tuple(kind(part, batch_size) for part in parts)


NAMES: dict[str, Any] = {
    "Field": Field,
    "RawField": Field,
    "LabelField": LabelField,
    "Example": Example,
    "Dataset": Dataset,
    "TabularDataset": TabularDataset,
    "Batch": Batch,
    "Iterator": BucketIterator,
    "BucketIterator": BucketIterator,
    "BPTTIterator": BPTTIterator,
}


def datasets(now: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """All datasets by name, with what a call of each gives `now`."""
    return {name: Corpus(name, now.get(name)) for name in {**now, **_SPLIT}}
