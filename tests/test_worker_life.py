"""The worker process as the engine has it: unusable interpreters, deaths, replacements, and nothing left behind."""

import ast
import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

from host_harness import DEADLINE, ENTRY, MARK, hosting, processes, result, until
from metalens.engine import connection
from metalens.engine.environment import worker_environment
from metalens.engine.worker import CRASHES, SCRIPT, Worker, WorkerState, WorkerUnusable
from metalens.protocol.messages import Crash, Report

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="looks for processes in /proc")

LOOP = "while True: pass"


@pytest.fixture(params=["fork", "no-fork"])
async def host(request, tmp_path):
    async with hosting(request.param == "fork", tmp_path) as host:
        yield host


# ---------------------------------------------------------------- interpreters that cannot serve


async def refusal(interpreter: str, script: Path = SCRIPT) -> str:
    worker = Worker(interpreter, script=script)
    with pytest.raises(WorkerUnusable) as caught:
        await asyncio.wait_for(worker.start(), DEADLINE)
    assert worker.state is WorkerState.FAILED
    return str(caught.value)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """An interpreter without a single package, and the folder for them."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    return str(folder / "bin" / "python"), packages


@pytest.fixture
def packages(bare_python):
    """The folder of packages of `bare_python`, empty again afterwards."""
    yield bare_python[1]
    for path in sorted(bare_python[1].rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


async def test_no_interpreter():
    assert await refusal("/nowhere/python") == "There is no interpreter /nowhere/python."


async def test_an_interpreter_that_may_not_be_run(tmp_path):
    (tmp_path / "python").write_text("")
    assert await refusal(str(tmp_path / "python")) == f"{tmp_path}/python cannot be started: Permission denied."


async def test_an_interpreter_that_is_none():
    assert await refusal("/bin/false") == "/bin/false ended before it was ready: exit status 1"
    assert (await refusal("/bin/ls", Path("/nowhere"))).startswith("/bin/ls ended before it was ready: exit status 2; ")


async def test_no_torch(bare_python):
    python, version = bare_python[0], sys.version_info
    assert await refusal(python) == f"There is no torch in {python} (Python {version[0]}.{version[1]})."


async def test_old_torch(bare_python, packages):
    (packages / "torch").mkdir()
    (packages / "torch" / "__init__.py").write_text("raise SystemExit('never imported')")
    (packages / "torch-1.13.1.dist-info").mkdir()
    (packages / "torch-1.13.1.dist-info" / "METADATA").write_text("Name: torch\nVersion: 1.13.1+cpu\n")
    reason = await refusal(bare_python[0])
    assert reason.startswith("Metalens needs torch 2.1 or newer; ")
    assert reason.endswith("has torch 1.13.1+cpu.")


async def test_a_folder_named_torch_is_no_torch(bare_python, packages):
    (packages / "torch").mkdir()
    assert (await refusal(bare_python[0])).startswith("There is no torch in ")


@pytest.mark.parametrize("fork", [True, False])
async def test_broken_torch(bare_python, packages, fork):
    (packages / "torch").mkdir()
    (packages / "torch" / "__init__.py").write_text("print('importing')\nraise OSError('libgomp.so.1 is missing')")
    log = []
    worker = Worker(bare_python[0], fork=fork, on_log=log.append)
    with pytest.raises(WorkerUnusable, match=r"^torch cannot be imported: OSError: libgomp.so.1 is missing$"):
        await asyncio.wait_for(worker.start(), DEADLINE)
    assert "importing" in log


@pytest.mark.parametrize("fork", [True, False])
async def test_torch_that_kills_its_process(bare_python, packages, fork):
    (packages / "torch").mkdir()
    (packages / "torch" / "__init__.py").write_text("import os\nos.kill(os.getpid(), 11)")
    worker = Worker(bare_python[0], fork=fork)
    with pytest.raises(WorkerUnusable, match="ended before it was ready"):
        await asyncio.wait_for(worker.start(), DEADLINE)


@pytest.mark.parametrize("version", [(3, 8), (3, 6)])
def test_old_python(version):
    """An old interpreter understands the file that it is given, and says that it is too old."""
    ast.parse(SCRIPT.read_text(), feature_version=version)
    assert "__future__" not in SCRIPT.read_text()
    source = (
        f"import runpy, sys; sys.version_info = {(*version, 0)}; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, check=True).stdout
    major, minor = version
    wanted = f'"reason": "Metalens needs Python 3.9 or newer; {sys.executable} is Python {major}.{minor}."'
    assert said.startswith(b"metalens\n")
    assert wanted.encode() in said


async def test_an_unusable_worker_says_so_again_until_it_is_started_anew(host, tmp_path):
    worker = Worker("/nowhere/python")
    for _ in range(2):
        with pytest.raises(WorkerUnusable, match="There is no interpreter"):
            await worker.run(None)  # type: ignore[arg-type]


# ---------------------------------------------------------------- how it is started


def test_the_environment_is_the_users():
    server = str(Path(connection.__file__).parents[2])
    environment = {
        "PATH": "/bin",
        "PYTHONPATH": os.pathsep.join([server, "/home/user/lib", ""]),
        "PYTHONHOME": "/x",
        "PYTHONINSPECT": "1",
        "PYTHONHASHSEED": "7",
    }
    found = worker_environment(environment)
    assert any(Path(folder, "einops").is_dir() for folder in found.pop("METALENS_LENT").split(os.pathsep))
    assert found == {
        "PATH": "/bin",
        "PYTHONPATH": "/home/user/lib",
        "PYTHONHASHSEED": "7",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert "PYTHONPATH" not in worker_environment({"PYTHONPATH": server})


async def test_start_up_files_may_print(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('noise ' * 1000, flush=True)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with hosting(True, tmp_path) as host:
        assert result(await host.do("result = 1")) == "1"


async def test_states_are_told(host):
    ready = await host.worker.start()
    assert (ready.torch, ready.mode) == ("no torch", "fork" if host.fork else "standby")
    await host.do("result = 1")
    await host.worker.stop()
    starting, ready_, busy, stopped = WorkerState.STARTING, WorkerState.READY, WorkerState.BUSY, WorkerState.STOPPED
    assert host.states == [starting, ready_, busy, ready_, stopped]


async def test_it_can_be_started_again(host):
    await host.worker.start()
    await host.worker.stop()
    assert result(await host.do("result = 1")) == "1"


async def test_starting_twice_starts_one(host):
    await asyncio.gather(host.worker.start(), host.worker.start(), host.do("result = 1"))
    await host.settled()


# ---------------------------------------------------------------- deaths


async def test_a_worker_killed_in_the_middle_of_runs_is_replaced(host):
    await host.worker.start()
    await host.settled()
    tasks = [asyncio.create_task(host.do(LOOP, timeout=60.0)) for _ in range(2)]
    await until(lambda: len(host.worker._connection.pending) == 2)
    if host.fork:
        await until(lambda: len(host.processes()) == 3)
    old = set(host.processes())
    os.kill(host.leader(), signal.SIGKILL)
    for task in tasks:
        crash = await task
        assert isinstance(crash, Crash)
        assert (crash.reason, "signal 9" in crash.detail) == ("internal", True)
    assert result(await host.do("result = 1")) == "1"
    await until(lambda: not old & set(host.processes()))
    await host.settled()


async def test_guests_killed_from_outside_are_replaced(tmp_path):
    async with hosting(False, tmp_path) as host:
        for _ in range(3):
            await host.worker.start()
            await host.settled()
            leader = host.leader()
            guests = [pid for pid, parent in host.processes().items() if parent == leader]
            assert len(guests) == 2
            for guest in guests:
                os.kill(guest, signal.SIGKILL)
            await until(lambda guests=guests: not set(guests) & set(host.processes()))
            assert result(await host.do("result = 1")) == "1"


async def test_three_deaths_in_a_row_are_enough(host):
    for _ in range(CRASHES):
        task = asyncio.create_task(host.do(LOOP, timeout=60.0))
        await until(lambda: host.worker._connection is not None and host.worker._connection.pending)
        os.kill(host.leader(), signal.SIGKILL)
        assert (await task).reason == "internal"
    with pytest.raises(WorkerUnusable, match="signal 9"):
        await host.do("result = 1")
    assert host.worker.state is WorkerState.FAILED
    await host.worker.start()
    assert result(await host.do("result = 1")) == "1"


async def test_deaths_with_answers_between_them_are_not_counted(host):
    for _ in range(CRASHES + 1):
        assert isinstance(await host.do("result = 1"), Report)
        os.kill(host.leader(), signal.SIGKILL)
        await until(lambda: host.worker._connection is None)


async def test_a_stuck_worker_is_killed(host, monkeypatch):
    monkeypatch.setattr(connection, "GRACE", 0.5)
    await host.worker.start()
    os.kill(host.leader(), signal.SIGSTOP)
    crash = await host.do("result = 1", timeout=0.5)
    assert crash.reason == "internal"
    assert result(await host.do("result = 1")) == "1"


async def test_a_stuck_worker_can_be_stopped(host, monkeypatch):
    monkeypatch.setattr(connection, "STOP", 0.2)
    await host.worker.start()
    os.kill(host.leader(), signal.SIGSTOP)
    await asyncio.wait_for(host.worker.stop(), DEADLINE)
    await until(lambda: not host.processes())


async def test_stopping_answers_what_is_owed(host):
    await host.worker.start()
    task = asyncio.create_task(host.do(LOOP, timeout=60.0))
    await until(lambda: host.worker._connection.pending)
    await host.worker.stop()
    assert isinstance(await task, Crash)


async def test_noise_from_the_worker_ends_it(tmp_path):
    """A stream that is out of step is not mended."""
    script = tmp_path / "entry.py"
    script.write_text(
        ENTRY.read_text().replace("__file__", repr(str(ENTRY))).replace("return Report(run.id", "return Report('x'")
    )
    async with hosting(True, tmp_path, script=script) as host:
        crash = await host.do("result = 1")
        assert crash.reason == "internal"


async def test_a_report_that_cannot_be_read_is_the_crash_of_its_run(tmp_path):
    script = tmp_path / "entry.py"
    script.write_text(ENTRY.read_text().replace("__file__", repr(str(ENTRY))).replace("(), (), ()", "(7,), (), ()"))
    async with hosting(True, tmp_path, script=script) as host:
        crash = await host.do("result = 1")
        assert (crash.reason, "The report cannot be read" in crash.detail) == ("internal", True)
        leader = host.leader()
        await host.do("result = 1")
        assert host.leader() == leader


# ---------------------------------------------------------------- nothing is left behind


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.parametrize("source", [LOOP, "sum(range(10**12))"])
async def test_a_server_that_is_killed_leaves_nothing(tmp_path, fork, source):
    mark = f"orphan-{tmp_path.name}"
    server = f"""
        import asyncio, sys
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(connection.__file__).parents[2])]!r}
        from pathlib import Path
        from host_harness import Host, until
        async def main():
            host = Host({fork}, Path({str(tmp_path)!r}))
            await host.worker.start()
            task = asyncio.create_task(host.do({source!r}, timeout=1000.0))
            await until(lambda: host.worker._connection.pending)
            print("busy", flush=True)
            await task
        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(server), stdout=subprocess.PIPE, env={**os.environ, MARK: mark}
    )
    assert await asyncio.wait_for(process.stdout.readline(), DEADLINE) == b"busy\n"
    await until(lambda: len(processes(mark)) == (3 if fork else 4))
    process.kill()
    await process.wait()
    await until(lambda: not processes(mark))


async def test_what_forks_were_started_past_python_are_killed(tmp_path):
    """Where nothing refuses to fork, the group of the run still ends with it."""
    script = tmp_path / "entry.py"
    unlocked = "from metalens.worker.host.containment import Room\nRoom.enter = lambda *a: None\n"
    script.write_text(
        ENTRY.read_text().replace("__file__", repr(str(ENTRY))).replace("def perform", unlocked + "\n\ndef perform")
    )
    async with hosting(True, tmp_path, script=script) as host:
        fork = "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\nresult = 1"
        assert result(await host.do(fork)) == "1"
        await host.settled()
        assert isinstance(await host.do(fork.replace("result = 1", "os._exit(3)"), timeout=1.0), Crash)
        await host.settled()
