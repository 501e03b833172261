"""What is known of classes outside the workspace without importing them."""

from __future__ import annotations

import re

# Namespaces in which a capitalised name is a module, but for the exceptions below.
_MODULE_NAMESPACES = (
    "torch.nn",
    "torch.ao.nn",
    "torchaudio.models",
    "torchaudio.transforms",
    "torchvision.models",
    "torchvision.ops",
    "timm.layers",
    "timm.models",
    "torch_geometric.nn",
    "transformers.models",
)
_TRANSFORMER = re.compile(r"transformers\.(?:\w+\.)*\w+(?:Model|For[A-Z]\w+)")
_NO_MODULES = frozenset(
    {
        "Parameter",
        "Buffer",
        "UninitializedParameter",
        "UninitializedBuffer",
        "UninitializedTensorMixin",
        "GenerationMixin",
        "ModuleUtilsMixin",
        "Trainer",
    }
)
_NO_MODULE_ENDINGS = (
    "Arguments",
    "Callback",
    "Config",
    "Enum",
    "Error",
    "Mixin",
    "Output",
    "Processor",
    "Tokenizer",
    "TokenizerFast",
    "Weights",
)
_OTHER_LIBRARIES = frozenset(
    {
        "equinox",
        "flax",
        "haiku",
        "injector",
        "jax",
        "keras",
        "mindspore",
        "mlx",
        "objax",
        "oneflow",
        "paddle",
        "sonnet",
        "tensorflow",
        "tinygrad",
    }
)


def is_module(name: str) -> bool:
    """Whether the class with this full dotted name is a torch module, as far as its name tells."""
    root, _, _ = name.partition(".")
    last = name.rpartition(".")[2]
    if root in _OTHER_LIBRARIES or last in _NO_MODULES or last.endswith(_NO_MODULE_ENDINGS):
        return False
    if last.endswith("Module") or last == "PreTrainedModel":
        return True
    if not last[:1].isupper():
        return False
    return _TRANSFORMER.fullmatch(name) is not None or any(name.startswith(f"{space}.") for space in _MODULE_NAMESPACES)
