"""User code that misbehaves ends in a clear status, and the next run is answered as if nothing had been."""

import asyncio
import re

import pytest

from host_harness import error, hosting, result, until
from metalens.engine.worker import WorkerState
from metalens.protocol.codec import encode
from metalens.protocol.messages import Crash, Report

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="looks for processes in /proc")

FORGED = encode(Report(2, (), (), (), problems={"result": "forged"}))

# What the code does, and the reason of the crash (or the reasons, where Pythons and machines differ).
CRASHES = {
    "sys.exit": ("import sys; sys.exit(3)", "exit"),
    "sys.exit in a function": ("def main():\n    raise SystemExit('done')\nmain()", "exit"),
    "os._exit": ("import os; os._exit(0)", "exit"),
    "os._exit with prints": ("import os; print('bye', flush=True); os._exit(7)", "exit"),
    "abort": ("import os; os.abort()", "signal"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "signal"),
    "SIGTERM to itself": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "signal"),
    "alarm": ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\nwhile True: pass", "signal"),
    "stops itself": ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
    "loop": ("while True: pass", "timeout"),
    "loop that catches all": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "timeout",
    ),
    "loop in C": ("sum(range(10**12))", "timeout"),
    "loop of an iterator": ("import collections, itertools\ncollections.deque(itertools.count(), maxlen=0)", "timeout"),
    "regular expression": ("import re; re.match(r'(a+)+$', 'a' * 60 + 'b')", "timeout"),
    "big number": ("10 ** 10 ** 9", "timeout or memory"),
    "sleeps": ("import time; time.sleep(1000)", "timeout"),
    "prints without end": ("while True: print('x' * 1000)", "timeout"),
    "100 GB at once": ("x = bytearray(100 << 30)", "memory"),
    "100 GB by and by": ("x = []\nwhile True: x.append(bytearray(10 << 20))", "memory"),
    "100 GB in small pieces": ("x = []\nwhile True: x.append([x])", "memory or timeout"),
    "endless recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
        # Where memory ends first, Python may lose the error itself.
        "signal or memory or timeout or SystemError",
    ),
    "interrupt": ("raise KeyboardInterrupt", "internal"),
    "closes all descriptors": ("import os; os.closerange(0, 5000)", "exit"),
    "writes to all descriptors": (
        "import os\nfor fd in range(3, 5000):\n    try: os.write(fd, b'x' * 100)\n    except OSError: pass",
        "internal",
    ),
    "forges an answer": (
        f"import os\nfor fd in range(3, 5000):\n    try: os.write(fd, {FORGED!r})\n    except OSError: pass",
        "internal",
    ),
}

# What the code does, and its result or error.
REPORTS = {
    "raises": ("raise ValueError('no')", "ValueError: no"),
    "does not parse": ("def", "SyntaxError: .*"),
    "recursion": ("def f(): return f()\nf()", "RecursionError: .*"),
    "reads input": ("input()", "EOFError: .*"),
    "reads descriptor 0": ("import os; result = os.read(0, 10)", "b''"),
    "writes to low descriptors": (
        f"import os\nfor fd in range(3, 200):\n    try: os.write(fd, {FORGED!r})\n    except OSError: pass\nresult = 1",
        "1",
    ),
    "closes low descriptors": ("import os; os.closerange(3, 200); result = 1", "1"),
    "closes descriptors as daemons do": (
        "import os, resource\nos.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])\nresult = 1",
        "1",
    ),
    "closes its streams": ("import sys, os\nsys.stdout.close()\nos.close(2)\nresult = 1", "1"),
    "loses its streams": ("import sys; sys.stdout = sys.stderr = None; result = 1", "1"),
    "empties sys.modules": ("import sys; sys.modules.clear(); result = 1", "1"),
    "changes the folder": ("import os; os.chdir('/'); result = os.getcwd()", "'/'"),
    "leaves a trace function": ("import sys; sys.settrace(lambda *a: None); result = 1", "1"),
    "leaves a thread": ("import threading; threading.Thread(target=input).start(); result = 1", "1"),
    "leaves a busy thread": (
        "import threading\ndef spin():\n    while True: pass\n"
        "threading.Thread(target=spin).start()\nthreading.Thread(target=spin, daemon=True).start()\nresult = 1",
        "1",
    ),
    "patches builtins": ("import builtins; builtins.len = None; result = 1", "1"),
    "ignores signals": (
        "import signal\nfor number in range(1, 32):\n    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except OSError: pass\nresult = 1",
        "1",
    ),
    "registers an exit handler": ("import atexit, time; atexit.register(time.sleep, 1000); result = 1", "1"),
    "starts an event loop": ("import asyncio; result = asyncio.run(asyncio.sleep(0, 'slept'))", "'slept'"),
}


@pytest.fixture(params=["fork", "no-fork"])
async def host(request, tmp_path):
    async with hosting(request.param == "fork", tmp_path) as host:
        yield host


async def check_undisturbed(host):
    assert result(await host.do("result = len('next')")) == "4"
    await host.settled()


