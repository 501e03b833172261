"""The stand-ins for torchtext and spaCy: what they know is right, and what they make up is told."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from metalens.worker.load import inventions, texts  # noqa: E402
from metalens.worker.load.unknown import Unknown, UnknownError  # noqa: E402

pytestmark = pytest.mark.torch

data, datasets = texts.module("torchtext.legacy.data"), texts.module("torchtext.datasets")
vocab, spacy = texts.module("torchtext.vocab"), texts.module("spacy")
assert data
assert datasets
assert vocab
assert spacy


@pytest.fixture
def told():
    reasons: list[str] = []
    inventions.listen(reasons.append)
    yield reasons
    inventions.listen(lambda reason: None)


class TestVocabularies:
    def test_words_have_the_numbers_that_torchtext_gives_them(self):
        made = vocab["build_vocab_from_iterator"]([["b", "a", "b"], ["c", "b", "a"]], specials=["<unk>", "a"])
        assert made.get_itos() == ["<unk>", "a", "b", "c"]
        assert (made(["c", "a"]), len(made), "b" in made, made.get_stoi()["b"]) == ([3, 1], 4, True, 2)
        with pytest.raises(RuntimeError, match="default index"):
            made["d"]
        made.set_default_index(0)
        assert made["d"] == 0

    def test_what_is_rare_or_too_much_is_left_out(self):
        tokens = [["b", "a", "b", "a", "b", "c"]]
        build = vocab["build_vocab_from_iterator"]
        assert build(tokens, min_freq=2, specials=["<unk>"], special_first=False).get_itos() == ["b", "a", "<unk>"]
        assert build(tokens, specials=["<unk>"], max_tokens=2).get_itos() == ["<unk>", "b"]

    def test_of_what_is_not_known_there_is_none(self):
        with pytest.raises(UnknownError):
            vocab["build_vocab_from_iterator"](Unknown("texts"))

    @pytest.mark.parametrize(
        ("name", "options", "width"),
        [("GloVe", {"name": "6B", "dim": 100}, 100), ("FastText", {}, 300), ("Vectors", {"name": "g.6B.50d.txt"}, 50)],
    )
    def test_learned_vectors_are_as_long_as_they_are_called(self, told, name, options, width):
        vectors = vocab[name](**options)
        assert (vectors.vectors.size(1), vectors.get_vecs_by_tokens(["a", "b"]).shape) == (width, (2, width))
        assert told == [inventions.WORDS]


class TestDatasets:
    def test_a_dataset_has_the_columns_of_its_examples(self):
        field = data["Field"]()
        part, *_ = datasets["Multi30k"].splits(exts=(".de", ".en"), fields=(field, field))
        assert next(part.src) == next(part.trg) == part[0].src
        with pytest.raises(AttributeError, match="'Dataset' object has no attribute 'text'"):
            _ = part.text

    def test_pairs_labels_and_lines(self, told):
        assert [len(item) for item in datasets["Multi30k"](split="train")[:2]] == [2, 2]
        assert {label for label, _ in datasets["AG_NEWS"](split="test")} == {1, 2, 3, 4}
        assert {label for _, label in datasets["SST2"](split="dev")} == {0, 1}
        assert all(isinstance(line, str) for line in datasets["WikiText2"](split="valid"))
        assert len(datasets["PennTreebank"]()) == 3
        assert set(told) == {inventions.WORDS}

    def test_parts_by_their_names(self):
        assert texts.module("torchtext.datasets.translation") is datasets
        assert texts.module("torchtext.legacy.data.field") is data
        assert texts.module("torchtext.nowhere") is None

    def test_words_of_spacy(self):
        words = spacy["load"]("de_core_news_sm").tokenizer("a house")
        assert ([word.text for word in words], words[0].is_punct) == (["a", "house"], False)


class TestFields:
    def test_a_batch_has_the_shapes_of_its_fields(self, told):
        text, label = data["Field"](batch_first=True, fix_length=40), data["LabelField"]()
        train, _ = datasets["TREC"].splits(text, label)
        label.build_vocab(train)
        assert (len(label.vocab), told) == (6, [])
        text.build_vocab(train, max_size=50)
        assert (len(text.vocab), told) == (52, [inventions.WORDS])
        batch = next(iter(data["BucketIterator"](train, batch_size=8)))
        assert (batch.text.shape, batch.label.shape, len(batch)) == ((8, 40), (8,), 8)

    def test_lengths_come_with_texts_of_any_length(self, told):
        text = data["Field"](include_lengths=True, init_token="<sos>")
        train, _, _ = datasets["SNLI"].splits(text, data["LabelField"]())
        batch = next(iter(data["Iterator"](train, batch_size=4)))
        (words, lengths), labels = batch.premise, batch.label
        assert (words.shape[1], lengths.shape, labels.shape) == (4, (4,), (4,))
        assert set(told) == {inventions.WORDS}

    def test_columns_of_a_table(self):
        text, label = data["Field"](), data["LabelField"]()
        columns = {"review": ("text", text), "stars": ("label", label), "id": (None, None)}
        train, test = data["TabularDataset"].splits(path=".", train="a", test="b", format="csv", fields=columns)
        assert list(train.fields) == list(test.fields) == ["text", "label"]
        (only,) = data["TabularDataset"].splits(path=".", train="a", fields=[("text", text), (None, None)])
        assert list(only.fields) == ["text"]
        with pytest.raises(UnknownError):
            data["TabularDataset"].splits(path=".", train="a")

    def test_parts_of_one_text(self):
        text = data["Field"]()
        (train, *_) = datasets["WikiText2"].splits(text)
        batch = next(iter(data["BPTTIterator"](train, batch_size=5, bptt_len=9)))
        assert (batch.text.shape, batch.target.shape) == ((9, 5), (9, 5))
