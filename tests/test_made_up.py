"""Smaller stand-ins: sizes, words and lists that are made up."""

import pytest

torch = pytest.importorskip("torch")

from metalens.worker.load import detectors, inventions, texts  # noqa: E402
from metalens.worker.trace import files  # noqa: E402
from trees import write_tree  # noqa: E402

pytestmark = pytest.mark.torch


def test_sizes_of_detectors_are_multiples():
    divisible = detectors.module("ultralytics.utils.ops")["make_divisible"]
    assert (divisible(33, 8), divisible(32, 8), divisible(20, torch.tensor([8, 16]))) == (40, 32, 32)


def test_every_word_has_sounds(told):
    assert texts.Phonemes()("two words") == ["HH", "AH0", "L", "OW1", " ", "HH", "AH0", "L", "OW1"]
    assert told == [inventions.WORDS]


def test_a_text_that_was_made_of_another_has_its_lines(told, tmp_path, monkeypatch):
    monkeypatch.chdir(write_tree(tmp_path, {"lists/ljs_val_list.txt": "a.wav|one\nb.wav|two\n"}))
    with files._open("lists/ljs_val_list.txt.cleaned") as file:
        assert file.read().splitlines() == ["a.wav|one", "b.wav|two"]
    with files._open("lists/ljs_train_list.txt.cleaned") as file:
        assert len(file.readlines()) == 2
    with pytest.raises(FileNotFoundError):
        files._open("lists/weights.pth.cleaned")
    assert files._size("nowhere.wav") > 0
