"""From a script to the command lines with which it is meant to run."""

from __future__ import annotations

import json
import shlex

import pytest

from metalens.resolve.commands import CommandLine, Wanted, lines_of
from metalens.resolve.imports import imports_of
from metalens.resolve.index import View
from trees import tree

PARSER = "import argparse\nparser = argparse.ArgumentParser()\n{}\nargs = parser.parse_args()\n"
NOBODY = Wanted(())


def parser(*arguments, after=""):
    return PARSER.format("\n".join(f"parser.add_argument({item})" for item in arguments)) + after


def found(workspace, script="train.py", wanted=NOBODY):
    view = View(workspace)
    file = str(workspace.root / script)
    return lines_of(view, file, imports_of(view, file).files, wanted)


def lines(workspace, script="train.py", wanted=NOBODY):
    return [" ".join(line.arguments) for line in found(workspace, script, wanted).lines]


def test_a_script_without_options_runs_as_it_is(tmp_path):
    workspace = tree(tmp_path, {"train.py": "import torch\n", "README.md": "```\npython other.py --x 1\n```\n"})
    assert found(workspace).lines == (CommandLine(),)


class TestWrittenDown:
    @pytest.mark.parametrize(
        "command",
        [
            "python train.py --x 1",
            "python3 -u ./train.py --x 1",
            "CUDA_VISIBLE_DEVICES=0,1 python train.py --x 1",
            "python -m train --x 1",
            "torchrun --nproc_per_node 4 train.py --x 1",
            "python -m torch.distributed.launch --nproc_per_node=8 --use_env train.py --x 1",
            "accelerate launch --config_file a.yaml train.py --x 1",
            "uv run train.py --x 1",
            "./train.py --x 1",
            "python $HOME/repo/train.py --x 1",
            "cd repo && python train.py --x 1",
        ],
    )
    def test_ways_to_start(self, tmp_path, command):
        workspace = tree(tmp_path, {"train.py": "", "run.sh": command})
        assert lines(workspace) == ["--x 1", ""]

    @pytest.mark.parametrize(
        "command", ["python test.py --x 1", "cat train.py x", "python train.py --help", "vim train.py"]
    )
    def test_other_commands(self, tmp_path, command):
        assert lines(tree(tmp_path, {"train.py": "", "run.sh": command})) == [""]

    @pytest.mark.parametrize("name", ["run.sh", "README.md", "docs/use.md", "Makefile", "Dockerfile", "job.slurm"])
    def test_places(self, tmp_path, name):
        text = {"Makefile": "x:\n\tpython train.py --x 1\n", "Dockerfile": "RUN python train.py --x 1\n"}
        text = text.get(
            name, "```sh\npython train.py --x 1\n```\n" if name.endswith(".md") else "python train.py --x 1"
        )
        assert lines(tree(tmp_path, {"train.py": "", name: text})) == ["--x 1", ""]

    def test_the_launch_configuration_comes_first(self, tmp_path):
        launch = {"configurations": [{"program": "${workspaceFolder}/train.py", "args": ["--x", "0"]}]}
        files = {"train.py": "", "run.sh": "python train.py --x 1", ".vscode/launch.json": json.dumps(launch)}
        assert lines(tree(tmp_path, files)) == ["--x 0", "--x 1", ""]

    def test_scripts_of_the_same_name_are_told_apart(self, tmp_path):
        files = {
            "a/train.py": "",
            "b/train.py": "",
            "run.sh": "cd b\npython train.py --x 1",
            "a/README.md": "`python train.py --x 2`",
        }
        workspace = tree(tmp_path, files)
        assert lines(workspace, "a/train.py") == ["--x 2", ""]
        assert lines(workspace, "b/train.py") == ["--x 1", ""]

    def test_a_function_named_as_a_folder_runs_there(self, tmp_path):
        files = {"a/main.py": "", "b/main.py": "", "all.sh": "function b() {\n  python main.py --x 1\n}\n"}
        workspace = tree(tmp_path, files)
        assert (lines(workspace, "a/main.py"), lines(workspace, "b/main.py")) == ([""], ["--x 1", ""])

    def test_files_named_from_another_folder_are_found_from_the_root(self, tmp_path):
        files = {
            "src/train.py": "",
            "src/c.yaml": "",
            "run.sh": "cd src && python train.py --c c.yaml --d=c.yaml --e none.yaml",
        }
        path = tmp_path / "src" / "c.yaml"
        assert lines(tree(tmp_path, files), "src/train.py") == [f"--c {path} --d={path} --e none.yaml", ""]

    def test_what_is_not_told_is_left_out(self, tmp_path):
        text = parser("'--a'", "'--flag', action='store_true'")
        workspace = tree(tmp_path, {"train.py": text, "run.sh": "python train.py --flag $X --a $Y --b 1 $Z/c"})
        assert lines(workspace)[0] == "--flag --b 1" or lines(workspace)[0] == "--flag"

    def test_what_the_parser_insists_on_is_made_up(self, tmp_path):
        text = parser("'data'", "'--out', required=True", "'--kind', required=True", "'--seed'")
        script = "python train.py $DATA --out $OUT/x --kind $KIND --seed $SEED --x"
        assert lines(tree(tmp_path, {"train.py": text, "run.sh": script}))[0] == "data --out out --x"

    def test_what_chooses_the_wanted_class_comes_first(self, tmp_path):
        script = "".join(
            f"python train.py --model {name} --data {data}\n" for data in "xy" for name in ("Net_A", "NetB")
        )
        workspace = tree(tmp_path, {"train.py": parser("'--model'", "'--data'"), "run.sh": script})
        own = ["--model NetB --data x", "--model NetB --data y", ""]
        assert lines(workspace, wanted=Wanted(("NetB",))) == own
        leading = Wanted(("Other",), frozenset({"net-a"}))
        assert lines(workspace, wanted=leading) == ["--model Net_A --data x", "--model Net_A --data y", ""]

    def test_the_name_of_an_option_is_no_choice(self, tmp_path):
        script = "python train.py --model other --data x\npython train.py --model net --data y\n"
        workspace = tree(tmp_path, {"train.py": parser("'--model'", "'--data'"), "run.sh": script})
        assert lines(workspace, wanted=Wanted(("net", "Model")))[0] == "--model net --data y"

    @pytest.mark.parametrize("missing", ["a", "b"])
    def test_a_line_that_takes_another_branch_of_the_file_is_needed(self, tmp_path, missing):
        branches = "def forward(self, x):\n" + "".join(
            f"    if self.task == '{task}':\n        pass\n" for task in "abc" if task != missing
        )
        script = "".join(
            f"python train.py --model net --task {task} --seed {seed}\n" for task in "abc" for seed in "12"
        )
        files = {"train.py": parser("'--model'", "'--task'", "'--seed'"), "run.sh": script, "net.py": branches}
        result = found(tree(tmp_path, files), wanted=Wanted(("net",), file=str(tmp_path / "net.py"))).lines
        first = next(task for task in "abc" if task in result[0].arguments)
        needed = [line for line in result if line.needed]
        assert {line.arguments[3] for line in needed} == {"a", "b", "c"} - {missing, first}
        assert list(result[1 : 1 + len(needed)]) == needed

    def test_a_configuration_that_speaks_of_the_wanted_class(self, tmp_path):
        files = {
            "train.py": parser("'--config'"),
            "one.yaml": "model: NetA\n",
            "two.yaml": "model: NetB\n",
            "run.sh": "python train.py --config one.yaml\npython train.py --config two.yaml",
        }
        result = found(tree(tmp_path, files), wanted=Wanted(("NetB",)))
        assert result.lines[0] == CommandLine(("--config", "two.yaml"))
        assert str(tmp_path / "two.yaml") in result.files

    def test_there_are_never_too_many(self, tmp_path):
        script = "\n".join(f"python train.py --model m{number}" for number in range(50))
        assert len(lines(tree(tmp_path, {"train.py": parser("'--model'"), "run.sh": script}))) <= 12

    def test_a_new_script_is_seen(self, tmp_path):
        workspace = tree(tmp_path, {"train.py": ""})
        assert lines(workspace) == [""]
        (tmp_path / "run.sh").write_text("python train.py --x 1")
        assert lines(workspace) == ["--x 1", ""]
        (tmp_path / "run.sh").write_text("python train.py --x 22")
        assert lines(workspace) == ["--x 22", ""]


