"""Which files may build or call a class."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from metalens.resolve.callers import MAX_CALLERS, callers_of
from metalens.resolve.classes import module_classes
from metalens.workspace.documents import Workspace
from trees import WORKSPACES, names_below, tree

NET = "from torch import nn\nclass Net(nn.Module): pass\n"


def callers(workspace, file="net.py", only=None):
    classes = module_classes(workspace, str(workspace.root / file))
    assert classes
    chosen = [item for item in classes if only in (None, item.qualname)]
    return names_below(workspace.root, callers_of(workspace, chosen))


def callers_among(tmp_path, files):
    return callers(tree(tmp_path, {"net.py": NET, **{name: textwrap.dedent(text) for name, text in files.items()}}))


@pytest.mark.parametrize(
    ("file", "only", "expected"),
    [
        # One script goes through a registry and a factory, the other loads a module of the package by a name that is
        # put together, and so any of them; the test goes through the package.
        (
            "zoo/nets.py",
            "SmallNet",
            ["zoo/nets.py", "scripts/serve.py", "scripts/train.py", "tests/test_nets.py"],
        ),
        # Nobody calls `Block` in a script, but what contains it is built there.
        (
            "zoo/blocks.py",
            "Block",
            [
                *("scripts/serve.py", "scripts/train.py", "tests/test_nets.py"),
                *("notebooks/demo.ipynb", "README.md", "zoo/nets.py"),
            ],
        ),
        ("zoo/blocks.py", "Unused", ["scripts/serve.py"]),
        ("zoo/deep.py", None, ["scripts/serve.py"]),
    ],
)
def test_the_zoo(file, only, expected):
    assert callers(Workspace(WORKSPACES / "zoo"), file, only) == expected


def test_a_script_that_gets_the_class_by_a_name_that_is_put_together(tmp_path):
    files = {
        "models/__init__.py": "",
        "models/net.py": NET,
        "models/base.py": "import torch",
        "tools.py": "import importlib\ndef find(name, kind): return getattr(importlib.import_module(kind), name)",
        "train.py": "import models.net, models.base, tools\ntools.find('N' + 'et', 'mod' + 'els.net')()",
        "plain.py": "import models.net",
    }
    assert callers(tree(tmp_path, files), "models/net.py") == ["train.py"]


def test_a_script_that_imports_the_module_that_an_option_names(tmp_path):
    script = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--model', default='small')\n"
    files = {
        "net.py": NET,
        "small.py": NET,
        "train.py": f"{script}__import__(parser.parse_args().model).Net()",
    }
    assert callers(tree(tmp_path, files), "net.py") == ["train.py"]


def test_the_best_come_first(tmp_path):
    files = {
        "net.py": NET + "def demo(): return Net()",
        "library.py": "from net import Net\ndef make(): return Net()",
        "parent.py": "from torch import nn\nfrom net import Net\nclass Big(nn.Module):\n    made_of = Net",
        "test_net.py": "from net import Net\ndef test(): Net()",
        "train.py": "from net import Net\nif __name__ == '__main__': Net()",
        "README.md": "```python\nfrom net import Net\nNet()\n```",
        "far/train.py": "from library import make\nmake()",
    }
    expected = ["net.py", "train.py", "far/train.py", "test_net.py", "README.md", "library.py", "parent.py"]
    assert callers_among(tmp_path, files) == expected


@pytest.mark.parametrize(
    "text",
    [
        "from net import Net\nNet()",
        "from net import Net as N\nN()",
        "import net\nnet.Net()",
        "import net as n\nn.Net.create()",
        "from net import *\nNet()",
        "import net\nvars(net)['Net']()",
        "import net\nnet.__dict__['Net']()",
        "def main():\n    from net import Net\n    Net()",
        "import importlib\nimportlib.import_module('net').Net()",
        "from net import Net\nMODELS = {'net': Net}\nMODELS['net']()",
        "try:\n    from net import Net\nexcept ImportError:\n    pass\nelse:\n    Net()",
        "from net import Net\nx = foo(Net(",
        "def main(a):\n    if a:\n        from net import Net\n    else:\n        from other import Net\n    Net()",
        "def one():\n    from net import Net\n    Net()\ndef two():\n    from other import Net\n    Net()",
    ],
)
def test_ways_to_mean_a_class(tmp_path, text):
    assert callers_among(tmp_path, {"use.py": text, "other.py": "class Net: pass"}) == ["use.py"]


@pytest.mark.parametrize(
    "text",
    [
        "from net import Net",
        "Net()",
        "from other import Net\nNet()",
        "# from net import Net\nprint('Net()')",
        "class Net: pass\nNet()",
        '"""from net import Net; Net()"""',
        "from net import Net\nMODELS = {'net': Net}",
        "from net import Net\n__all__ = ['Net']",
        "from net import Net\nclass NoModel:\n    net = Net",
        "from net import Network\nNetwork()",
    ],
)
def test_ways_not_to_mean_it(tmp_path, text):
    assert callers_among(tmp_path, {"use.py": text, "other.py": "class Net: pass"}) == []


def test_each_example_of_a_page_may_mean_another_class(tmp_path):
    page = "```python\nfrom net import Net\nNet()\n```\n```python\nfrom other import Net\nNet()\n```\n"
    assert callers_among(tmp_path, {"README.md": page, "other.py": "class Net: pass"}) == ["README.md"]


def test_a_chain_of_factories(tmp_path):
    files = {
        "one.py": "from net import Net\ndef one(): return Net()",
        "two.py": "from one import one\ndef two(): return one()",
        "three.py": "from two import two\ntwo()",
    }
    assert callers_among(tmp_path, files) == ["three.py", "one.py", "two.py"]


def test_there_are_never_too_many(tmp_path):
    files = {f"use{number}.py": "from net import Net\nNet()" for number in range(20)}
    assert callers_among(tmp_path, files) == sorted(files)[:MAX_CALLERS]


def test_of_many_the_best_of_each_kind_are_kept(tmp_path):
    scripts = {f"train{number}.py": "from net import Net\nNet()" for number in range(20)}
    others = {
        "tests/test_net.py": "from net import Net\ndef test(): Net()",
        "README.md": "```python\nimport net\nnet.Net()\n```",
    }
    found = callers_among(tmp_path, {**scripts, **others})
    assert found == [*sorted(scripts)[: MAX_CALLERS - 2], *others]


def test_a_caller_under_edit_counts(tmp_path):
    workspace = tree(tmp_path, {"net.py": NET, "use.py": "print()\n"})
    assert callers(workspace) == []
    workspace.open(str(tmp_path / "use.py"), "from net import Net\nNet()\n", 1)
    assert callers(workspace) == ["use.py"]
    workspace.close(str(tmp_path / "use.py"))
    assert callers(workspace) == []


def test_unreadable_files_are_passed_over(tmp_path):
    workspace = tree(tmp_path, {"net.py": NET, "a.py": b"Net = '\xff'", "b.ipynb": '{"cells": [Net', "c.py": "Net(\0"})
    assert callers(workspace) == []


def test_no_classes_no_callers():
    assert callers_of(Workspace(Path(__file__).parent), ()) == ()


def test_the_names_of_a_whole_file(tmp_path):
    files = {
        "models/__init__.py": "from .net import *\ndef build(name): return globals()[name]()\n",
        "models/net.py": NET,
        "train.py": "from models import build\nbuild('Net')\n",
        "other.py": "from elsewhere import build\nbuild('Net')\n",
    }
    assert callers(tree(tmp_path, files), "models/net.py") == ["train.py", "models/__init__.py"]


def test_a_module_that_is_meant_by_a_text(tmp_path):
    files = {
        "models/net.py": NET,
        "train.py": "from models import net\nmodel = eval(args.model).Net()\n",
        "other.py": "from models import net\nmodel.eval()\n",
    }
    assert callers(tree(tmp_path, files), "models/net.py") == ["train.py"]


def test_a_module_that_is_imported_and_never_spoken_of(tmp_path):
    files = {
        "registered/net.py": NET,
        "train.py": "import registered.net\nfrom factory import create_model\nmodel = create_model('net')\n",
        "other.py": "import elsewhere.net\nmodel = create_model('net')\n",
    }
    assert callers(tree(tmp_path, files), "registered/net.py") == ["train.py"]


def test_a_module_in_a_folder_that_a_shell_script_exports(tmp_path):
    files = {
        "egs/path.sh": "SRC=$ROOT/src\nexport PYTHONPATH=$SRC/net/:$SRC/utils/:$PYTHONPATH\n",
        "src/__init__.py": "",
        "src/net/__init__.py": "",
        "src/net/net.py": NET,
        "src/utils/__init__.py": "",
        "src/utils/utils.py": "from net import Net\ndef build(): return Net()\n",
        "src/bin/train.py": "from utils import build\nbuild()\n",
    }
    assert callers(tree(tmp_path, files), "src/net/net.py") == ["src/bin/train.py", "src/utils/utils.py"]


def test_a_package_that_imports_its_parts_by_its_own_name(tmp_path):
    files = {
        "nets/__init__.py": "from nets import small\ndef build(name): return small.KNOWN[name]()\n",
        "nets/small.py": NET + "KNOWN = {'net': Net}\n",
        "train.py": "import nets\nnets.build('net')\n",
    }
    assert callers(tree(tmp_path, files), "nets/small.py") == ["train.py", "nets/__init__.py"]


def test_a_script_that_asks_a_registry_is_found_beside_one_that_names_the_file(tmp_path):
    net = "from torch import nn\nimport kept\n@kept.register_model(name='small')\nclass Net(nn.Module): pass\n"
    files = {
        "kept.py": "MODELS = {}\ndef register_model(name): return lambda cls: MODELS.setdefault(name, cls)\n",
        "net.py": net,
        "train.py": "import net, kept\nkept.MODELS['small']()\n",
    }
    assert callers(tree(tmp_path, files)) == ["train.py"]
