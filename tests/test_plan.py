"""From a file to its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from metalens.plan.plan import plan_file
from metalens.protocol.messages import Caller, Target
from metalens.workspace.documents import Workspace
from metalens.workspace.settings import Settings
from trees import WORKSPACES, tree

NET = "from torch import nn\nclass Net(nn.Module): pass\n"
USE = "from net import Net\nNet()\n"


def plan(workspace, file, settings=Settings()):  # noqa: B008 - frozen
    return plan_file(workspace, settings, str(workspace.root / file))


def below(root, paths):
    return [Path(path).relative_to(root).as_posix() for path in paths]


def test_the_file_comes_first_with_its_classes_and_each_caller_has_a_run(tmp_path):
    workspace = tree(tmp_path, {"net.py": NET, "a.py": USE, "b.py": USE})
    file = str(tmp_path / "net.py")
    found = plan(workspace, "net.py", Settings(timeout=3, memory=512))
    assert [item.qualname for item in found.classes] == ["Net"]
    assert [below(tmp_path, [caller.file for caller in run.callers]) for run in found.runs] == [
        ["net.py"],
        ["a.py"],
        ["b.py"],
    ]
    first, *others = found.runs
    assert first.callers == (Caller(file),)
    assert first.targets == (Target(file, "Net", 1),)
    assert all(run.targets == () for run in others)
    for run in found.runs:
        assert (run.id, run.root, run.traces, run.timeout, run.memory) == (0, str(tmp_path), (file,), 3, 512)
    assert found.problem == ""


def test_a_file_that_only_contains_the_class_has_its_own_class_as_target(tmp_path):
    parent = (
        "from torch import nn\nfrom net import Net\nclass Big(nn.Module):\n    def __init__(self): self.net = Net()\n"
    )
    workspace = tree(tmp_path, {"net.py": NET, "big.py": parent})
    second = plan(workspace, "net.py").runs[1]
    assert second.targets == (Target(str(tmp_path / "big.py"), "Big", 2),)
    assert second.traces == (str(tmp_path / "net.py"),)


def test_functions_are_explained_by_the_models_that_are_made_of_them(tmp_path):
    helper = "import torch.nn.functional as F\ndef act(x): return F.relu(x)\n"
    net = (
        "from torch import nn\nfrom parts import act\nclass Net(nn.Module):\n    def forward(self, x): return act(x)\n"
    )
    workspace = tree(tmp_path, {"parts.py": helper, "net.py": net, "a.py": USE})
    found = plan(workspace, "parts.py")
    assert found.classes == ()
    assert [below(tmp_path, [caller.file for caller in run.callers]) for run in found.runs] == [
        ["parts.py"],
        ["a.py"],
        ["net.py"],
    ]
    assert all(run.wanted == (Target(str(tmp_path / "net.py"), "Net", 2),) for run in found.runs)
    assert all(run.traces == (str(tmp_path / "parts.py"),) for run in found.runs)


def test_unsaved_text_goes_along(tmp_path):
    workspace = tree(tmp_path, {"net.py": NET, "other.py": "x = 1\n"})
    workspace.open(str(tmp_path / "other.py"), "x = 2\n", 1)
    assert [run.overlay for run in plan(workspace, "net.py").runs] == [{str(tmp_path / "other.py"): "x = 2\n"}]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("import torch\nmodel = torch.nn.Sequential(torch.nn.Linear(2, 3))\n", 1),
        (USE, 1),
        ("import step\n", 1),
        ("def main():\n    import torch\n", 1),
        ("import json\n", 0),
        ("import torch_like\n", 0),
        ("", 0),
    ],
)
def test_a_script_without_classes_is_rehearsed_if_it_has_to_do_with_torch(tmp_path, text, runs):
    workspace = tree(tmp_path, {"script.py": text, "net.py": NET, "step.py": "from net import Net\n"})
    found = plan(workspace, "script.py")
    assert (found.classes, len(found.runs), found.problem) == ((), runs, "")
    assert all(run.targets == () for run in found.runs)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "bad.py is not UTF-8"),
        (None, "bad.py does not exist any more."),
        (b"#" * 3_000_000, "bad.py is larger"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_no_run(tmp_path, content, problem):
    workspace = tree(tmp_path, {} if content is None else {"bad.py": content})
    found = plan(workspace, "bad.py")
    assert (found.classes, found.runs) == ((), ())
    assert found.problem.startswith(problem)


def test_half_typed_text_has_a_plan(tmp_path):
    workspace = tree(tmp_path, {"net.py": NET})
    workspace.open(str(tmp_path / "net.py"), NET + "class Half(nn.", 1)
    assert [item.qualname for item in plan(workspace, "net.py").classes] == ["Net"]


CHOOSING = """\
import argparse
from net import Net, Wide
parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["net", "wide"], default="net")
args = parser.parse_args()
model = Wide() if args.model == "wide" else Net()
"""


class TestCommandLines:
    def callers(self, workspace, file="net.py"):
        found = plan(workspace, file)
        return [[(c.argv, c.assumed) for c in run.callers] for run in found.runs], found.sweeps

    def test_further_command_lines_are_a_run_of_their_own_after_all_callers(self, tmp_path):
        text = NET + "class Wide(nn.Module): pass\n"
        workspace = tree(tmp_path, {"net.py": text, "train.py": CHOOSING, "use.py": USE})
        runs, sweeps = self.callers(workspace)
        assert runs == [[((), False)], [((), False)], [((), False)], [(("--model", "wide"), True)]]
        assert sweeps == 1
        *_, sweep = plan(workspace, "net.py").runs
        assert (sweep.targets, [t.qualname for t in sweep.wanted]) == ((), ["Net", "Wide"])
        assert all(set(c.names) >= {"Net", "Wide"} for c in sweep.callers)

    def test_a_choice_by_name_is_made_in_each_of_the_command_lines_that_do_something_else(self, tmp_path):
        files = {
            "net.py": NET,
            "wide.py": NET.replace("Net", "Wide"),
            "train.py": CHOOSING.replace("import Net, Wide", "import Net\nfrom wide import Wide").replace(
                "args =", "parser.add_argument('--task', default='')\nargs ="
            ),
            "run.sh": "python train.py --model net --task fill\npython train.py --model net --task tell\n",
        }
        runs, _ = self.callers(tree(tmp_path, files), "wide.py")
        chosen = [argv for callers in runs for argv, assumed in callers if assumed and "wide" in argv]
        assert ("--model", "wide", "--task", "fill") in chosen
        assert ("--model", "wide", "--task", "tell") in chosen

    def test_of_the_file_itself(self, tmp_path):
        workspace = tree(tmp_path, {"net.py": NET, "train.py": CHOOSING, "run.sh": "python train.py --model wide"})
        runs, sweeps = self.callers(workspace, "train.py")
        assert (runs, sweeps) == ([[(("--model", "wide"), False)], [((), False)]], 1)

    def test_the_key_follows_scripts_and_configurations(self, tmp_path):
        text = 'p.add_argument("--cfg", default="a.yaml")\n'
        workspace = tree(
            tmp_path, {"net.py": NET, "train.py": USE + text, "a.yaml": "x: 1", "run.sh": "python train.py"}
        )
        keys = [plan(workspace, "net.py").key, plan(workspace, "net.py").key]
        for name, content in [("run.sh", "python train.py --x 1"), ("a.yaml", "x: 22"), ("b.yaml", "x: 3")]:
            (tmp_path / name).write_text(content)
            keys.append(plan(workspace, "net.py").key)
        assert keys[0] == keys[1]
        assert len(set(keys)) == 4


class TestImportPaths:
    @pytest.mark.parametrize(
        ("file", "expected"),
        [
            ("script.py", [".", "src"]),
            # A script's own folder first, as Python does; then what its imports need; then the root.
            ("proj/main.py", ["proj", ".", "src"]),
            ("proj/sub/run.py", ["proj/sub", "proj", ".", "src"]),
            # Inside a package: what holds the outermost package, not the package itself.
            ("proj/models/net.py", ["proj", ".", "src"]),
            ("lib/deep/inner.py", [".", "lib", "src"]),
            # ... unless a neighbour is imported as if this, or what it imports, were a script.
            ("lib/bad.py", [".", "lib", "src"]),
            # The folder that the imports of an imported file need.
            ("tools/tool.py", ["tools", ".", "lib", "src"]),
            ("tests/test_it.py", ["tests", "src", "."]),
        ],
    )
    def test_folders(self, tmp_path, file, expected):
        files = {
            "script.py": "import torch",
            "proj/main.py": "import torch\nfrom models.net import Net",
            "proj/sub/run.py": "import torch\nfrom models import net",
            "proj/models/__init__.py": "",
            "proj/models/net.py": "import torch\nfrom .other import x",
            "proj/models/other.py": "x = 1",
            "lib/__init__.py": "",
            "lib/deep/__init__.py": "",
            "lib/deep/inner.py": "import torch\nfrom .. import bad",
            "lib/bad.py": "import torch\nimport neighbour",
            "lib/neighbour.py": "",
            "tools/tool.py": "import torch\nfrom lib.bad import x",
            "src/pkg/__init__.py": "",
            "tests/test_it.py": "import torch\nimport pkg",
        }
        workspace = tree(tmp_path, files)
        assert below(tmp_path, plan(workspace, file).runs[0].import_paths) == expected

    def test_the_standard_library_is_never_shadowed(self, tmp_path):
        workspace = tree(tmp_path, {"a/main.py": "import torch\nimport json", "json.py": "", "a/json/x.py": ""})
        assert below(tmp_path, plan(workspace, "a/main.py").runs[0].import_paths) == ["a", "."]


class TestKey:
    @pytest.fixture
    def workspace(self, tmp_path):
        return tree(tmp_path, {"net.py": NET, "use.py": USE, "dep.py": "x = 1\n", "far.py": "y = 1\n"})

    def key(self, workspace, settings=Settings()):  # noqa: B008 - frozen
        return plan(workspace, "net.py", settings).key

    def test_it_stays_while_nothing_changes(self, workspace):
        assert self.key(workspace) == self.key(workspace) == self.key(Workspace(workspace.root))

    @pytest.mark.parametrize("file", ["net.py", "use.py"])
    def test_it_follows_what_the_runs_read(self, workspace, file):
        before, path = self.key(workspace), str(workspace.root / file)
        workspace.open(path, workspace.text(path) + "\nz = 1\n", 1)
        assert self.key(workspace) != before

    def test_it_follows_what_a_caller_imports(self, workspace):
        (workspace.root / "use.py").write_text(USE + "import dep\n")
        before = self.key(workspace)
        (workspace.root / "dep.py").write_text("x = 22\n")
        assert self.key(workspace) != before

    def test_it_does_not_follow_other_files(self, workspace):
        before = self.key(workspace)
        (workspace.root / "far.py").write_text("y = 22\n")
        assert self.key(workspace) == before

    def test_it_comes_back_when_an_edit_is_undone(self, workspace):
        path, keys = str(workspace.root / "net.py"), []
        for version, text in enumerate([NET, NET + "#", NET]):
            workspace.open(path, text, version)
            keys.append(self.key(workspace))
        assert keys[0] == keys[2] != keys[1]

    def test_it_follows_the_limits(self, workspace):
        assert self.key(workspace, Settings(timeout=1)) != self.key(workspace, Settings(timeout=2))


def test_the_zoo():
    root = WORKSPACES / "zoo"
    found = plan(Workspace(root), "zoo/nets.py")
    first = found.runs[0]
    assert below(root, first.import_paths) == ["."]
    assert [target.qualname for target in first.targets] == ["SmallNet"]
    train = next(run for run in found.runs if run.callers[0].file.endswith("train.py"))
    assert below(root, train.import_paths) == ["scripts", "."]