class TestLeftOpen:
    def assumed(self, tmp_path, text, wanted=NOBODY, **files):
        workspace = tree(
            tmp_path, {"train.py": text, **{name.replace("__", "."): item for name, item in files.items()}}
        )
        result = found(workspace, wanted=wanted).lines
        assert all(line.assumed or line.alike for line in result if line.arguments)
        return [shlex.join(line.arguments) for line in result]

    def test_choices(self, tmp_path):
        assert self.assumed(tmp_path, parser("'-m', '--model', choices=['a', 'b', 'c'], default='b'")) == [
            "",
            "--model a",
            "--model c",
        ]

    @pytest.mark.parametrize(
        ("code", "values"),
        [
            ("if args.kind == 'x': pass\nelif 'y' == args.kind: pass\n", ["x", "y"]),
            ("def f(opt):\n    return opt.kind in ['x', 'y']\n", ["x", "y"]),
            ("D = {'x': 1, 'y': 2}\nd = D[args.kind]\n", ["x", "y"]),
            ("d = {'x': 1, 'y': 2}.get(args.kind.lower())\n", ["x", "y"]),
            ("kind = args.kind\nassert kind != 'x'\n", ["x"]),
            ("match args.kind:\n    case 'x': pass\n    case 'y' | 'z': pass\n", ["x", "y", "z"]),
            ("if args.other == 'x': pass\n", []),
        ],
    )
    def test_literals_that_it_is_compared_with(self, tmp_path, code, values):
        assert self.assumed(tmp_path, parser("'--kind', default='w'", after=code)) == [
            "",
            *(f"--kind {value}" for value in values),
        ]

    def test_literals_in_an_imported_module(self, tmp_path):
        text = "import model\n" + parser("'--kind', default='w'")
        assert self.assumed(tmp_path, text, model__py="def make(args):\n    if args.kind == 'x': pass\n") == [
            "",
            "--kind x",
        ]

    def test_a_parser_in_an_imported_module(self, tmp_path):
        assert self.assumed(tmp_path, "import options\n", options__py=parser("'--m', choices='ab', default='a'")) == [
            ""
        ]
        assert self.assumed(tmp_path, "import options\n", options__py=parser("'--m', choices=['a', 'b']")) == [
            "",
            "--m a",
            "--m b",
        ]

    def test_numbers_are_not_swept(self, tmp_path):
        assert self.assumed(tmp_path, parser("'--n', type=int, default=3", after="if args.n == 4: pass\n")) == [""]

    def test_what_is_required_gets_its_first_value(self, tmp_path):
        options = ["'--data', required=True", "'--n', type=int, required=True", "'--model', default='a'"]
        code = "if args.data == 'x': pass\nif args.data == 'y': pass\n"
        assert self.assumed(tmp_path, parser(*options, after=code)) == ["--data x", "--data y"]

    def test_positional_arguments_and_commands(self, tmp_path):
        assert self.assumed(tmp_path, parser("'mode', choices=['train', 'test']")) == ["train", "test"]
        assert self.assumed(tmp_path, "s = p.add_subparsers()\ns.add_parser('fit')\ns.add_parser('eval')\n") == [
            "fit",
            "eval",
        ]

    @pytest.mark.parametrize(
        ("options", "alike"),
        [
            (["'-net', required=True"], True),
            (["'-net', choices=['small', 'large'], required=True"], True),
            (["'-net', default='small'"], False),
            (["'-net', required=True, default='small'"], False),
            (["'-net', required=True", "'--size', type=int, required=True"], False),
        ],
    )
    def test_what_everybody_has_to_choose(self, tmp_path, options, alike):
        code = "if args.net == 'small':\n    m = Small()\nelif args.net == 'large':\n    m = Large()\n"
        result = found(tree(tmp_path, {"train.py": parser(*options, after=code)}), wanted=Wanted(("Large",)))
        line = next(line for line in result.lines if "large" in line.arguments)
        assert (line.assumed, line.alike) == (not alike, alike)

    def test_the_branch_that_speaks_of_the_wanted_class_comes_first(self, tmp_path):
        code = "if args.kind == 'x':\n    m = NetX()\nelif args.kind == 'y':\n    m = NetY()\n"
        code += "if args.big:\n    m = NetZ(m)\n"
        text = parser(
            "'--kind', default='x'", "'--mode', choices=['p', 'q']", "'--big', action='store_true'", after=code
        )
        assert self.assumed(tmp_path, text, Wanted(("NetY",)))[:2] == ["", "--kind y"]
        assert self.assumed(tmp_path, text, Wanted(("NetZ",)))[:2] == ["", "--big"]
        assert "--big" not in self.assumed(tmp_path, text)

    def test_a_name_that_is_looked_up(self, tmp_path):
        text = parser("'--arch', default='small'", after="model = getattr(nets, args.arch)()\n")
        assert self.assumed(tmp_path, text, Wanted(("Big",))) == ["", "--arch Big"]

    def test_names_of_functions_where_the_allowed_ones_are_computed(self, tmp_path):
        text = parser(
            "'--arch', default='net_a', choices=sorted(dir(nets))", after="model = getattr(nets, args.arch)()\n"
        )
        leading = frozenset({"net_a", "net_b_wide", "_net_b", "train", "make_b"})
        wanted = Wanted(("net_b", "NetB"), leading=leading)
        assert self.assumed(tmp_path, text, wanted) == ["", "--arch net_b_wide"]

    @pytest.mark.parametrize(
        ("place", "ending"),
        [
            ("os.path.join('conf', args.config)", ".yml"),
            ("os.path.join('conf', args.config + '.yml')", ""),
            ("os.path.join('conf', f'{args.config}.yml')", ""),
            ("f'conf/{args.config}.yml'", ""),
            ("'conf/' + args.config", ".yml"),
            ("'conf/' + args.config + '.yml'", ""),
        ],
    )
    def test_configurations_in_the_folder_in_which_they_are_looked_for(self, tmp_path, place, ending):
        text = parser("'--config', required=True", after=f"read({place})\n")
        workspace = tree(tmp_path, {"train.py": text, "conf/a.yml": "x: 1\n", "conf/b.yml": "x: 2\n", "c.yml": ""})
        assert lines(workspace) == [f"--config a{ending}", f"--config b{ending}"]

    def test_a_folder_in_which_there_are_none_hides_no_others(self, tmp_path):
        text = parser("'--config', required=True", after="write(os.path.join('logs', args.config))\n")
        workspace = tree(tmp_path, {"train.py": text, "conf/a.yml": "x: 1\n"})
        assert lines(workspace) == ["--config conf/a.yml"]

    def test_a_configuration_whose_folder_the_program_knows(self, tmp_path):
        files = {
            "train.py": parser("'--config'"),
            "some/conf/a.yml": "name: Net\n",
            "run.sh": "python train.py --config a.yml",
        }
        result = found(tree(tmp_path, files), wanted=Wanted(("Net",), classes=frozenset({"Net"})))
        assert result.files == (str(tmp_path / "some/conf/a.yml"),)

    def test_configurations_beside_the_default(self, tmp_path):
        files = {f"conf/{name}.yaml": f"model: {name}\n" for name in ("a", "b", "Net")} | {"conf/x.json": "{}"}
        workspace = tree(tmp_path, {"train.py": parser("'--cfg', default='conf/a.yaml'"), **files})
        result = found(workspace, wanted=Wanted(("Net",)))
        assert [line.arguments for line in result.lines] == [(), ("--cfg", "conf/Net.yaml"), ("--cfg", "conf/b.yaml")]
        assert {str(tmp_path / name) for name in files if name.endswith("yaml")} == set(result.files)

    @pytest.mark.parametrize(
        ("entry", "assumed"),
        [("name: Net", False), ("name: 'nets.Net'  # ours", False), ('"name": "Net",', False), ("# Net", True)],
    )
    @pytest.mark.parametrize("base", ["'--cfg', default='conf/a.yaml'", "'--cfg'"])
    def test_a_configuration_that_gives_the_class_as_a_value_was_written_for_it(self, tmp_path, entry, assumed, base):
        files = {"conf/a.yaml": "name: Other\n", "conf/b.yaml": f"model:\n  {entry}\n"}
        wanted = Wanted(("Net",), classes=frozenset({"Net"}))
        result = found(tree(tmp_path, {"train.py": parser(base), **files}), wanted=wanted)
        line = next(line for line in result.lines if "conf/b.yaml" in line.arguments)
        assert line.assumed == assumed

    @pytest.mark.parametrize(
        ("text", "alike"),
        [('{"kind": "2", "width": 9}', True), ('{"kind": "2"}', False), ('{"depth": 2, "width": 9}', False)],
    )
    @pytest.mark.parametrize("base", ["'--config', default=''", "'--config', default='v1.json'", "'setup'"])
    def test_a_configuration_with_the_entries_of_one_that_is_used(self, tmp_path, text, alike, base):
        files = {"v1.json": '{"kind": "1", "width": 8}', "v2.json": text}
        flag = "--config " if "--config" in base else ""
        workspace = tree(tmp_path, {"train.py": parser(base), **files, "run.sh": f"python train.py {flag}v1.json"})
        line = next(line for line in found(workspace).lines if "v2.json" in line.arguments)
        assert (line.assumed, line.alike) == (not alike, alike)

    def test_folders_with_a_configuration_each(self, tmp_path):
        names = ("lenet", "wide", "deep")
        files = {f"runs/{name}/config.yaml": f"arch: {name}\nclasses: 10\n" for name in names}
        others = {"runs/old/notes.txt": "", "run.sh": "python train.py -w runs/lenet/ --resume"}
        workspace = tree(tmp_path, {"train.py": parser("'-w', '--work', required=True"), **files, **others})
        result = found(workspace, wanted=Wanted(("Deep",), leading=frozenset({"deep"})))
        assert result.lines[:2] == (
            CommandLine(("-w", "runs/lenet/", "--resume")),
            CommandLine(("--work", "runs/deep", "--resume"), alike=True),
        )
        assert [line for line in result.lines if "runs/lenet" in line.arguments] == []
        assert {str(tmp_path / name) for name in files} <= set(result.files)

    def test_a_command_line_that_is_written_down_is_what_choices_are_made_in(self, tmp_path):
        text = parser("'--data', required=True", "'--m', choices=['a', 'b', 'c']")
        workspace = tree(tmp_path, {"train.py": text, "run.sh": "python train.py --data d --m b"})
        assert found(workspace).lines == (
            CommandLine(("--data", "d", "--m", "b")),
            CommandLine(("--data", "d", "--m", "a"), assumed=True),
            CommandLine(("--data", "d", "--m", "c"), assumed=True),
        )

    def test_click(self, tmp_path):
        option = "@click.option('--m', type=click.Choice(['a', 'b']), default='a')"
        text = f"import click\n@click.command()\n{option}\ndef main(m): pass\n"
        assert self.assumed(tmp_path, text) == ["", "--m b"]

    def test_half_typed_text(self, tmp_path):
        assert self.assumed(tmp_path, parser("'--m', choices=['a', 'b']") + "if args.m == \n") == ["", "--m a", "--m b"]


