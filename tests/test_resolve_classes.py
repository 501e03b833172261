"""Which classes are torch modules, by following names alone."""

from __future__ import annotations

import textwrap

import pytest

from metalens.protocol.values import Position, Range
from metalens.resolve import inference
from metalens.resolve.classes import module_classes
from trees import tree


def found(tmp_path, files, file="a.py"):
    workspace = tree(tmp_path, {name: textwrap.dedent(text) for name, text in files.items()})
    return [item.qualname for item in module_classes(workspace, str(tmp_path / file))]


def found_in(tmp_path, text):
    return found(tmp_path, {"a.py": text})


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("import torch", "torch.nn.Module"),
        ("import torch.nn", "torch.nn.Module"),
        ("import torch.nn as nn", "nn.Module"),
        ("from torch import nn", "nn.Module"),
        ("from torch import nn as layers", "layers.Module"),
        ("from torch.nn import Module", "Module"),
        ("from torch.nn import Module as M", "M"),
        ("from torch.nn.modules.module import Module", "Module"),
        ("from torch.nn import *", "Module"),
        ("from torch import nn", "nn.Sequential"),
        ("from torch import nn", "nn.Conv2d"),
        ("from torch import nn", "nn.ModuleList"),
        ("from torch import nn\nBase = nn.Module", "Base"),
        ("from torch import nn\nBase = nn.Module if nn else object", "Base"),
        ("from torch import nn\nimport six", "six.with_metaclass(type, nn.Module)"),
        ("from torch import nn\nfrom typing import Generic, TypeVar", "Generic[T], nn.Module"),
        ("try:\n    from torch import nn\nexcept ImportError:\n    nn = None", "nn.Module"),
        ("import pytorch_lightning as pl", "pl.LightningModule"),
        ("import lightning as L", "L.LightningModule"),
        ("from lightning.pytorch import LightningModule", "LightningModule"),
        ("from mmengine.model import BaseModule", "BaseModule"),
        ("from transformers import PreTrainedModel", "PreTrainedModel"),
        ("from transformers import BertForSequenceClassification as B", "B"),
        ("import torchvision", "torchvision.models.resnet.ResNet"),
    ],
)
def test_a_module_by_any_name(tmp_path, imports, base):
    assert found_in(tmp_path, f"{imports}\nclass Net({base}):\n    pass\n") == ["Net"]


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("", "object"),
        ("", "Module"),
        ("import torch", "torch.utils.data.Dataset"),
        ("import torch", "torch.autograd.Function"),
        ("from torch import nn", "nn.Parameter"),
        ("from flax import linen as nn", "nn.Module"),
        ("import haiku as hk", "hk.Module"),
        ("import types", "types.ModuleType"),
        ("from transformers import PretrainedConfig", "PretrainedConfig"),
        ("from transformers import Trainer", "Trainer"),
        ("from sklearn.linear_model import LinearModel", "LinearModel"),
        ("class Net: pass", "Net"),
    ],
)
def test_what_is_no_module(tmp_path, imports, base):
    assert found_in(tmp_path, f"{imports}\nclass Net({base}):\n    pass\n") == []


