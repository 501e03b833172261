"""Programs in pages: what they speak of, and which of them come first."""

from __future__ import annotations

from metalens.protocol.messages import Caller
from metalens.worker.load.snippets import identifiers, programs
from metalens.worker.load.sources import Sources
from metalens.worker.trace.rehearse import Stage
from metalens.worker.trace.tracer import Tracer

PAGE = """\
```python
from zoo import Vision
```
```python
from zoo.masked import Vision, Masked
Masked(Vision())
```
```python
import json
```
"""


def test_a_program_speaks_of_its_names_and_of_the_modules_that_they_come_from():
    spoken = [identifiers(tree) for tree in programs("page.md", PAGE)]
    assert spoken == [{"Vision", "zoo"}, {"Vision", "Masked", "masked"}, {"json"}]


def test_of_the_programs_in_a_page_the_one_with_most_wanted_names_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.meta_path", [])
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    stage = Stage(str(tmp_path), (), Sources(str(tmp_path), {}), Tracer())
    trees = stage.programs_of(Caller(str(page), names=("Vision", "Masked", "masked")))
    assert [tree.body[0].lineno for tree in trees] == [5, 2]
