"""The stand-in for transformers: published widths, the ways to read an output, and what nobody can know."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from metalens.worker.load import inventions, pretrained  # noqa: E402
from metalens.worker.load.unknown import Unknown, UnknownError  # noqa: E402

pytestmark = pytest.mark.torch

hub = pretrained.module("transformers")
assert hub


@pytest.fixture
def told():
    reasons: list[str] = []
    inventions.listen(reasons.append)
    yield reasons
    inventions.listen(lambda reason: None)


def ids(*shape: int):
    return torch.zeros(shape, dtype=torch.long)


@pytest.mark.parametrize(
    ("name", "width", "layers", "words"),
    [
        ("bert-base-uncased", 768, 12, 30522),
        ("google-bert/bert-large-uncased", 1024, 24, 30522),
        ("distilbert-base-uncased", 768, 6, 30522),
        ("roberta-large", 1024, 24, 50265),
        ("gpt2", 768, 12, 50257),
        ("gpt2-xl", 1600, 48, 50257),
        ("google/t5-v1_1-xxl", 4096, 24, 32128),
        ("xlm-roberta-base", 768, 12, 250002),
        ("microsoft/deberta-v3-base", 768, 12, 128100),
    ],
)
def test_published_sizes(name, width, layers, words):
    config = hub["AutoConfig"].from_pretrained(name)
    assert (config.hidden_size, config.d_model, config.n_embd) == (width, width, width)
    assert (config.num_hidden_layers, config.n_layer, config.vocab_size) == (layers, layers, words)


@pytest.mark.parametrize("name", ["somebody/a-model", "bert-tiny", "./checkpoint", None, 3])
def test_of_other_names_nothing_is_known(name):
    assert isinstance(hub["AutoModel"].from_pretrained(name), Unknown)
    assert isinstance(hub["AutoConfig"].from_pretrained(name), Unknown)


def test_words_of_another_language_are_not_counted():
    config = hub["BertConfig"].from_pretrained("bert-base-multilingual-cased")
    assert (config.hidden_size, isinstance(config.vocab_size, Unknown)) == (768, True)


def test_what_is_set_takes_the_place_of_what_is_usual():
    config = hub["GPT2Config"](n_embd=64, n_layer=2)
    assert (config.hidden_size, config.n_layer, config.n_head, config.vocab_size) == (64, 2, 12, 50257)


class TestModels:
    def test_an_output_is_read_in_three_ways(self):
        told = hub["BertModel"].from_pretrained("bert-base-uncased")(ids(2, 7))
        assert told.last_hidden_state.shape == told[0].shape == told["last_hidden_state"].shape == (2, 7, 768)
        assert told.pooler_output.shape == told[1].shape == (2, 768)
        states, pooled = hub["BertModel"].from_pretrained("bert-base-uncased", return_dict=False)(ids(2, 7))
        assert (states.shape, pooled.shape) == ((2, 7, 768), (2, 768))

    def test_only_some_pool(self):
        told = hub["DistilBertModel"].from_pretrained("distilbert-base-uncased")(ids(2, 7))
        assert list(told) == ["last_hidden_state"]

    def test_each_layer_on_demand(self):
        told = hub["AutoModel"].from_pretrained("roberta-base", output_hidden_states=True)(ids(1, 3))
        assert [state.shape for state in told.hidden_states] == [(1, 3, 768)] * 13

    @pytest.mark.parametrize(
        ("kind", "name", "shape"),
        [
            ("GPT2LMHeadModel", "gpt2", (2, 7, 50257)),
            ("BertForSequenceClassification", "bert-base-uncased", (2, 5)),
            ("BertForTokenClassification", "bert-base-uncased", (2, 7, 5)),
        ],
    )
    def test_heads(self, kind, name, shape):
        told = hub[kind].from_pretrained(name, num_labels=5)(ids(2, 7), labels=ids(2))
        assert (list(told), told.logits.shape, told[0].shape) == (["loss", "logits"], shape, ())

    def test_other_inputs(self):
        model = hub["AutoModel"].from_pretrained("bert-base-uncased")
        assert model(inputs_embeds=torch.zeros(2, 7, 768)).last_hidden_state.shape == (2, 7, 768)
        with pytest.raises(ValueError, match="expected 2, got 1"):
            model(ids(7))
        with pytest.raises(UnknownError):
            model(Unknown("ids"))

    def test_weights_are_not_here(self):
        model = hub["AutoModel"].from_pretrained("gpt2")
        assert isinstance(model.state_dict(), Unknown)
        assert [part.numel() for part in model.parameters()] == [1]
        around = torch.nn.Sequential(model, torch.nn.Linear(1, 1, bias=False))
        assert [part.shape for part in around.parameters()] == [(1, 1)]
        assert (isinstance(model.wte, Unknown), hasattr(model, "module")) == (True, False)


class TestTokenizers:
    def test_texts_are_as_long_as_the_script_says(self, told):
        tokenizer = hub["AutoTokenizer"].from_pretrained("bert-base-uncased")
        made = tokenizer(["a", "b"], padding="max_length", max_length=40, return_tensors="pt")
        assert (made.input_ids.shape, made["attention_mask"].shape, told) == ((2, 40), (2, 40), [])
        made = tokenizer.encode_plus("a", max_length=9, pad_to_max_length=True, return_token_type_ids=True)
        assert ([len(row) for row in made.values()], told) == ([9, 9, 9], [])

    def test_else_their_length_is_made_up(self, told):
        tokenizer = hub["GPT2Tokenizer"].from_pretrained("gpt2")
        assert tokenizer("a", return_tensors="pt").input_ids.shape[0] == 1
        assert len(tokenizer.encode("a")) == len(tokenizer.tokenize("a"))
        assert (set(told), len(tokenizer)) == ({inventions.WORDS}, 50257)
