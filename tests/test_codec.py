"""Every message survives the pipe; bytes that are no message are refused."""

import dataclasses
import json
import os
import sys
import typing

import pytest

from metalens.protocol import codec, messages, values
from metalens.protocol.codec import HEADER, LIMIT, ProtocolError, decode, encode, length

MESSAGES = [*typing.get_args(messages.Request), *typing.get_args(messages.Answer)]


def sample(hint, depth=0):
    """A value of this type in which nothing is empty or a default."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{name: sample(part, depth + (part is hint)) for name, part in hints.items()})
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        recursive = dataclasses.is_dataclass(inner[0]) and depth > 0
        return () if recursive or depth > 3 else (sample(inner[0], depth + 1),) * 2
    if origin is dict:
        return {"a 'key' \n": sample(inner[1], depth + 1)}
    if origin is typing.Union:
        return sample(inner[0], depth)
    return {int: -7, float: 0.25, str: 'söme "text" \n\U0001f525', bool: True}[hint]


@pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)
def test_every_message_comes_back_as_it_went(cls):
    message = sample(cls)
    frame = encode(message)
    assert length(frame[: HEADER.size]) == len(frame) - HEADER.size
    assert decode(frame[HEADER.size :]) == message


def test_defaults_and_none_come_back():
    crash = messages.Crash(1, "exit", "")
    layer = messages.Layer("fc", "Linear", "Linear()", ())
    context = messages.Context("f", "M", 0, "traced", "clean", layers=(layer,))
    report = messages.Report(1, (context,), (), ())
    for message in (crash, report):
        assert decode(encode(message)[HEADER.size :]) == message


def test_nested_values_come_back():
    inner = values.Value("tensor", (1, -1), "f32", ("B", ""))
    value = values.Value("dict", items=(values.Value("tuple", items=(inner, inner)),), keys=("x",))
    here = values.Range(values.Position(0, 1), values.Position(2, 3))
    trace = messages.Trace("f", (messages.Expression(here, (value,)),))
    report = messages.Report(1, (), (), (trace,))
    assert decode(encode(report)[HEADER.size :]) == report


def test_a_whole_number_is_good_enough_for_a_float():
    body = encode(messages.Ready("2.1", "fork", 1.0))[HEADER.size :].replace(b"1.0", b"1")
    assert decode(body) == messages.Ready("2.1", "fork", 1.0)


def test_any_sequence_is_sent_as_a_tuple():
    assert decode(encode(messages.Parameter("w", [1, 2], "f32"))[HEADER.size :]).shape == (1, 2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"type":"Nothing"}',
        b'{"type":["Crash"]}',
        b'{"type":"Cancel"}',
        b'{"type":"Cancel","id":"1"}',
        b'{"type":"Cancel","id":1,"extra":2}',
        b'{"type":"Report","id":1,"contexts":7,"findings":[],"traces":[]}',
        b'{"type":"Report","id":1,"contexts":[null],"findings":[],"traces":[]}',
        b'{"type":"Report","id":1,"contexts":[],"findings":[],"traces":[],"problems":["a"]}',
        b"[" * 100_000,
        json.dumps({"type": "Crash", "id": 1, "reason": None, "detail": "", "output": ""}).encode(),
    ],
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(ProtocolError):
        decode(body)


def test_noise_is_refused():
    for _ in range(200):
        with pytest.raises(ProtocolError):
            decode(os.urandom(40))


def test_a_frame_out_of_bounds_is_refused():
    assert length(HEADER.pack(LIMIT)) == LIMIT
    with pytest.raises(ProtocolError):
        length(HEADER.pack(LIMIT + 1))


def test_an_answer_begins_with_its_type_and_id():
    """The worker's host and the engine look for the id without decoding."""
    for cls in (messages.Report, messages.Crash):
        assert encode(sample(cls))[HEADER.size :].startswith(b'{"type":"%s","id":-7,' % cls.__name__.encode())


def test_encoding_needs_no_loaded_modules(monkeypatch):
    """User code may empty `sys.modules` before its report is encoded."""
    report = sample(messages.Report)
    expected = encode(report)
    with monkeypatch.context() as patch:
        for name in ("typing", "metalens.protocol.messages", "metalens.protocol.values"):
            patch.delitem(sys.modules, name)
        assert encode(report) == expected
    assert codec.decode(expected[HEADER.size :]) == report
