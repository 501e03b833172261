"""The command line as a user runs it: a process of its own, on real files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot

PROJECT = Path(__file__).parent.parent


def metalens(*arguments, cwd=PROJECT, **environment):
    path = str(PROJECT / "server")
    command = [sys.executable, "-m", "metalens", *arguments]
    env = {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=110, check=False)


@pytest.mark.torch
@pytest.mark.parametrize("fork", [[], ["--no-fork"]], ids=["fork", "standby"])
def test_the_examples(fork):
    run = metalens("check", "examples", "--python", sys.executable, *fork)
    assert run.stderr == ""
    assert run.returncode == 1
    heads = [line for line in run.stdout.splitlines() if line.startswith(("error", "warning", "  -->"))]
    assert heads == snapshot(
        [
            "error[linear-in-features]: fc1 expects 4096 input features, got 8192 (128·8·8 after flatten)",
            "  --> examples/cnn.py:21:20",
            "error[conv-in-channels]: conv1 expects 3 input channels, got 1 ([1, 1, 28, 28])",
            "  --> examples/grayscale.py:13:34",
            "error[linear-in-features]: layer2 expects 30 input features, got 20 from layer1",
            "  --> examples/mismatch.py:13:13",
        ]
    )
    assert run.stdout.splitlines()[-1] == snapshot("Found 3 errors in 3 of 7 models. 3 fixable.")


@pytest.fixture(scope="module")
def examples():
    """What `metalens check examples --format json` prints."""
    run = metalens("check", "examples", "--format", "json", "--python", sys.executable)
    assert (run.returncode, run.stderr) == (1, "")
    return json.loads(run.stdout)


@pytest.mark.torch
def test_the_examples_as_json(examples):
    assert {(item["file"], item["code"], item["model"]) for item in examples["diagnostics"]} == {
        ("examples/cnn.py", "linear-in-features", "SmallCNN"),
        ("examples/grayscale.py", "conv-in-channels", "ImageNet"),
        ("examples/mismatch.py", "linear-in-features", "Net"),
    }
    models = {(item["file"], item["name"]): item for item in examples["models"]}
    assert {name: item["grade"] for name, item in models.items()} == dict.fromkeys(models, "clean")
    assert {name for name, item in models.items() if item["status"] == "traced" and item["output"]} >= {
        ("examples/gpt.py", "SelfAttention"),
        ("examples/gpt.py", "Block"),
        ("examples/gpt.py", "TinyGPT"),
        ("examples/mlp.py", "MyModel"),
    }
    wrong = [
        ("examples/cnn.py", "SmallCNN"),
        ("examples/grayscale.py", "ImageNet"),
        ("examples/mismatch.py", "Net"),
    ]
    assert all(models[name]["parameters"] for name in wrong)
    mlp = models["examples/mlp.py", "MyModel"]
    assert [(item["name"], item["shape"]) for item in mlp["parameters"]] == snapshot(
        [("linear1.weight", [20, 10]), ("linear1.bias", [20]), ("linear2.weight", [5, 20]), ("linear2.bias", [5])]
    )
    assert (mlp["arguments"], mlp["inputs"], mlp["output"], mlp["line"]) == snapshot(
        (
            {"text": "MyModel(input_dim=10, hidden_dim=20, output_dim=5)", "from": "call site examples/mlp.py:19"},
            {"text": "x [32, 10]", "from": "call site examples/mlp.py:25"},
            "[32, 5]",
            4,
        )
    )


@pytest.mark.torch
def test_one_correct_file_is_clean():
    run = metalens("check", "examples/mlp.py", "--python", sys.executable)
    assert (run.returncode, run.stdout, run.stderr) == snapshot((0, "No mistakes found in 1 model.\n", ""))


@pytest.mark.torch
def test_the_offered_fixes_mend_the_examples(examples, tmp_path):
    """Applied as an editor would, each on its own; then real PyTorch has the last word."""
    mended = []
    for diagnostic in examples["diagnostics"]:
        assert diagnostic["fixes"]
        for number, fix in enumerate(diagnostic["fixes"]):
            lines = (PROJECT / diagnostic["file"]).read_text(encoding="utf-8").split("\n")
            for edit in sorted(fix["edits"], key=lambda edit: list(edit["range"]["start"].values()), reverse=True):
                start, end = edit["range"]["start"], edit["range"]["end"]
                assert (edit["file"], start["line"]) == (diagnostic["file"], end["line"])
                line = lines[start["line"]]
                lines[start["line"]] = line[: start["character"]] + edit["newText"] + line[end["character"] :]
            mended.append(tmp_path / f"{Path(diagnostic['file']).stem}{number}.py")
            mended[-1].write_text("\n".join(lines), encoding="utf-8")
    code = "import runpy, sys\nfor file in sys.argv[1:]: runpy.run_path(file, run_name='__main__')"
    command = [sys.executable, "-c", code, *map(str, mended)]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.torch
def test_summary():
    run = metalens("summary", "examples/mlp.py:MyModel", "--python", sys.executable)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == snapshot("""\
MyModel  325 parameters · 1.3 KiB
MyModel(input_dim=10, hidden_dim=20, output_dim=5) from call site examples/mlp.py:19
x [32, 10] from call site examples/mlp.py:25
layer                                                        output    parameters
linear1  Linear(in_features=10, out_features=20, bias=True)  [32, 20]         220
relu     ReLU()                                              [32, 20]           0
linear2  Linear(in_features=20, out_features=5, bias=True)   [32, 5]          105
                                                             [32, 5]          325
""")


@pytest.mark.torch
def test_summary_of_a_class_that_is_not_there():
    run = metalens("summary", "examples/mlp.py:Model", "--python", sys.executable)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "metalens: examples/mlp.py has no module class Model; it has MyModel\n"


@pytest.mark.torch
def test_a_reader_who_leaves_early_is_no_error():
    command = f"{sys.executable} -m metalens check examples --python {sys.executable} | head -c 1"
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "server")}
    run = subprocess.run(["bash", "-c", command], cwd=PROJECT, env=env, capture_output=True, timeout=110, check=False)
    assert run.stderr == b""


def test_a_python_without_torch(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    run = metalens("check", "examples/mlp.py", "--python", str(tmp_path / "bare" / "bin" / "python"))
    assert run.returncode == 3
    assert run.stdout == ""
    assert "torch" in run.stderr
    assert "Traceback" not in run.stderr
