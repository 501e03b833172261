"""Settings are decoded once; what is not understood falls back with one sentence."""

from __future__ import annotations

import pytest

from metalens.workspace.settings import Settings, read_settings


@pytest.mark.parametrize("options", [None, {}, {"unknown": 1, "execution": {"other": 2}}])
def test_defaults(options):
    assert read_settings(options) == (Settings(), ())


def test_nested_and_dotted_keys():
    nested = {"execution": {"timeout": 5, "memoryLimitMb": 512, "fork": False}, "codeLens": {"enable": False}}
    dotted = {"execution.timeout": 5, "execution.memoryLimitMb": 512, "execution.fork": False, "codeLens.enable": False}
    expected = Settings(timeout=5.0, memory=512, fork=False, code_lens=False)
    assert read_settings(nested) == read_settings(dotted) == (expected, ())


@pytest.mark.parametrize(
    ("options", "interpreter"),
    [
        ({"interpreter": " /usr/bin/python3 "}, "/usr/bin/python3"),
        ({"interpreter": ["/a"]}, "/a"),
        ({"interpreter": []}, ""),
        ({"interpreter": "/a", "worker": {"python": "/b"}}, "/b"),
        ({"interpreter": "/a", "worker.python": ""}, "/a"),
    ],
)
def test_interpreter(options, interpreter):
    assert read_settings(options) == (Settings(interpreter=interpreter), ())


def test_rules():
    given = {"broadcast": "warn", "cat-dim": "info", "dim-count": "off", "dim-range": "error", "loss-size": "ignore"}
    settings, messages = read_settings({"rules": {**given, "embed-heads": "loud", "index-range": 3, "cat-dims": "off"}})
    assert settings.rules == {
        "broadcast": "warning",
        "cat-dim": "information",
        "dim-count": "off",
        "dim-range": "error",
        "loss-size": "off",
    }
    assert messages == (
        "rules.embed-heads must be error, warning, information, hint or off, not 'loud'.",
        "rules.index-range must be error, warning, information, hint or off, not 3.",
        "rules.cat-dims: there is no rule cat-dims; did you mean cat-dim?",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "The settings are not an object but a list; all defaults are used."),
        ({"enable": "yes"}, "enable must be true or false, not 'yes'; true is used."),
        ({"interpreter": 3}, "interpreter must be the path of a Python interpreter, not 3; '' is used."),
        (
            {"execution": {"timeout": 0}},
            "execution.timeout must be a number of seconds from 0.1 to 3600, not 0; 10 is used.",
        ),
        (
            {"execution": {"timeout": True}},
            "execution.timeout must be a number of seconds from 0.1 to 3600, not true; 10 is used.",
        ),
        (
            {"execution.timeout": float("nan")},
            "execution.timeout must be a number of seconds from 0.1 to 3600, not nan; 10 is used.",
        ),
        (
            {"execution": {"memoryLimitMb": 1.5}},
            "execution.memoryLimitMb must be a whole number of MiB from 256 to 1048576, not 1.5; 1024 is used.",
        ),
        ({"rules": []}, "rules must map each rule to its level, not be a list."),
    ],
)
def test_a_bad_value_falls_back_with_one_message(options, message):
    assert read_settings(options) == (Settings(), (message,))


def test_one_bad_value_leaves_the_others():
    settings, messages = read_settings({"execution": {"timeout": "soon", "memoryLimitMb": 700}, "enable": False})
    assert settings == Settings(enable=False, memory=700)
    assert len(messages) == 1
