"""Texts that are not on the machine, and those beside them that look like them."""

from __future__ import annotations

import pytest

from metalens.worker.load import inventions
from metalens.worker.trace import files


@pytest.mark.parametrize(
    ("missing", "beside", "read"),
    [
        ("speech_audio_train_list.txt", ["speech_audio_val_list.txt", "readme.txt"], "speech_audio_val_list.txt"),
        ("train.txt", ["val.txt"], ""),
        ("train.txt", ["train.csv"], ""),
        ("train_list.txt", [], ""),
    ],
)
def test_a_missing_text_is_like_one_that_has_most_of_its_name(tmp_path, monkeypatch, missing, beside, read):
    told: list[str] = []
    monkeypatch.setattr(inventions, "_listeners", [told.append])
    for name in beside:
        (tmp_path / name).write_text(f"{name}|1\n")
    with files._open(str(tmp_path / missing)) as stream:
        first = stream.readline()
    assert (first == f"{read}|1\n") == bool(read)
    assert told


def test_a_file_that_is_searched_by_its_name_is_where_it_is(tmp_path):
    (tmp_path / "models" / "small").mkdir(parents=True)
    (tmp_path / "models" / "small" / "net.yaml").write_text("")
    found = [files._glob(str(tmp_path / folder / "**" / "net.yaml"), recursive=True) for folder in ("data", "models")]
    assert found == [[], [str(tmp_path / "models" / "small" / "net.yaml")]]
    assert files._glob(str(tmp_path / "data" / "**" / "*.png"), recursive=True)
