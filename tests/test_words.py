"""How numbers and shapes are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.results import tensor
from metalens.features.words import counted, fix_title, item_bytes, params, shape, share, size
from metalens.protocol.messages import Fix
from metalens.protocol.values import Value


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (params(1), "1 param"),
        (params(4458), "4,458 params"),
        (params(999_999), "999,999 params"),
        (params(2_175_754), "2.18 M params"),
        (params(124_439_808), "124 M params"),
        (params(6_738_415_616), "6.74 B params"),
        (size(880), "880 B"),
        (size(8_703_016), "8.3 MiB"),
        (size(497_759_232), "475 MiB"),
        (share(73_856, 2_175_754), "3.4 %"),
        (share(1, 0), ""),
        (counted(1, "model"), "1 model"),
        (counted(12, "model"), "12 models"),
        (shape(tensor(2, 3)), "[2, 3]"),
        (shape(tensor(2, -1, dims=("B", ""))), "[B, ?]"),
        (shape(tensor(2, 3, dtype="i64")), "i64[2, 3]"),
        (shape(Value("tuple", items=(tensor(2), tensor(3)))), "([2], [3])"),
        (shape(Value("list", items=(tensor(2), tensor(2), tensor(2)))), "3× [2]"),
        (shape(Value("dict", items=(tensor(2),), keys=("loss",))), "{loss: [2]}"),
        (shape(Value("other", text="None")), "None"),
        (item_bytes("bf16"), 2),
        (item_bytes("bool"), 1),
        (item_bytes("f8_e4m3fn"), 1),
        (item_bytes("c64"), 8),
    ],
)
def test_how_numbers_and_shapes_are_written(written: object, expected: object):
    assert written == expected


def test_a_fix_tells_what_will_be() -> None:
    change = Fix("Change in_features of fc to 64", ())
    assert fix_title(change) == "Change in_features of fc to 64"
    gives = Value("tensor", (32, 10), "f32", ("B", ""))
    assert fix_title(replace(change, gives=gives)) == "Change in_features of fc to 64; forward then gives [B, 10]"
    many = Value("tuple", items=tuple(tensor(*range(1, size)) for size in range(8, 12)))
    assert fix_title(replace(change, gives=many)) == "Change in_features of fc to 64"
