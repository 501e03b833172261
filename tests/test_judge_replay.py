"""What may become a finding at all: grades, and PyTorch's own verdict on real tensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from judging import find, record  # noqa: E402 - needs torch
from metalens.protocol.values import Location, Position, Range  # noqa: E402
from metalens.worker.judge import judge  # noqa: E402
from metalens.worker.judge.replay import replay  # noqa: E402
from metalens.worker.judge.silent import suspicion  # noqa: E402
from metalens.worker.trace.facts import Facts, Failure, Frame  # noqa: E402

pytestmark = pytest.mark.torch

HERE = Location("/nowhere/script.py", Range(Position(0, 0), Position(0, 1)))
MISTAKE = "layer = nn.Linear(3, 4)\nlayer(torch.randn(2, 5))\n"


def failure(function: Any, *args: Any, error: str = "shapes do not fit", **kwargs: Any) -> Failure:
    """A failure of one function, without a script around it."""
    return Failure(RuntimeError(error), function, args, kwargs, (Frame(HERE, "<module>", None),), (), "clean", "Net")


def meta(*shape: int, dtype: Any = None) -> Any:
    return torch.empty(shape, device="meta", dtype=dtype)


def test_grades(tmp_path: Path) -> None:
    assert find(MISTAKE, tmp_path / "script.py", grade="clean") is not None
    assert find(MISTAKE, tmp_path / "script.py", grade="mended") is None
    assert find(MISTAKE, tmp_path / "script.py", grade="borrowed") is None


def test_a_borrowed_run_speaks_of_fixed_sizes(tmp_path: Path) -> None:
    recording = record(MISTAKE, tmp_path / "script.py", grade="borrowed")
    assert recording.failure is not None
    assert judge(replace(recording.failure, fixed=True), recording.facts) is not None


def test_an_error_that_only_meta_raises_is_none() -> None:
    right = failure(torch.nn.functional.linear, meta(2, 3), meta(4, 3), error="a and b must have same reduction dim")
    assert judge(right, Facts()) is None
    wrong = failure(torch.nn.functional.linear, meta(2, 3), meta(4, 5))
    assert replay(wrong, Facts()) == "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)"


@pytest.mark.parametrize(
    "said",
    [
        "Cannot copy out of meta tensor; no data!",
        "Expected all tensors to be on the same device, but found at least two devices, meta and cpu!",
        '"nonzero" not implemented for the meta device',
        "Tensor on device cuda:0 is not on the expected device",
    ],
)
def test_errors_about_devices_are_ours(said: str) -> None:
    assert judge(failure(torch.matmul, meta(2, 3), meta(2, 3), error=said), Facts()) is None


@pytest.mark.parametrize(
    "error", [AttributeError("fc3"), KeyError("x"), FileNotFoundError("weights.pt"), NameError("y")]
)
def test_errors_of_another_kind_are_none(error: Exception) -> None:
    assert judge(replace(failure(None), error=error), Facts()) is None


def test_the_users_own_exceptions_are_none(tmp_path: Path) -> None:
    assert find("x = torch.randn(2, 3)\nassert x.dim() == 3, 'three dims'\n", tmp_path / "script.py") is None
    assert find("x = torch.randn(2, 3)\nif x.dim() != 3:\n    raise ValueError('no')\n", tmp_path / "script.py") is None


def test_unpacking_of_other_things_is_none(tmp_path: Path) -> None:
    assert find("a, b = (1, 2, 3)\n", tmp_path / "script.py") is None
    assert find("a, b, c = torch.randn(2, 3).shape\n", tmp_path / "script.py") is not None


def test_big_tensors_cost_nothing() -> None:
    images = meta(4096, 3, 512, 512)
    said = replay(failure(torch.conv2d, images, meta(8, 4, 3, 3)), Facts())
    assert said is not None
    assert "expected input[4096, 3, 512, 512] to have 4 channels" in said


def test_big_results_are_not_computed() -> None:
    # 40 GB if it were carried out: no error in PyTorch's sense, and no time for it.
    column, row = meta(100_000, 1), meta(1, 100_000)
    assert replay(failure(torch.matmul, column, row, error="who knows"), Facts()) is None


def test_views_keep_their_strides() -> None:
    turned = meta(2, 3, 4).transpose(1, 2)
    said = replay(failure(torch.Tensor.view, turned, 2, 12), Facts())
    assert said is not None and "view size is not compatible" in said
    assert replay(failure(torch.Tensor.view, turned, 2, 4, 3), Facts()) is None
    huge = meta(64, 3, 1024, 1024)
    said = replay(failure(torch.Tensor.view, huge, 64, -1, 7, error="shape '[64, -1, 7]' is invalid"), Facts())
    assert said == "shape '[64, -1, 7]' is invalid"


def test_in_place_operations() -> None:
    said = replay(failure(torch.Tensor.add_, meta(2, 3), meta(2, 4)), Facts())
    assert said == "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"
    assert replay(failure(torch.Tensor.add_, meta(1, 3).expand(2, 3), meta(2, 3)), Facts()) is None


def test_real_arguments_keep_their_values() -> None:
    real = failure(torch.nn.functional.embedding, torch.tensor([1, 12]), meta(10, 4))
    said = replay(real, Facts())
    assert said == "index out of range in self"
    finding = judge(real, Facts())
    assert finding is not None
    assert finding.message == "embedding has 10 rows (0 to 9), got index 12"


def test_values_are_no_matter_of_shapes() -> None:
    assert replay(failure(torch.linalg.inv, meta(3, 3)), Facts()) is None


def test_suspicion_where_meta_is_silent() -> None:
    functional = torch.nn.functional
    half = meta(2, 3, dtype=torch.float16)
    assert suspicion(functional.linear, (half, meta(4, 3)), {}) is not None
    assert suspicion(functional.linear, (meta(2, 3), meta(4, 3)), {}) is None
    assert suspicion(torch.conv_transpose2d, (meta(1, 8, 5, 5), meta(16, 4, 3, 3)), {}) is not None
    assert suspicion(torch.conv_transpose2d, (meta(1, 16, 5, 5), meta(16, 4, 3, 3)), {}) is None
    assert suspicion(functional.softmax, (meta(2, 3),), {"dim": 2}) is not None
    assert suspicion(functional.softmax, (meta(2, 3),), {"dim": -1}) is None
    assert suspicion(functional.relu, (half,), {}) is None
    grown = (meta(1, 16, 5, 5), meta(16, 4, 3, 3), None, 2, 1)
    assert suspicion(torch.conv_transpose2d, (*grown, 2), {}) is not None
    assert suspicion(torch.conv_transpose2d, (*grown, 1), {}) is None
    assert suspicion(torch.conv_transpose2d, grown, {"output_padding": (1, 2), "dilation": 3}) is None
    labels = meta(4, 8, 6, dtype=torch.int64)
    assert suspicion(functional.cross_entropy, (meta(4, 5, 8, 6), labels), {}) is None
    assert suspicion(functional.cross_entropy, (meta(4, 5, 8, 6), meta(4, 5, 8, 6)), {}) is None
    assert suspicion(torch.index_select, (meta(4, 6), 1, meta(1, 2, dtype=torch.int64)), {}) is not None
    assert suspicion(torch.index_select, (meta(4, 6), 1), {"index": meta(2, dtype=torch.int64)}) is None
    assert suspicion(torch.Tensor.sort, (meta(4, 6),), {"dim": 2}) is not None


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        ("linear", ((2, 3, torch.float16), (4, 3)), "linear: dtypes differ, f16 vs f32"),
        ("conv_transpose1d", ((1, 8, 5), (16, 4, 3)), "conv_transpose1d expects 16 input channels, got 8 ([1, 8, 5])"),
        (
            "cross_entropy",
            ((4, 5, 6, 8), (4, 8, 6, torch.int64)),
            "cross_entropy expects targets [4, 6, 8], got [4, 8, 6]",
        ),
        (
            "binary_cross_entropy",
            ((4, 1), (4, 1, torch.int64)),
            "binary_cross_entropy needs f32 targets, got i64 (prediction [4, 1], target [4, 1])",
        ),
    ],
)
def test_suspicions_are_judged_like_errors(function: str, args: Any, message: str) -> None:
    tensors = [
        meta(*(n for n in arg if isinstance(n, int)), dtype=arg[-1] if not isinstance(arg[-1], int) else None)
        for arg in args
    ]
    called = getattr(torch.nn.functional, function)
    suspected = suspicion(called, tuple(tensors), {})
    assert suspected is not None
    finding = judge(failure(called, *tensors, error=str(suspected)), Facts())
    assert finding is not None
    assert finding.message == message
