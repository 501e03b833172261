"""The command line: `metalens check`, `summary`, `explain`, `server`, `version`."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from metalens import __version__
from metalens.cli.check import CheckOptions, check
from metalens.cli.explain import ExplainOptions, NoSuchRule, explain
from metalens.cli.paths import BadPath
from metalens.cli.session import Choice
from metalens.cli.summary import SummaryOptions, summary
from metalens.engine.worker import WorkerUnusable
from metalens.workspace.interpreters import NoInterpreter
from metalens.workspace.settings import LEVELS, read_rules

CLEAN, FINDINGS, BROKEN, NO_TORCH = 0, 1, 2, 3
INTERRUPTED = 130

_Raw = argparse.RawDescriptionHelpFormatter

EXIT_CODES = """\
exit codes:
  0  nothing is wrong
  1  there are errors or warnings
  2  the command line is wrong, or metalens itself failed
  3  there is no usable interpreter, or it has no usable torch
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and give its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (BadPath, NoSuchRule) as problem:
        return _complain(str(problem), BROKEN)
    except (NoInterpreter, WorkerUnusable) as problem:
        return _complain(str(problem), NO_TORCH)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left; what is still buffered must not raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLEAN
    except Exception:  # noqa: BLE001 (the outermost border: whatever failed is ours, and must not look like a finding)
        traceback.print_exc()
        return _complain("internal error; this is a defect of metalens, not of your code", BROKEN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="metalens",
        description="Shapes of PyTorch models, before anything runs.",
        epilog=EXIT_CODES,
        formatter_class=_Raw,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_check(commands.add_parser("check", help="check files and folders", epilog=EXIT_CODES, formatter_class=_Raw))
    _add_summary(commands.add_parser("summary", help="show the layers of a class as a table"))
    _add_explain(commands.add_parser("explain", help="tell what a rule means, or list them all"))
    server = commands.add_parser("server", help="run the language server on standard input and output")
    server.set_defaults(command=_server)
    version = commands.add_parser("version", help="show the version")
    version.set_defaults(command=_version)
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", metavar="PATH", nargs="*", default=["."], help="files or folders (default: .)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--rule", metavar="RULE=LEVEL", action="append", type=_level, default=[], help=f"LEVEL is {LEVELS}; repeatable"
    )
    mending = parser.add_mutually_exclusive_group()
    mending.add_argument("--fix", action="store_true", help="apply the best fix of each mistake, until nothing changes")
    mending.add_argument("--diff", action="store_true", help="show what --fix would change, and change nothing")
    _add_choice(parser)
    parser.set_defaults(command=lambda given: check(_checking(given)))


def _checking(given: argparse.Namespace) -> CheckOptions:
    return CheckOptions(given.paths, given.format, dict(given.rule), given.fix, given.diff, _choice(given))


def _level(given: str) -> tuple[str, str]:
    rule, _, level = given.partition("=")
    levels, wrong = read_rules({rule: level})
    for _, message in wrong:
        raise argparse.ArgumentTypeError(message)
    return rule, levels[rule]


def _add_summary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FILE:CLASS", help="as in net.py:Net; net.py alone shows all of its classes")
    _add_choice(parser)
    parser.set_defaults(command=lambda given: summary(SummaryOptions(given.target, _choice(given))))


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", metavar="RULE", nargs="?", default="", help="as in linear-in-features")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.set_defaults(command=lambda given: explain(ExplainOptions(given.rule, given.format)))


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--python", default="", metavar="PATH", help="the interpreter whose torch is used")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the log on standard error")
    parser.add_argument("--no-fork", action="store_true", help="run models in two lasting processes, without fork")


def _choice(given: argparse.Namespace) -> Choice:
    level = logging.DEBUG if given.verbose else logging.CRITICAL
    logging.basicConfig(level=level, format="%(name)s: %(message)s")
    return Choice(given.python, not given.no_fork)


def _server(_: argparse.Namespace) -> int:
    from metalens.lsp.server import serve  # noqa: PLC0415 (only this command needs pygls)

    serve()
    return CLEAN


def _version(_: argparse.Namespace) -> int:
    sys.stdout.write(f"metalens {__version__}\n")
    return CLEAN


def _complain(problem: str, code: int) -> int:
    sys.stderr.write(f"metalens: {problem}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
