"""Packages that the server lends a run: an interpreter without einops and YAML gets them from there."""

from __future__ import annotations

import pytest

from metalens.worker.load import finder, lent, yamls

TEXT = "a: 1e-4\nb: [1, 2.5, yes]\nc:\n  d: null\n  e: text\n"


def test_yaml_is_read_in_its_older_version():
    assert yamls.load(TEXT) == {"a": 1e-4, "b": [1, 2.5, True], "c": {"d": None, "e": "text"}}
    assert list(yamls.load_all("a: 1\n---\n- 2\n")) == [{"a": 1}, [2]]


def test_what_is_written_can_be_read(tmp_path):
    data = {"a": [1, 2], "b": {"c": None}}
    with (tmp_path / "a.yaml").open("w") as stream:
        assert yamls.dump(data, stream) is None
    with (tmp_path / "a.yaml").open() as stream:
        assert yamls.load(stream) == data
    assert yamls.load(yamls.dump(data)) == data


def test_the_stand_in_is_there_as_far_as_something_can_read(monkeypatch, tmp_path):
    monkeypatch.setenv(lent.VARIABLE, str(tmp_path))
    assert finder._known("yaml") is None
    (tmp_path / "ruamel" / "yaml").mkdir(parents=True)
    assert finder._known("yaml")["safe_load"] is yamls.load


@pytest.mark.parametrize("name", ["einops", "numpy"])
def test_what_is_lent_comes_from_the_folders_named(monkeypatch, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.setenv(lent.VARIABLE, str(tmp_path))
    spec = lent.LentFinder().find_spec(name)
    assert (spec is not None) == (name == "einops")
    assert spec is None or spec.origin == str(tmp_path / name / "__init__.py")
