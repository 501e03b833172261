"""What is left alone when a file is rewritten."""

from __future__ import annotations

import ast

import pytest

from metalens.worker.load.grids import GRID, grid, hooked
from metalens.worker.load.instrument import CALL, OPERATE, TEST, instrument


@pytest.mark.parametrize(
    ("cell", "computed"),
    [
        ("row / (10000 ** (2 * (column // 2) / dim))", 0),
        ("row / np.power(10000, 2 * (column // 2) / dim)", 0),
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


@pytest.mark.parametrize(
    ("rows", "columns", "computed"),
    [("range(3)", "range(2)", 6), ("range(3)", "range(row)", 3), ("range(0)", "range(2)", 0), ("'ab'", "range(2)", 4)],
)
def test_a_table_has_the_numbers_that_were_written(rows, columns, computed):
    numbers = f"[[column * 2 for column in {columns}] for row in {rows}]"
    tree = ast.parse(numbers, mode="eval")
    assert isinstance(tree.body, ast.ListComp)
    tree.body = hooked(tree.body)
    table = eval(compile(tree, "table", "eval"), {GRID: grid})
    assert table == eval(numbers)
    assert sum(map(len, table)) == computed


@pytest.mark.parametrize(
    ("number", "computed"),
    [("place / np.power(10000, column / dim)", 0), ("math.sin(column) * x", 0), ("x * column", 1)],
)
def test_a_row_runs_at_full_speed_where_it_calls_functions_of_numbers(number, computed):
    tree = ast.parse(f"y = [{number} for column in range(dim)]")
    instrument(tree, "")
    assert ast.unparse(tree).count(OPERATE) == computed


def test_of_a_huge_table_one_row_is_computed():
    asked: list[int] = []
    table = grid(range(1 << 20), lambda row: asked.append(row) or [row, 0.5])
    assert (len(table), table[0], len(asked)) == (1 << 20, [0, 0.5], 2)
    triangle = grid(range(2000), lambda row: [0] * row)
    assert [len(row) for row in triangle] == list(range(2000))


@pytest.mark.torch
@pytest.mark.parametrize("name", ["FloatTensor", "tensor"])
def test_a_tensor_of_very_many_numbers_has_no_memory(name):
    torch = pytest.importorskip("torch")
    tensor_of = pytest.importorskip("metalens.worker.trace.operands").tensor_of
    few = tensor_of(getattr(torch, name), [[0.5] * 4] * 3)
    assert (few.device.type, few.tolist()) == ("cpu", [[0.5] * 4] * 3)
    many = tensor_of(getattr(torch, name), grid(range(1 << 20), lambda row: [row * 0.5] * 4))
    assert (many.device.type, many.shape, many.dtype) == ("meta", (1 << 20, 4), torch.float32)


def test_what_a_condition_denies_is_asked_for_by_itself():
    text = "if not stored:\n    begin()\nelse:\n    resume()\n"
    tree = ast.parse(text)
    instrument(tree, text)
    (asked,) = (node for node in ast.walk(tree) if isinstance(node, ast.If) and TEST in ast.unparse(node.test))
    assert "not stored" not in ast.unparse(asked.test)
    assert "resume" in ast.unparse(asked.body[0]) and "begin" in ast.unparse(asked.orelse[0])


def test_a_function_of_numbers_runs_at_full_speed():
    text = "def angle(row, column):\n    return row / np.power(10000, column)\n"
    table = text + "def line(row):\n    return [angle(row, column) for column in range(256)]\n"
    for code, hooks in ((table, 0), (table.replace("np.power(10000, column)", "scale(column)"), 1)):
        tree = ast.parse(code)
        instrument(tree, code)
        assert ast.unparse(tree).count(OPERATE) == hooks
        assert (CALL in ast.unparse(tree)) == bool(hooks)
