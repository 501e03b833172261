"""Code that was written for older versions of Python."""

import ast
import sys
import types

import pytest

pytest.importorskip("torch")

from metalens.worker.load import parsing
from metalens.worker.trace.world import world

pytestmark = pytest.mark.torch


def test_defaults_that_are_objects_of_data_classes():
    source = (
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Inner:\n    width: int = 7\n"
        "@dataclass\nclass Outer:\n    inner: Inner = Inner()\n    names: tuple = ()\n"
    )
    namespace = {"__name__": "made"}
    sys.modules["made"] = types.ModuleType("made")
    try:
        with world():
            exec(source, namespace)
        assert namespace["Outer"]().inner.width == 7
    finally:
        del sys.modules["made"]


class TestOlderSyntax:
    def test_a_word_that_was_no_word_of_the_language(self):
        tree = parsing.parsed("y = x.cuda(0, async=True)\n", "script.py")
        assert ast.unparse(tree) == "y = x.cuda(0, non_blocking=True)"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("print 'a', b", "print('a', b)"),
            ("if x:\n    print 'a: %d' % 3,\n    print", "if x:\n    print('a: %d' % 3)\n    print()"),
            ("if x: print y  # note", "if x:\n    print(y)"),
            ("print 1\nprint >>log, 'x'", "print(1)\nprint('x')"),
            ("print 1\nfor k in xrange(3):\n    d.iteritems()", "print(1)\nfor k in range(3):\n    d.items()"),
            (
                "try:\n    pass\nexcept (A, B), e:\n    raise ValueError, 'x'",
                "try:\n    pass\nexcept (A, B) as e:\n    raise ValueError('x')",
            ),
        ],
    )
    def test_python_2(self, old, new):
        assert ast.unparse(parsing.parsed(old, "script.py")) == new
        assert parsing.is_older("script.py")
        parsing.parsed(new, "script.py")
        assert not parsing.is_older("script.py")

    @pytest.mark.parametrize("text", ["print 'text' +", "async = 3 +", "def f(:"])
    def test_what_never_was_python(self, text):
        with pytest.raises(SyntaxError):
            parsing.parsed(text, "script.py")