@pytest.mark.parametrize("name", CRASHES)
async def test_a_run_that_ends_badly(host, name):
    source, reasons = CRASHES[name]
    crash = await host.do(source, timeout=0.5 if "timeout" in reasons else 10.0, memory=300)
    if isinstance(crash, Crash):
        assert crash.reason in reasons.split(" or "), crash
        assert crash.detail.endswith(".") or crash.reason == "internal"
    else:
        assert crash.problems["error"].partition(":")[0] in reasons.split(" or "), crash
    await check_undisturbed(host)


@pytest.mark.parametrize("name", REPORTS)
async def test_a_run_that_misbehaves_and_ends(host, name):
    source, expected = REPORTS[name]
    report = await host.do(source)
    assert isinstance(report, Report), report
    assert re.fullmatch(expected, error(report) or result(report), re.DOTALL), report
    await check_undisturbed(host)


async def test_what_was_printed_is_told(host):
    report = await host.do("import os, sys\nprint('one')\nprint('two', file=sys.stderr)\nos.write(1, b'three\\n')")
    assert sorted(report.output.split()) == ["one", "three", "two"]
    assert (await host.do("result = 1")).output == ""


async def test_only_the_end_of_much_output_is_told(host):
    report = await host.do("for number in range(200_000): print(number)")
    assert report.output.endswith("199998\n199999\n")
    assert 10_000 < len(report.output) <= 16 * 1024


async def test_output_of_any_bytes_is_told(host):
    report = await host.do("import os\nos.write(1, bytes(range(256)))\nprint('\\ud800 \U0001f525')")
    assert report.output.endswith("\U0001f525\n")


async def test_what_a_crashed_run_printed_is_told(host):
    crash = await host.do("print('last words')\nwhile True: pass", timeout=1.0)
    assert (crash.reason, crash.output) == ("timeout", "last words\n")
    crash = await host.do("print('last words')\nimport os; os._exit(1)")
    assert (crash.reason, crash.output) == ("exit", "last words\n")


async def test_a_large_report_comes_whole(host):
    assert len(result(await host.do("result = 'x' * (20 << 20)"))) == (20 << 20) + 2


async def test_nothing_of_a_run_is_met_by_the_next(host):
    (host.root / "helper.py").write_text("value = 1")
    await host.do(
        "import os, sys, warnings\n"
        f"sys.path.insert(0, {str(host.root)!r})\n"
        "import helper\n"
        "os.environ['LEFT'] = '1'; del os.environ['PATH']\n"
        "sys.argv[:] = ['left']; sys.meta_path.insert(0, object()); sys.setrecursionlimit(77)\n"
        "os.chdir('/'); warnings.simplefilter('error')\n"
        "sys.stdout = open(os.devnull, 'w')\n"
    )
    (host.root / "helper.py").write_text("value = 'new'")
    seen = await host.do(
        "import os, sys, warnings\n"
        "print('heard')\n"
        "warnings.warn('harmless', UserWarning)\n"
        "before = 'helper' in sys.modules, 'LEFT' in os.environ, 'PATH' in os.environ, sys.argv == ['left']\n"
        f"sys.path.insert(0, {str(host.root)!r})\n"
        "import helper\n"
        "result = before, sys.getrecursionlimit() == 77, helper.value, os.getcwd()\n"
    )
    assert result(seen) == repr(((False, False, True, False), False, "new", str(host.root)))
    assert "heard" in seen.output
    assert not list(host.root.rglob("*.pyc"))


async def test_runs_asked_for_at_once_are_all_answered(host):
    answers = await asyncio.gather(*(host.do(f"result = {number}") for number in range(20)))
    assert [result(answer) for answer in answers] == [str(number) for number in range(20)]
    await host.settled()


async def test_forked_runs_do_not_wait_for_each_other(tmp_path):
    async with hosting(True, tmp_path) as host:
        slow = asyncio.create_task(host.do("while True: pass", timeout=3.0))
        assert result(await host.do("result = 1")) == "1"
        assert not slow.done()
        assert (await slow).reason == "timeout"


async def test_a_run_can_be_cancelled(host):
    await host.worker.start()
    tasks = [asyncio.create_task(host.do("while True: pass", timeout=60.0)) for _ in range(2)]
    await until(lambda: len(host.worker._connection.pending) == 2)
    for id in sorted(host.worker._connection.pending, reverse=True):
        await host.worker.cancel(id)
    assert [(await task).reason for task in tasks] == ["cancelled", "cancelled"]
    await host.worker.cancel(99999)
    await check_undisturbed(host)


async def test_abandoning_a_run_ends_it(host):
    await host.worker.start()
    await host.settled()
    task = asyncio.create_task(host.do("while True: pass", timeout=60.0))
    await until(lambda: host.worker.state is WorkerState.BUSY)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await check_undisturbed(host)


async def test_more_memory_can_be_asked_for_later(host):
    source = "result = len(bytearray(400 << 20))"
    assert (await host.do(source, memory=200)).reason == "memory"
    assert result(await host.do(source, memory=900)) == str(400 << 20)