def test_a_shell_script_that_a_page_calls_with_arguments(tmp_path):
    files = {
        "train.py": parser("'--x'", "'--y'"),
        "scripts/train.sh": "data=$1\nshift\ncp scripts/train.sh copy.sh\npython train.py --x=${data}_$1 ${@:2}\n",
        "README.md": "Use `sh scripts/train.sh {*data*} {*size*}`:\n\n```\nsh scripts/train.sh cifar 10 --y 2\n```\n",
    }
    assert lines(tree(tmp_path, files)) == ["--x=cifar_10 --y 2", ""]


def test_who_trains_comes_first(tmp_path):
    commands = "python main.py --mode sample --n 1\npython main.py --mode train --n 2\n"
    text = parser("'--mode', required=True", "'--n', type=int")
    assert lines(tree(tmp_path, {"main.py": text, "run.sh": commands}), "main.py")[0] == "--mode train --n 2"


@pytest.mark.parametrize(
    ("default", "other"), [("Hopper-v2", "--env CartPole-v1"), ("CartPole-v0", "--env Pendulum-v1")]
)
def test_an_environment_has_those_of_the_other_kind_beside_it(tmp_path, default, other):
    text = parser(f"'--env', default='{default}'", after="make(args.env)\n")
    assert {line.assumed for line in found(tree(tmp_path, {"train.py": text})).lines[1:]} == {True}
    assert other in lines(tree(tmp_path, {"train.py": text}))


def test_an_option_that_says_in_its_help_what_it_takes(tmp_path):
    files = {
        "train.py": parser("'-opt', required=True, help='Path to option YAML file.'", after="load(args.opt)\n"),
        "options/small/a.yml": "net:\n  type: Small\n",
        "options/wide/b.yml": "net:\n  type: Wide\n",
    }
    wanted = Wanted(("nets", "Wide"), frozenset(), frozenset({"Wide"}))
    assert found(tree(tmp_path, files), wanted=wanted).lines[0] == CommandLine(("-opt", "options/wide/b.yml"))
