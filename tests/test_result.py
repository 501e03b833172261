"""From reports to a Result, and places in texts that change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.results import FILE, ROOT, Scene, Seen
from harness.scenes import NET, built, finding, report
from metalens.engine.edits import apply_edits, moved
from metalens.engine.lines import shift_between
from metalens.engine.result import merge
from metalens.protocol.messages import Edit, Expression, Related
from metalens.protocol.values import Evidence, Location, Position, Range, Value


def test_the_best_evidence_comes_first():
    contexts = [
        built(grade="borrowed", arguments=Evidence("a", "invented")),
        built(status="skipped", arguments=Evidence("b", "call site")),
        built(grade="mended", arguments=Evidence("c", "call site")),
        built(status="instantiated", arguments=Evidence("d", "call site")),
        built(arguments=Evidence("e", "default")),
        built(arguments=Evidence("f", "call site")),
    ]
    result = NET.result(report(*contexts))
    assert [c.arguments.text for c in result.models[0].contexts if c.arguments] == ["f", "e", "c", "d", "a", "b"]


def test_a_context_that_was_only_built_gives_way_to_one_that_ran_with_the_same_arguments():
    only_built = built(status="instantiated", reason="nobody calls it")
    ran = built(grade="borrowed", inputs=Evidence("x [2, 10]", "probe"))
    assert NET.result(report(only_built, ran)).models[0].contexts == (ran,)


def test_a_probed_input_gives_way_to_a_real_call_with_the_same_arguments():
    probed = built(grade="borrowed", inputs=Evidence("x [2, 10]", "probe"))
    called = built(inputs=Evidence("x [32, 10]", "call site"))
    other = built(grade="borrowed", arguments=Evidence("Net(3)", "default"), inputs=Evidence("x [2, 10]", "probe"))
    assert NET.result(report(probed, other), report(called)).models[0].contexts == (called, other)


def test_the_same_finding_of_two_runs_counts_once_and_the_clean_run_speaks():
    mended = report(built(grade="mended"), findings=[replace(finding(), message="mended")])
    clean = report(built(), findings=[replace(finding(), message="clean")])
    elsewhere = report(
        built(), findings=[replace(finding(), location=Location(str(ROOT / "train.py"), NET.find("self.fc(x)")))]
    )
    assert [f.message for f in NET.result(mended, clean, elsewhere).findings] == ["clean"]


def test_errors_of_another_file_in_which_this_one_has_a_part():
    there = replace(finding(), location=Location(str(ROOT / "train.py"), NET.find("self.fc(x)")))
    passed = replace(there, passes=(FILE,), message="this file was under way")
    made = replace(there, related=(Related(NET.location("self.fc(x)"), "made"),), message="this file made the tensor")
    warned = replace(passed, severity="warning")
    for one, told in ((there, ()), (passed, (passed,)), (made, (made,)), (warned, ())):
        assert NET.result(report(built(), findings=[one])).elsewhere == told


def test_what_two_runs_say_of_a_model_in_the_same_words_is_one_mistake():
    here, there = finding(), replace(finding(), location=Location(FILE, NET.find("nn.Linear(10, 20)")))
    other = replace(there, message="another")
    first, second = report(built(), findings=[here]), report(built(), findings=[there, other])
    assert NET.result(first, second).findings == tuple(sorted((here, other), key=lambda f: f.location.range.start.line))
    assert len(NET.result(report(built(), findings=[here, there])).findings) == 2


def test_values_of_an_expression_are_distinct_and_four_at_most_the_best_run_first():
    def seen(*sizes: int) -> Expression:
        return NET.seen("self.fc(x)", *(Value("tensor", (size,), "f32") for size in sizes))

    mended = Seen((built(grade="mended"),), expressions=(seen(1, 2, 3),)).report()
    clean = Seen((built(),), expressions=(seen(3, 4, 5),)).report()
    trace = NET.result(mended, clean).trace
    assert trace
    assert [value.shape for value in trace.expressions[0].values] == [(3,), (4,), (5,), (1,)]


def test_a_class_that_was_met_unasked_counts_too():
    assert merge(NET.plan(), NET.text, 1, [report(replace(built(), line=-1))]).models[0].contexts


# ---------------------------------------------------------------- edits and lines


def at(line: int, column: int) -> Position:
    return Position(line, column)


@pytest.mark.parametrize(
    ("start", "end", "text", "expected"),
    [
        (at(0, 0), at(0, 1), "xyz", "xyzb\ncd\n"),
        (at(0, 1), at(1, 1), "-", "a-d\n"),
        (at(2, 0), at(2, 0), "end", "ab\ncd\nend"),
        (at(0, 2), at(0, 2), "\nnew", "ab\nnew\ncd\n"),
    ],
)
def test_edits(start: Position, end: Position, text: str, expected: str):
    assert apply_edits("ab\ncd\n", [Edit(Location(FILE, Range(start, end)), text)]) == expected


def test_several_edits_mean_places_in_the_text_as_given():
    edits = [Edit(NET.location("10"), "1234"), Edit(NET.location("20"), "5")]
    assert "nn.Linear(1234, 5)" in apply_edits(NET.text, edits)


@pytest.mark.parametrize("wanted", ["class Net", "nn.Linear", "20)", "self.fc(x)"])
def test_a_place_is_found_again_after_edits(wanted: str):
    edits = [Edit(NET.location("10"), "1234"), Edit(NET.location("def __init__"), "# more\n    def __init__")]
    after = Scene(apply_edits(NET.text, edits))
    assert moved(NET.location(wanted), edits) == after.location(wanted)


def test_lines_before_and_after_a_change_are_found_again():
    shift = shift_between("a\nb\nc\nd\n", "a\nx\ny\nc\nd\n")
    assert [shift.newer(line) for line in range(5)] == [0, None, 3, 4, 5]
    assert [shift.older(line) for line in range(6)] == [0, None, None, 2, 3, 4]


@pytest.mark.parametrize(("old", "new"), [("", ""), ("a", "a\na"), ("a\na\na", "a"), ("", "a\nb"), ("a\nb", "")])
def test_shifts_never_map_a_line_to_another_text(old: str, new: str):
    shift, before, after = shift_between(old, new), old.split("\n"), new.split("\n")
    for line, text in enumerate(before):
        found = shift.newer(line)
        assert found is None or after[found] == text
    for line, text in enumerate(after):
        found = shift.older(line)
        assert found is None or before[found] == text
