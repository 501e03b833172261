"""Real PyTorch against the fixtures: mistakes raise where they are annotated, and every offered fix mends them."""

import ast
import shutil
import sys
from collections.abc import Sequence
from dataclasses import astuple
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_asyncio

from harness import FIXTURES, fixtures
from harness.annotations import read
from harness.faults import Faults
from harness.truth import Truth
from metalens.engine.engine import Engine
from metalens.engine.result import Result
from metalens.protocol.messages import Finding, Fix
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings

pytestmark = pytest.mark.torch

# Their data is not on this machine, which is what they are about.
WITHOUT_DATA = {"correct/sizes_from_data.py", "correct/text_corpus.py", "mistakes/doubtful_inputs.py"}
WITHOUT_DATA |= {f"{kind}/sizes_that_data_decides.py" for kind in ("correct", "mistakes")}
WITHOUT_DATA |= {"mistakes/tables_of_any_width.py", "mistakes/texts_from_an_archive.py"}
WITHOUT_DATA |= {"mistakes/options_are_certain.py", "correct/options_that_data_changes.py"}
WITHOUT_DATA |= {"correct/options_in_a_missing_file.py"}
WITHOUT_DATA |= {f"mistakes/part_elsewhere/{name}.py" for name in ("layers", "train")}
# They end here, for want of a package, of data, of accelerators, of arguments, of settings in a file, of a network, or
# of an older Python.
ENDING = {
    f"correct/{name}.py"
    for name in (
        "autocast",
        "needs_accelerators",
        "accelerator_by_option",
        "usage",
        "downloads",
        "exported",
        "empty_slices",
        "older_names",
        "old_tensor_types",
    )
}
ENDING |= {f"mistakes/{name}.py" for name in ("built_but_never_called", "called_twice", "sharded")}
# Their scripts do not call what fails: models as they are in use, or of inputs that nobody gives.
ENDING |= {f"mistakes/{name}.py" for name in ("fits_no_rank", "otherwise_in_use", "pool_pads_too_much")}
ENDING |= {f"mistakes/chosen_by_name/models/{name}.py" for name in ("steady", "hasty", "picky", "narrow")}
ENDING |= {"mistakes/has_to_be_chosen/nets.py", "mistakes/module_by_text/models/small.py"}
ENDING |= {"mistakes/vocabulary_elsewhere/nets.py"}
ENDING |= {"correct/processes_that_share.py"}
ENDING |= {f"correct/{name}.py" for name in ("written_for_accelerators", "walked_folders")}
ENDING |= {"correct/required_settings/train.py", "correct/options_in_a_file/train.py", "mistakes/older_losses.py"}
ENDING |= {f"correct/targets_in_settings/{name}.py" for name in ("main", "nets/parts", "nets/models")}
ENDING |= {
    "mistakes/chosen_alike/nets.py",
    "mistakes/chosen_without_options/nets.py",
    "correct/configured_for_other_data/train.py",
}
ENDING |= {
    f"mistakes/configured_by_programs/{name}.py" for name in ("main", "nets/__init__", "nets/small", "nets/utils")
}
ENDING |= {"mistakes/configured_by_programs/configs/cifar.py", "mistakes/scanned_pictures.py"}
ENDING |= {f"mistakes/stepped_elsewhere/{name}.py" for name in ("agent", "train")}
ENDING |= {"mistakes/star_imports/parts.py", "mistakes/three_means_for_grey.py"}
ENDING |= {"mistakes/resumed_training.py", "mistakes/module_by_place/nets/cifar/wide.py"}
# Another version of torch, weights that are not here, examples of a page, and a part that scripts elsewhere reach.
ENDING |= {"mistakes/asks_for_a_version.py", "mistakes/weights_that_are_not_here.py"}
ENDING |= {"mistakes/examples_of_a_page/learner.py", "mistakes/registered_elsewhere/zoo/parts.py"}
# Once it is mended it goes on for hours.
ENDING |= {"mistakes/memory_is_never_full.py"}
# Nobody builds what they are about; tests/test_nobody_builds.py does.
UNBUILT = {name for name in fixtures() if name.startswith("mistakes/nobody_builds")}
MISTAKES = [name for name in fixtures() if name.startswith("mistakes/") and name not in WITHOUT_DATA | UNBUILT | ENDING]
SEVERAL = [name for name in MISTAKES if "/multi_" in name]
SINGLE = [name for name in MISTAKES if name not in SEVERAL]
# One script of several processes cannot be run by itself.
PARALLEL = {"correct/parallel_training.py"}
CORRECT = [name for name in fixtures() if name.startswith("correct/") and name not in PARALLEL | WITHOUT_DATA | ENDING]


@pytest.fixture(scope="module")
def truth():
    with Truth() as truth:
        yield truth


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine():
    engine = Engine(Workspace(FIXTURES), Settings(), Interpreter(sys.executable, "tests"), listener=Faults())
    await engine.start()
    yield engine
    await engine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def elsewhere(tmp_path_factory):
    """An engine for a folder in which files may be changed."""
    root = tmp_path_factory.mktemp("several")
    engine = Engine(Workspace(root), Settings(), Interpreter(sys.executable, "tests"), listener=Faults())
    await engine.start()
    yield engine, root
    await engine.stop()