class TestAcrossFiles:
    BASE = "import torch.nn as nn\nclass Base(nn.Module): pass\n"

    @pytest.mark.parametrize(
        ("files", "text"),
        [
            ({"base.py": BASE}, "from base import Base\nclass Net(Base): pass"),
            ({"base.py": BASE}, "import base\nclass Net(base.Base): pass"),
            ({"pkg/__init__.py": "", "pkg/base.py": BASE}, "import pkg.base as b\nclass Net(b.Base): pass"),
            ({"pkg/__init__.py": "", "pkg/base.py": BASE}, "import pkg.base\nclass Net(pkg.base.Base): pass"),
            ({"pkg/base.py": BASE}, "from pkg.base import Base\nclass Net(Base): pass"),
            ({"pkg/base.py": BASE}, "from pkg import base\nclass Net(base.Base): pass"),
            ({"pkg/__init__.py": "from .b import Base", "pkg/b.py": BASE}, "import pkg\nclass Net(pkg.Base): pass"),
            ({"pkg/__init__.py": "from .b import *", "pkg/b.py": BASE}, "from pkg import *\nclass Net(Base): pass"),
            ({"src/pkg/__init__.py": BASE}, "from pkg import Base\nclass Net(Base): pass"),
            ({"b.py": "from c import Mid", "c.py": "from d import Base\nclass Mid(Base): pass", "d.py": BASE},
             "from b import Mid\nclass Net(Mid): pass"),
            ({"lib.py": "from torch import nn"}, "from lib import nn\nclass Net(nn.Module): pass"),
            ({"lib.py": "from torch import nn"}, "from lib import *\nclass Net(nn.Module): pass"),
            ({"torch/data.txt": ""}, "import torch\nclass Net(torch.nn.Module): pass"),
        ],
    )  # fmt: skip
    def test_through_imports_and_re_exports(self, tmp_path, files, text):
        assert found(tmp_path, {**files, "a.py": text}) == ["Net"]

    def test_relative_imports(self, tmp_path):
        files = {
            "pkg/__init__.py": "",
            "pkg/base.py": self.BASE,
            "pkg/sub/__init__.py": "",
            "pkg/sub/same.py": "from ..base import Base as Root",
            "pkg/sub/a.py": "from .same import Root\nfrom .. import base\nclass A(Root): pass\nclass B(base.Base): ...",
        }
        assert found(tmp_path, files, "pkg/sub/a.py") == ["A", "B"]

    def test_circles_end(self, tmp_path):
        files = {
            "pkg/__init__.py": "from .a import *\nfrom .b import *",
            "pkg/a.py": "from pkg import *\nfrom .b import B\nclass A(B): pass\nclass C(Missing): pass",
            "pkg/b.py": "from pkg import *\nfrom .a import A\nclass B(A): pass",
        }
        assert found(tmp_path, files, "pkg/a.py") == []

    def test_a_file_is_not_the_library_that_it_is_called_after(self, tmp_path):
        files = {
            "pkg/__init__.py": "",
            "pkg/transformers.py": "import transformers\nclass A(transformers.BertModel): pass",
        }
        assert found(tmp_path, files, "pkg/transformers.py") == ["A"]

    def test_same_names_do_not_get_mixed_up(self, tmp_path):
        files = {"one/base.py": self.BASE, "two/base.py": "class Base: pass"}
        text = "from base import Base\nclass Net(Base): pass"
        assert found(tmp_path, {**files, "one/a.py": text}, "one/a.py") == ["Net"]
        assert found(tmp_path, {**files, "two/a.py": text}, "two/a.py") == []

    def test_a_base_under_edit_counts(self, tmp_path):
        workspace = tree(
            tmp_path, {"base.py": "class Base: pass", "a.py": "from base import Base\nclass Net(Base): pass"}
        )
        assert module_classes(workspace, str(tmp_path / "a.py")) == ()
        workspace.open(str(tmp_path / "base.py"), self.BASE, 1)
        assert [item.qualname for item in module_classes(workspace, str(tmp_path / "a.py"))] == ["Net"]


def test_where_classes_stand(tmp_path):
    text = """
    from torch import nn

    class Outer(nn.Module):
        class Inner(nn.Module):
            pass

        class Deeper(Inner):
            pass

    class Plain:
        if True:
            class Nested(nn.Module): ...

    if nn:
        class Branch(nn.Module): ...
    else:
        class Branch(nn.Sequential): ...

    class Outer(Outer): ...

    def factory():
        class Local(nn.Module): ...
        return Local
    """
    expected = ["Outer", "Outer.Inner", "Outer.Deeper", "Plain.Nested", "Branch", "Branch", "Outer"]
    assert found_in(tmp_path, text) == expected


def test_an_unreadable_file_has_no_classes(tmp_path):
    assert found(tmp_path, {}, "none.py") == []


def at(text, part, start=0):
    """The range of the first occurrence of `part`, on one line."""
    before = text[: text.index(part, start)]
    line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    return Range(Position(line, column), Position(line, column + len(part)))


