"""The failing operation once more, alone, on real CPU tensors: what does PyTorch itself say?

Small tensors get real memory with the strides that they had; big ones are one element seen many times (stride 0), so
that nothing is allocated for them. What cannot be decided so is decided from the error on the meta device, and only
where that error is one of PyTorch's own shape checks.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

import torch

from metalens.worker.judge.assertions import assertion_of
from metalens.worker.judge.unpacking import unpacking_of
from metalens.worker.judge.words import function_name
from metalens.worker.trace.facts import Facts, Failure

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SMALL = 1_000_000  # elements
BUDGET = 64 << 20  # bytes

# What speaks of devices is our doing, not the user's.
_OURS = re.compile(
    r"\bmeta\b|not implemented for|FakeTensor|same device|on device|expected device|\bcuda\b|storage", re.I
)
# What depends on the values in a tensor says nothing of shapes, and a full memory nothing at all.
_UNDECIDED = re.compile(
    r"allocat|out of memory|singular|converge|invalid multinomial|probabilit|positive.definite|not implemented for"
    r"|more than one element of the written-to tensor|inference tensor|cannot be moved|overlap",
    re.I,
)
# Operations that only look at sizes and strides: meta runs the very code that the CPU runs.
_VIEWS = frozenset(
    [
        "view",
        "view_as",
        "reshape",
        "reshape_as",
        "flatten",
        "unflatten",
        "permute",
        "transpose",
        "swapaxes",
        "swapdims",
        "movedim",
        "expand",
        "expand_as",
        "squeeze",
        "unsqueeze",
        "split",
        "split_with_sizes",
        "chunk",
        "unbind",
        "narrow",
        "select",
        "size",
        "stride",
        "getitem",
        "setitem",
        "t",
        "diagonal",
    ]
)
_SHAPE_CHECKS = re.compile(
    r"must match|broadcast|invalid for input|same reduction dim|Dimension out of range|Expected size|Output size|"
    r"Kernel size|channels|shapes cannot be multiplied|doesn't match|not compatible",
    re.I,
)

_ARRAYS = re.compile(
    r"^cannot reshape array of size|^could not broadcast input array|^operands could not be broadcast together"
    r"|^all the input array(s| dimensions)|^shapes \(.*\) not aligned|^matmul: Input operand|^axes don't match array"
)
# Errors of these kinds speak of shapes and types; missing files, keys or attributes are another matter.
_KINDS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)

_TORCH = Path(torch.__file__).parent
_LAYERS = tuple(str(_TORCH / name) for name in ("nn/modules/", "nn/functional.py", "functional.py", "_tensor.py"))
_METALENS = str(Path(__file__).parents[2])


def replay(failure: Failure, facts: Facts) -> Optional[str]:
    """PyTorch's own message for a failure, or None if PyTorch would not raise or it cannot be told."""
    if _OURS.search(str(failure.error)) or not isinstance(failure.error, _KINDS):
        return None
    if failure.function is None:
        return _python_error(failure, facts)
    return _run_again(failure)


def innermost_file(error: BaseException) -> str:
    """The file of the innermost frame of a traceback, Metalens' own frames left out."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__, limit=-40)]
    theirs = [file for file in files if not file.startswith(_METALENS)]
    return theirs[-1] if theirs else ""


def _python_error(failure: Failure, facts: Facts) -> Optional[str]:
    """An error of Python code is its own replay, if a layer of torch, einops, an array in a model, an unpacking or an
    assertion raised it.
    """
    error = failure.error
    if unpacking_of(failure, facts) is not None:
        return str(error)
    if assertion_of(failure, facts) is not None:
        return f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, (NotImplementedError, TypeError)):
        return None
    if failure.model and _ARRAYS.search(str(error)):
        return str(error)  # numpy computed with real numbers
    file = innermost_file(error)
    from_layers = file.startswith(_LAYERS) or "einops" in Path(file).parts
    return str(error) or type(error).__name__ if from_layers else None


def _run_again(failure: Failure) -> Optional[str]:
    function = failure.function
    assert function is not None
    real = _Real()
    try:
        args = real.of(failure.args)
        kwargs = real.of(failure.kwargs)
    except _Impossible:
        return None
    if real.stretched and function_name(function) in _VIEWS:
        return str(failure.error)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with _plain(), torch.no_grad(), _little_memory():
            function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever PyTorch raises is the answer
        return _answer(failure, error, real)
    finally:
        torch.set_num_threads(threads)
    return None


def _answer(failure: Failure, error: Exception, real: _Real) -> Optional[str]:
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or _UNDECIDED.search(text):
        meta = str(failure.error)
        return meta if real.stretched and _SHAPE_CHECKS.search(meta) else None
    return text if isinstance(error, _KINDS) else None


class _Impossible(Exception):
    """An argument has no real counterpart."""


class _Real:
    """Makes real arguments from meta ones, within a budget of memory."""

    def __init__(self) -> None:
        self.stretched = False
        self._spent = 0
        self._seen: dict[int, torch.Tensor] = {}

    def of(self, value: Any) -> Any:
        """The real counterpart of any argument."""
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items()}
        if isinstance(value, slice):
            return slice(self.of(value.start), self.of(value.stop), self.of(value.step))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self.of(item) for item in value))
        if isinstance(value, (list, tuple)):
            return (list if isinstance(value, list) else tuple)(self.of(item) for item in value)
        return "cpu" if value == "meta" else value

    def _tensor(self, value: torch.Tensor) -> torch.Tensor:
        if value.device.type != "meta":
            return value.detach() if not value.is_sparse else value
        if value.layout != torch.strided:
            raise _Impossible
        if id(value) not in self._seen:
            self._seen[id(value)] = self._make(value)
        return self._seen[id(value)]

    def _make(self, value: torch.Tensor) -> torch.Tensor:
        size, stride = tuple(value.shape), tuple(value.stride())
        extent = 1 + sum((n - 1) * s for n, s in zip(size, stride)) if value.numel() else 0
        cost = max(extent, 0) * value.element_size()
        if extent <= SMALL and self._spent + cost <= BUDGET // 2:
            self._spent += cost
            return torch.empty_strided(size, stride, dtype=value.dtype, device="cpu").zero_()
        self.stretched = True
        return torch.zeros((), dtype=value.dtype, device="cpu").expand(size)


@contextmanager
def _plain() -> Iterator[None]:
    # Modes and subclasses (a recorder, a default device) must not see the replay, and oneDNN's recurrent layers do not
    # check their sizes (torch 2.1).
    enabled = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        with torch._C.DisableTorchFunction():
            yield
    finally:
        torch._C._set_mkldnn_enabled(enabled)


@contextmanager
def _little_memory() -> Iterator[None]:
    """Big allocations fail at once while this lasts, where the system can say so."""
    limit = _address_space()
    if resource is None or limit is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = limit + BUDGET
    try:
        if soft == resource.RLIM_INFINITY or ceiling < soft:
            _limit_memory(ceiling, hard)
        yield
    finally:
        _limit_memory(soft, hard)


def _limit_memory(soft: int, hard: int) -> None:
    # A sandbox may forbid it: the replay is then held by the limits of the process alone.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> Optional[int]:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize() if resource is not None else None