def scripts(fixture: Path) -> list[Path]:
    """The file itself, or all files of the project that it belongs to."""
    alone = fixture.parent.parent == FIXTURES
    return [fixture] if alone else sorted(fixture.parent.glob("*.py"))


def missing(script: Path) -> list[str]:
    """Packages that a script imports and that are not installed here."""
    imports = [
        node for node in ast.walk(ast.parse(script.read_bytes())) if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = {name.partition(".")[0] for node in imports for name in _imported(node)}
    beside = {path.stem for path in script.parent.iterdir()}
    return sorted(name for name in names - beside if name and find_spec(name) is None)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [] if node.level else [node.module or ""]
    return [alias.name for alias in node.names]


@pytest.mark.parametrize("name", CORRECT)
def test_what_is_correct_runs(name, truth):
    needed = sorted({package for script in scripts(FIXTURES / name) for package in missing(script)})
    if needed:
        pytest.skip(f"real PyTorch would need {', '.join(needed)} to run {name}")
    assert [truth.run(script).error for script in scripts(FIXTURES / name)] == [""] * len(scripts(FIXTURES / name))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_raises_where_it_is_annotated(name, truth):
    """On the way to the error PyTorch passes a line that has an annotation of it: the call, or what it leads to."""
    path = FIXTURES / name
    if needed := [package for script in scripts(path) for package in missing(script)]:
        pytest.skip(f"real PyTorch would need {', '.join(needed)} to run {name}")
    annotated = read(path.read_bytes().decode())
    lines = {number: line for line, number in annotated.code_lines().items()}
    told = {(str(path), lines[item.line]) for item in annotated.annotations if item.kind in ("error", "related")}
    outcomes = [truth.run(script) for script in scripts(path)]
    if not any(item.kind == "error" for item in annotated.annotations):
        return  # it only takes part in a project whose mistake is told elsewhere
    assert any(outcome.error for outcome in outcomes)
    assert any(told & set(outcome.lines) for outcome in outcomes if outcome.error)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", SINGLE)
async def test_every_offered_fix_mends_it(name, truth, engine, tmp_path):
    path = FIXTURES / name
    if needed := [package for script in scripts(path) for package in missing(script)]:
        pytest.skip(f"real PyTorch would need {', '.join(needed)} to run {name}")
    result = await engine.check(str(path))
    for number, fix in enumerate(fix for finding in result.findings for fix in finding.fixes):
        folder = tmp_path / str(number)
        folder.mkdir()
        for script in scripts(path):
            shutil.copy(script, folder)
        mend(folder, fix)
        errors = [truth.run(folder / script.name).error for script in scripts(path)]
        assert errors == [""] * len(errors), fix.title


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", SEVERAL)
async def test_each_of_several_is_a_mistake_of_its_own(name, truth, elsewhere):
    """Each fix takes away its own finding alone, and PyTorch raises at one of those left until none is."""
    engine, root = elsewhere
    path = root / Path(name).name
    text = (FIXTURES / name).read_text(encoding="utf-8")
    path.write_text("\n".join(read(text).code), encoding="utf-8")
    result = await engine.check(str(path))
    assert len(result.findings) > 1
    while mendable := [finding for finding in result.findings if finding.fixes]:
        outcome = truth.run(path)
        places = {
            (place.file, place.range.start.line)
            for finding in result.findings
            for place in (finding.location, *(part.location for part in finding.related))
        }
        assert places & set(outcome.lines), outcome.error
        before = told(result)
        gone = next((finding for finding in mendable if raised_at(finding, outcome.lines)), mendable[0])
        mend(root, next((fix for fix in gone.fixes if fix.preferred), gone.fixes[0]))
        result = await engine.check(str(path))
        assert told(result) == before - {(gone.code, gone.message)}
    assert bool(truth.run(path).error) == bool(result.findings)


def told(result: Result) -> set[tuple[str, str]]:
    """What is said of a file, wherever it stands."""
    return {(finding.code, finding.message) for finding in result.findings}


def raised_at(finding: Finding, lines: Sequence[tuple[str, int]]) -> bool:
    """Whether PyTorch's traceback passes the place of a finding."""
    return (finding.location.file, finding.location.range.start.line) in lines


def mend(folder: Path, fix: Fix) -> None:
    """Apply the edits of a fix to the copies in this folder, the last one first."""
    for edit in sorted(fix.edits, key=lambda edit: astuple(edit.location.range.start), reverse=True):
        place = edit.location.range
        copy = folder / Path(edit.location.file).name
        lines = copy.read_text(encoding="utf-8").split("\n")
        before, after = lines[place.start.line][: place.start.column], lines[place.end.line][place.end.column :]
        lines[place.start.line : place.end.line + 1] = [before + edit.text + after]
        copy.write_text("\n".join(lines), encoding="utf-8")
