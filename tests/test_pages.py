"""Programs in pages: what they speak of, and which of them come first."""

from __future__ import annotations

from metalens.protocol.messages import Caller
from metalens.worker.load.snippets import continued, identifiers, programs
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
    found = stage.programs_of(Caller(str(page), names=("Vision", "Masked", "masked")))
    assert [program.tree.body[0].lineno for program in found] == [5, 2]


GOES_ON = """\
```python
from zoo import Vision
model = Vision()
```
```python
model = Vision(8)
images = 3
```
```python
def other(images):
    return [image for image in images]
```
```python
import json
json.dumps({})
```
```python
out = model(images)
```
"""


def test_examples_that_read_what_earlier_ones_bound_go_on():
    assert [[part.lineno for part in tree.body] for tree in continued("page.md", GOES_ON)] == [[2, 3, 6, 7]]


def test_what_is_run_in_one_go_proves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.meta_path", [])
    page = tmp_path / "page.md"
    page.write_text(GOES_ON)
    stage = Stage(str(tmp_path), (), Sources(str(tmp_path), {}), Tracer())
    found = stage.programs_of(Caller(str(page), names=("Vision",)))
    assert [program.mended for program in found] == ["", "several examples of page.md were run in one go"]