def test_ranges_count_code_points(tmp_path):
    text = textwrap.dedent("""\
        from torch import nn

        @register("größe 🙂")
        class  Netz(nn.Module): größe = "🙂"; forward = None
        class Größe(nn.Module):
            '''🙂 class Größe'''
            def __init__(self):
                self.größe = nn.Linear(2, 3, name="🙂🙂")
            async \\
                def forward(self): ...
    """)
    workspace = tree(tmp_path, {"a.py": text})
    first, second = module_classes(workspace, str(tmp_path / "a.py"))
    assert (first.name, first.line, first.forward) == (at(text, "Netz"), 3, None)
    assert (second.name, second.line, second.forward) == (
        at(text, "Größe"),
        4,
        at(text, "forward", text.index("async")),
    )
    (layer,) = second.layers
    assert layer.target == at(text, "self.größe")
    assert layer.value == at(text, 'nn.Linear(2, 3, name="🙂🙂")')


def layers_of(tmp_path, body):
    text = "from torch import nn\nimport torch, math\nclass Net(nn.Module):\n" + textwrap.indent(
        textwrap.dedent(body), "    "
    )
    (net,) = module_classes(tree(tmp_path, {"a.py": text}), str(tmp_path / "a.py"))
    return [(item.attribute, item.type) for item in net.layers]


def test_layers(tmp_path):
    body = """
    def __init__(self, big, layers):
        self.fc = nn.Linear(2, 3)
        self.a, self.b = nn.ReLU(), conv3x3(2)
        self.moved = nn.Linear(2, 3).to("cpu").eval()
        self.normed = nn.utils.weight_norm(nn.Conv1d(1, 2, 3))
        self.either = nn.Dropout(0.1) if big else None
        self.typed: nn.Module = nn.GELU()
        self.blocks = nn.ModuleList([nn.Linear(1, 2) for _ in range(3)])
        self.made = self._make(2)
        if big:
            with torch.no_grad():
                self.inner = nn.Identity()
        for name in layers:
            self.add_module("named", nn.Tanh())
        x = nn.Linear(1, 2)
        other.fc = nn.Linear(1, 2)
        self.size, self.count = 3, len(layers)
        self.scale = math.sqrt(2)
        self.mask = torch.ones(3)
        self.plain = big

    def setup(module):
        module.late = nn.Bilinear(1, 2, 3)

    @staticmethod
    def helper():
        self.none = nn.Linear(1, 2)

    def forward(self, x):
        self.cache = nn.Linear(1, 2)
    """
    assert layers_of(tmp_path, body) == [
        ("fc", "Linear"),
        ("a", "ReLU"),
        ("b", "conv3x3"),
        ("moved", "Linear"),
        ("normed", "weight_norm"),
        ("either", "Dropout"),
        ("typed", "GELU"),
        ("blocks", "ModuleList"),
        ("made", "_make"),
        ("inner", "Identity"),
        ("named", "Tanh"),
        ("late", "Bilinear"),
    ]


INFERRED = """
from torch import nn
class Base(nn.Module): ...
def pick():
    return Base
Parent = pick()
class Net(Parent): ...
Other = len([])
class None_(Other): ...
"""


class TestInference:
    def test_what_following_names_cannot_explain_is_inferred(self, tmp_path, monkeypatch):
        monkeypatch.setattr(inference, "WAIT_SECONDS", 60.0)
        assert found_in(tmp_path, INFERRED) == ["Base", "Net"]

    def test_what_comes_too_late_is_there_the_next_time(self, tmp_path, monkeypatch):
        monkeypatch.setattr(inference, "WAIT_SECONDS", 0.0)
        workspace = tree(tmp_path, {"a.py": INFERRED})
        file = str(tmp_path / "a.py")
        assert [item.qualname for item in module_classes(workspace, file)][:1] == ["Base"]
        monkeypatch.setattr(inference, "WAIT_SECONDS", 60.0)
        assert [item.qualname for item in module_classes(workspace, file)] == ["Base", "Net"]

    def test_a_failure_of_inference_is_no_failure(self, tmp_path, monkeypatch):
        def broken(question):
            raise RecursionError

        monkeypatch.setattr(inference, "_answer", broken)
        assert found_in(tmp_path, INFERRED) == ["Base"]
