"""The commands of a shell script, and of the other files in which commands stand."""

from __future__ import annotations

import json

import pytest

from metalens.resolve.recipes import commands_in
from metalens.resolve.shell import UNTOLD, commands


def lines(text):
    return [" ".join(command.words) for command in commands(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python a.py --x 1", ["python a.py --x 1"]),
        ("python a.py \\\n  --x 1 \\\n  --y 2", ["python a.py --x 1 --y 2"]),
        ("python a.py --x 1 \\", ["python a.py --x 1"]),
        ("# python a.py\necho hello", []),
        ("python a.py # --x", ["python a.py"]),
        ("python a.py > log.txt 2>&1 &", ["python a.py"]),
        ("mkdir x && python a.py || python b.py; python c.py | tee log", ["python a.py", "python b.py", "python c.py"]),
        ("CUDA_VISIBLE_DEVICES=0 python a.py", ["python a.py"]),
        ("python a.py --text 'a b' --n \"c d\"", ["python a.py --text a b --n c d"]),
        ("bash -c 'python a.py --x 1'", ["python a.py --x 1"]),
        ("cat <<EOF\npython a.py\nEOF\npython b.py", ["python b.py"]),
        ("python a.py 'open", ["python a.py 'open"]),
    ],
)
def test_commands(text, expected):
    assert lines(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m=Net\npython a.py --m $m", ["python a.py --m Net"]),
        ("m=Net\nn=${m}_2\npython a.py --m ${n}", ["python a.py --m Net_2"]),
        ("export m='Net'\npython a.py --m \"$m\"", ["python a.py --m Net"]),
        ("python a.py --m ${m:-Net}", ["python a.py --m Net"]),
        ("python a.py --m $m", [f"python a.py --m {UNTOLD}"]),
        ("python a.py --m $(date)", [f"python a.py --m {UNTOLD}"]),
        ("flag=\npython a.py $flag --x", ["python a.py --x"]),
        ("args='--x 1'\npython a.py $args", ["python a.py --x 1"]),
        ("a=(3 4)\npython a.py ${a[1]}", ["python a.py 4"]),
        (
            'a=(3 4)\nb=(x y)\nfor i in "${!a[@]}"; do python a.py ${a[$i]} ${b[$i]}; done',
            ["python a.py 3 x", "python a.py 4 y"],
        ),
    ],
)
def test_variables(text, expected):
    assert lines(text) == expected


def test_arguments_of_a_script():
    text = 'm=$1\npython a.py --m $m ${@:2}\nshift\npython b.py "$@" --last $2 --none $3'
    assert [" ".join(command.words) for command in commands(text, ("Net", "1", "2"))] == [
        "python a.py --m Net 1 2",
        f"python b.py 1 2 --last 2 --none {UNTOLD}",
    ]


def test_each_value_of_a_loop_and_the_first_of_a_loop_within():
    text = "for m in A B\ndo\n  for n in 1 2; do\n    python a.py $m $n\n  done\ndone\npython b.py"
    assert lines(text) == ["python a.py A 1", "python a.py B 1", "python b.py"]


def test_functions_are_followed_with_their_arguments():
    text = 'run() {\n  local n=$1\n  python a.py --n $n "${2:-x}"\n}\nrun 3\nrun 4 y\n'
    assert lines(text) == ["python a.py --n 3 x", "python a.py --n 4 y"]


def test_a_function_that_is_called_by_its_name_alone_is_run_once_and_named():
    (found,) = commands("function mnist() {\n  uv run main.py\n}\n")
    assert (found.words, found.function) == (("uv", "run", "main.py"), "mnist")


def test_both_branches_of_a_condition():
    text = 'if [ "$1" = x ]; then\n  python a.py\nelse\n  python b.py\nfi\ncase $1 in\n  x) python c.py ;;\nesac'
    assert lines(text) == ["python a.py", "python b.py", "python c.py"]


def test_folders():
    found = commands("cd src\npython a.py\n(cd deep && python b.py)\npython c.py\ncd -\npython d.py")
    assert [command.folder for command in found] == ["src", "src/deep", "src", ""]


@pytest.mark.parametrize(
    "text", ["for", "for x in", "f() {", "((", "'", "`", "${", "done }", "while true; do", "a=(", "{" * 200, "(" * 500]
)
def test_broken_scripts_do_no_harm(text):
    assert commands(text) == ()


class TestPages:
    def words(self, text, file="README.md"):
        return [" ".join(command.words) for command in commands_in(file, text)]

    def test_fences_prompts_and_code_in_a_line(self):
        page = "Run `python a.py --x 1`.\n\n```bash\n$ python b.py --y 2 \\\n    --z 3\n```\n\n    python c.py --w 4\n"
        assert sorted(self.words(page)) == ["python a.py --x 1", "python b.py --y 2 --z 3", "python c.py --w 4"]

    def test_prose_and_python_fences_are_not_commands(self):
        assert self.words("Then run python a.py now.\n\n```python\nimport os  # python a.py\n```\n") == []

    @pytest.mark.parametrize(
        ("written", "told"),
        [
            ("--c configs/<name>", f"--c configs/{UNTOLD}"),
            ("--c {NAME}.yml --d {a} --e ${B}", f"--c {UNTOLD}.yml --d {UNTOLD} --e {UNTOLD}"),
            ("--c [path to a file]", f"--c {UNTOLD}"),
            ("--rank RANK", f"--rank {UNTOLD}"),
            ("--data data", "--data data"),
            ("--m {a,b}", "--m a"),
            ("--m [a|b]", "--m a"),
            ("[--x 1]", ""),
            ("[-h] [--config [CONFIG]] [--y]", ""),
        ],
    )
    def test_what_the_reader_is_to_fill_in(self, written, told):
        assert self.words(f"```\npython a.py {written}\n```") == [f"python a.py {told}".strip()]


def test_other_files():
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": ["!python a.py --x 1\n", "y = 2"]}]})
    assert [c.words for c in commands_in("n.ipynb", notebook)] == [("python", "a.py", "--x", "1")]
    make = "M := Net\ntrain:\n\tcd src; python a.py \\\n\t  --m $(M)\ntest:\n\t@python b.py\n"
    assert [(c.folder, c.words[1:]) for c in commands_in("Makefile", make)] == [
        ("src", ("a.py", "--m", "Net")),
        ("", ("b.py",)),
    ]
    docker = 'FROM x\nENV M=Net\nRUN python a.py --m $M\nCMD ["python", "b.py", "--x"]\n'
    assert [c.words[1:] for c in commands_in("Dockerfile", docker)] == [("a.py", "--m", "Net"), ("b.py", "--x")]
