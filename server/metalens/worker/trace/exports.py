"""Tracing, scripting and exporting: each runs the model on its example, and what comes of it is the model still."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch

from metalens.worker.load.unknown import Unknown

STAND_IN = True


def patches() -> list[tuple[Any, str, Any]]:
    """Owner, name, value."""
    found = [
        (torch.jit, "trace", _trace),
        (torch.jit, "trace_module", _trace_module),
        (torch.jit, "script", _scripted(torch.jit.script)),
        (torch.jit, "script_method", lambda method: method),
        (torch.jit, "ScriptModule", Scripted),
        (torch.jit, "freeze", _itself),
        (torch.jit, "optimize_for_inference", _itself),
        (torch.jit, "load", lambda *args, **kwargs: Unknown("torch.jit.load(...)", loaded=True)),
        (torch.jit, "save", _nothing),
        (torch.onnx, "export", _export),
        (torch.fx, "symbolic_trace", _itself),
    ]
    later = [(getattr(torch, "export", None), "export", _program), (torch.onnx, "dynamo_export", _dynamo_export)]
    return [*found, *(patch for patch in later if hasattr(patch[0], patch[1]))]


class Scripted(torch.nn.Module):  # type: ignore[misc]
    """The base of models that are compiled when they are built: what they compute is what their Python says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()


def _itself(model: Any, *args: Any, **kwargs: Any) -> Any:
    return _saved(model)


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _inputs(example: Any) -> tuple[Any, ...]:
    return tuple(example) if isinstance(example, (tuple, list)) else (example,)


def _trace(model: Any, example_inputs: Any = None, *args: Any, example_kwarg_inputs: Any = None, **options: Any) -> Any:
    """The model, after it ran on the example."""
    if example_kwarg_inputs is not None:
        model(**example_kwarg_inputs)
    elif example_inputs is not None:
        model(**example_inputs) if isinstance(example_inputs, dict) else model(*_inputs(example_inputs))
    return _saved(model)


def _trace_module(model: Any, inputs: Any, *args: Any, **options: Any) -> Any:
    """The model, after each of these methods ran on its example."""
    for name, example in inputs.items():
        (model if name == "forward" else getattr(model, name))(*_inputs(example))
    return _saved(model)


def _export(model: Any, args: Any = (), *more: Any, kwargs: Any = None, **options: Any) -> Any:
    """The model runs; a dictionary that comes last among its arguments holds those that have names."""
    inputs, named = _inputs(args), dict(kwargs or {})
    if inputs and isinstance(inputs[-1], dict) and not named:
        inputs, named = inputs[:-1], inputs[-1]
    model(*inputs, **named)
    return Unknown("an exported model")


def _dynamo_export(model: Any, *args: Any, **kwargs: Any) -> Any:
    model(*args, **{key: value for key, value in kwargs.items() if key != "export_options"})
    return Unknown("an exported model")


def _program(model: Any, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
    """A program that gives the model back."""
    model(*args, **(kwargs or {}))
    return types.SimpleNamespace(module=lambda *more, **choices: model, run_decompositions=_nothing)


def _scripted(script: Callable[..., Any]) -> Callable[..., Any]:
    def made(model: Any, *args: Any, **kwargs: Any) -> Any:
        return _saved(script(model, *args, **kwargs))

    return made


def _saved(model: Any) -> Any:
    """What is made of a model can be saved, which a model cannot."""
    if isinstance(model, (torch.nn.Module, types.FunctionType)):
        vars(model).setdefault("save", _nothing)
    return model
