"""Positions in the client's units and in code points, and edits in them; no server."""

from __future__ import annotations

import pytest
from lsprotocol import types
from pygls.workspace import PositionCodec

from metalens.lsp.text import changed, from_client, lines_of, range_from_client, to_client
from metalens.protocol.values import Position

ENCODINGS = [types.PositionEncodingKind.Utf8, types.PositionEncodingKind.Utf16, types.PositionEncodingKind.Utf32]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["", "a", "x = '😀' # é\r\ny\rz\n", "\f# page\x0b\u2028 one line\nnext", "tail\n"])
def test_every_position_survives_the_way_to_the_client_and_back(encoding: types.PositionEncodingKind, text: str):
    codec = PositionCodec(encoding)
    for line, written in enumerate(lines_of(text)):
        for column in range(len(written) + 1):
            place = Position(line, column)
            assert from_client(codec, text, to_client(codec, text, place)) == place


def test_positions_beyond_the_text_are_its_end():
    codec = PositionCodec()
    assert from_client(codec, "a\n😀b", types.Position(1, 99)) == Position(1, 2)
    assert from_client(codec, "a\n😀b", types.Position(7, 0)) == Position(1, 2)
    assert to_client(codec, "a\n😀b", Position(7, 3)) == types.Position(1, 3)


def test_a_character_of_two_units_is_never_cut():
    codec = PositionCodec()
    inside = types.Range(types.Position(0, 1), types.Position(0, 3))
    assert range_from_client(codec, "😀b", inside).start.column in (0, 1)


def partial(start: tuple[int, int], end: tuple[int, int], text: str) -> types.TextDocumentContentChangePartial:
    return types.TextDocumentContentChangePartial(
        range=types.Range(types.Position(*start), types.Position(*end)), text=text
    )


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        ("ab\ncd", partial((0, 1), (1, 1), "X"), "aXd"),
        ("", partial((0, 0), (0, 0), "new"), "new"),
        ("a\n", partial((1, 0), (1, 0), "b"), "a\nb"),
        ("'😀' x", partial((0, 5), (0, 6), "y"), "'😀' y"),
        ("a\r\nb\r\nc", partial((1, 0), (2, 0), ""), "a\r\nc"),
        ("\fa\nb", partial((1, 0), (1, 1), "c"), "\fa\nc"),
        ("a", partial((9, 0), (9, 9), "b"), "ab"),
        ("a", types.TextDocumentContentChangeWholeDocument("all"), "all"),
    ],
)
def test_edits_are_applied(text: str, change: types.TextDocumentContentChangeEvent, expected: str):
    assert changed(PositionCodec(), text, [change]) == expected
