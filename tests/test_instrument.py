"""What is left alone when a file is rewritten."""

from __future__ import annotations

import ast

import pytest

from metalens.worker.load.instrument import CALL, OPERATE, instrument


@pytest.mark.parametrize(
    ("cell", "computed"),
    [
        ("row / (10000 ** (2 * (column // 2) / dim))", 0),
        ("rows[row] * column", 1),
        ("layer(row + column)", 1),
    ],
)
def test_a_table_of_plain_numbers_runs_at_full_speed(cell, computed):
    text = f"table = [[{cell} for column in range(dim)] for row in range(length)]"
    tree = ast.parse(text)
    instrument(tree, text)
    called = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert called.count(OPERATE) == computed
    assert (CALL in called) == ("layer" in cell)
