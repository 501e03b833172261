"""Attempts to get out of the locked room: through Python, through the kernel, and with single layers alone."""

import os
import platform
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from host_harness import error, hosting, result
from metalens.worker.host import containment, landlock, seccomp

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="tries what Linux forbids")
needs_kernel = pytest.mark.skipif(
    not (seccomp.available() and landlock.version()), reason="the kernel has no Landlock or no filters"
)

# Python code that must raise PermissionError; `file`, `folder` and `port` are given.
ATTEMPTS = {
    "write a new file": "open('new', 'w')",
    "write a file": "open(file, 'w')",
    "append to a file": "open(file, 'a')",
    "update a file": "open(file, 'r+')",
    "create a file": "open('new', 'x')",
    "create by descriptor": "os.open('new', os.O_CREAT | os.O_WRONLY)",
    "write with pathlib": "pathlib.Path(file).write_text('broken')",
    "truncate": "os.truncate(file, 0)",
    "remove": "os.remove(file)",
    "unlink": "pathlib.Path(file).unlink()",
    "rename": "os.rename(file, file + '2')",
    "replace": "os.replace(file, file + '2')",
    "copy": "shutil.copy(file, file + '2')",
    "move": "shutil.move(file, file + '2')",
    "remove a tree": "shutil.rmtree(folder)",
    "make a folder": "os.mkdir('made')",
    "make folders": "os.makedirs('made/deep')",
    "remove a folder": "os.rmdir(folder)",
    "link": "os.link(file, 'linked')",
    "symlink": "os.symlink(file, 'linked')",
    "fifo": "os.mkfifo('fifo')",
    "chmod": "os.chmod(file, 0o777)",
    "chown": "os.chown(file, 0, 0)",
    "utime": "os.utime(file, (1, 1))",
    "utime by descriptor": "os.utime(os.open(file, os.O_RDONLY), (1, 1))",
    "touch": "pathlib.Path(file).touch()",
    "setxattr": "os.setxattr(file, 'user.x', b'1')",
    "a database": "sqlite3.connect('new.db').execute('create table t (x)')",
    "a temporary file": "os.open(folder, os.O_TMPFILE | os.O_RDWR)",
    "fork": "os.fork()",
    "forkpty": "os.forkpty()",
    "system": "os.system('touch made')",
    "run a program": "subprocess.run(['/bin/true'])",
    "popen": "os.popen('touch made').read()",
    "become a program": "os.execv('/bin/true', ['true'])",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "a process of multiprocessing": "multiprocessing.get_context('fork').Process(target=print).start()",
    "a socket": "socket.socket()",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))",
    "a Unix socket": "socket.socket(socket.AF_UNIX).bind('sock')",
    "connect": "socket.create_connection(('127.0.0.1', port))",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "look up a name": "socket.getaddrinfo('localhost', 80)",
    "fetch": "urllib.request.urlopen(f'http://127.0.0.1:{port}/')",
    "kill the parent": "os.kill(os.getppid(), 9)",
    "signal everything": "os.kill(-1, 0)",
    "kill the group of the parent": "os.killpg(os.getpgid(os.getppid()), 9)",
    "raise its limits": "resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))",
    "leave the session": "os.setsid()",
    "leave the group": "os.setpgid(0, 0)",
    "write to the parent's memory": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "read the parent's memory": "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "write to the parent's pipe": "[open(f'/proc/{os.getppid()}/fd/{n}', 'wb') for n in range(1024)]",
}

MODULES = "import multiprocessing, os, pathlib, resource, shutil, socket, sqlite3, subprocess, urllib.request"

# The same by system calls, past Python and its audit hook: each gives a negative number when it is refused.
CALLS = {
    "open": "libc.open(file, os.O_WRONLY)",
    "create": "libc.open(b'made', os.O_WRONLY | os.O_CREAT, 0o666)",
    "creat": "libc.creat(b'made', 0o666)",
    "openat2": "libc.syscall(437, -100, file, ctypes.byref((ctypes.c_uint64 * 3)(os.O_WRONLY)), 24)",
    "truncate": "libc.truncate(file, 0)",
    "unlink": "libc.unlink(file)",
    "rename": "libc.rename(file, file + b'2')",
    "mkdir": "libc.mkdir(b'made', 0o777)",
    "rmdir": "libc.rmdir(folder)",
    "link": "libc.link(file, b'made')",
    "symlink": "libc.symlink(file, b'made')",
    "chmod": "libc.chmod(file, 0o777)",
    "utimes": "libc.utimes(file, None)",
    "utimensat": "libc.utimensat(-100, file, None, 0)",
    "futimens": "libc.futimens(libc.open(file, os.O_RDONLY), None)",
    "setxattr": "libc.setxattr(file, b'user.x', b'1', 1, 0)",
    "fork": "libc.fork()",
    "vfork by number": "libc.syscall(58) if platform.machine() == 'x86_64' else -1",
    "clone": "libc.syscall(56 if platform.machine() == 'x86_64' else 220, 17, 0, 0, 0, 0)",
    "clone3": "libc.syscall(435, ctypes.byref((ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)), 88)",
    "execv": "libc.execv(b'/bin/true', (ctypes.c_char_p * 2)(b'true', None))",
    "socket": "libc.socket(2, 1, 0)",
    "netlink": "libc.socket(16, 3, 0)",
    "io_uring": "libc.syscall(425, 4, ctypes.byref((ctypes.c_uint64 * 15)()))",
    "kill the parent": "libc.kill(os.getppid(), 9)",
    "signal everything": "libc.kill(-1, 0)",
    "tgkill the parent": "libc.syscall(234 if platform.machine() == 'x86_64' else 131, os.getppid(), os.getppid(), 9)",
    "ptrace the parent": "libc.ptrace(16, os.getppid(), 0, 0)",
    "limits": "libc.setrlimit(0, ctypes.byref((ctypes.c_uint64 * 2)(2**64 - 1, 2**64 - 1)))",
    "unshare": "libc.unshare(0x10000000)",
    "mount": "libc.mount(b'none', folder, b'tmpfs', 0, None)",
    "perf": "libc.syscall(298 if platform.machine() == 'x86_64' else 241, 0, 0, -1, -1, 0)",
}


@pytest.fixture
def precious(tmp_path):
    """A file in a folder, and a check that nothing in there was changed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "precious"
    file.write_text("precious")
    os.utime(file, (1000, 1000))
    file.chmod(0o644)
    yield file
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "precious"]
    assert file.read_text() == "precious"
    assert (file.stat().st_mtime, file.stat().st_mode & 0o777, file.stat().st_nlink) == (1000, 0o644, 1)


@pytest.fixture
def listener():
    """A port that must not be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(server.getsockname())
        server.setblocking(False)
        datagrams.setblocking(False)
        yield server.getsockname()[1]
        for reached in (server.accept, lambda: datagrams.recv(1)):
            with pytest.raises(BlockingIOError):
                reached()


@pytest.fixture(params=["fork", "no-fork"])
async def host(request, tmp_path):
    async with hosting(request.param == "fork", tmp_path) as host:
        yield host


async def test_attempts_through_python(host, precious, listener):
    given = f"file, folder, port = {str(precious)!r}, {str(precious.parent)!r}, {listener}"
    for name, attempt in ATTEMPTS.items():
        raised = error(await host.do(f"{MODULES}\n{given}\n{attempt}\n", timeout=5.0))
        refused = raised.startswith("PermissionError") or (name == "fetch" and "PermissionError" in raised)
        assert refused or (name, raised) == ("a database", "OperationalError: unable to open database file"), name
        await host.settled()


@needs_kernel
async def test_attempts_past_python(host, precious, listener):
    given = f"file, folder = {str(precious).encode()!r}, {str(precious.parent).encode()!r}"
    start = f"import ctypes, os, platform\n{given}\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    for name, call in CALLS.items():
        got = await host.do(f"{start}result = {call}\nif result == 0 and {name!r}.endswith('fork'): os._exit(9)")
        assert int(result(got)) < 0, name
        await host.settled()


async def test_the_words_of_a_refusal(host, precious):
    raised = error(await host.do(f"open({str(precious)!r}, 'w')"))
    assert raised.startswith(f"PermissionError: Metalens does not let a model write files: open({str(precious)!r}, 'w'")
    raised = error(await host.do("import os; os.system('ls')"))
    assert raised == "PermissionError: Metalens does not let a model start programs: os.system()"


async def test_what_models_may_do(host, precious):
    answer = await host.do(
        "import os, socket, subprocess, threading\n"
        "open(os.devnull, 'w').write('x')\n"
        f"text = open({str(precious)!r}).read()\n"
        f"names = os.listdir({str(precious.parent)!r})\n"
        "seen = []\n"
        "thread = threading.Thread(target=seen.append, args=(1,)); thread.start(); thread.join()\n"
        "one, other = socket.socketpair(); one.send(b'x')\n"
        "result = text, names, seen, other.recv(1)\n"
    )
    assert result(answer) == repr(("precious", ["precious"], [1], b"x"))


async def test_children_have_no_inherited_descriptors(tmp_path):
    async with hosting(True, tmp_path) as host:
        answer = await host.do("import os\nresult = sorted(int(name) for name in os.listdir('/proc/self/fd'))")
        low = [number for number in eval(result(answer)) if number < 256]
        assert low == [0, 1, 2, 3]  # 3 is the listed folder itself
        high = [number for number in eval(result(answer)) if number >= 256]
        assert len(high) == 1


def run_in_room(layers: str, attempt: str) -> str:
    """What happens to an attempt in a fresh process with these layers alone."""
    source = f"""
        import ctypes, os, sys
        sys.path.insert(0, {str(Path(containment.__file__).parents[3])!r})
        from metalens.worker.host import audit, landlock, seccomp
        libc = ctypes.CDLL(None, use_errno=True)
        layers = {layers!r}
        libc.prctl(38, 1, 0, 0, 0)
        if "landlock" in layers:
            assert landlock.enter(libc, landlock.create())
        if "seccomp" in layers:
            assert seccomp.enter(libc, refuse_writing="landlock" not in layers)
        if "audit" in layers:
            audit.install(kernel=False)
        try:
            print("done", {attempt})
        except PermissionError as problem:
            print("refused")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("layer", ["audit", "landlock", "seccomp", "landlock seccomp"])
@needs_kernel
def test_each_layer_alone_refuses_to_write(layer, precious):
    assert run_in_room(layer, f"open({str(precious)!r}, 'w')") == "refused"
    assert run_in_room(layer, f"os.unlink({str(precious)!r})") == "refused"
    assert run_in_room(layer, f"open({str(precious)!r}).read()") == "done precious"


def test_the_room_can_be_broken_out_of_without_layers(tmp_path):
    """The tests above can fail."""
    assert run_in_room("", f"open({str(tmp_path / 'made')!r}, 'w').write('x')") == "done 1"
    assert (tmp_path / "made").read_text() == "x"


def test_without_the_kernel_libraries_from_elsewhere_are_refused(tmp_path):
    assert run_in_room("audit", f"ctypes.CDLL({str(tmp_path / 'evil.so')!r})") == "refused"
    assert run_in_room("audit", "ctypes.CDLL(None) and 1") == "done 1"
    assert run_in_room("audit", "__import__('sqlite3').connect(':memory:') and 1") == "done 1"
    assert run_in_room("audit", f"__import__('sqlite3').connect({str(tmp_path / 'x.db')!r})") == "refused"


def test_layers_are_named():
    assert set(containment.layers()) <= {"limits", "landlock", "seccomp", "audit"}
    assert {"limits", "audit"} <= set(containment.layers())


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("refuse_writing", [True, False])
def test_filters_are_whole_programs(machine, refuse_writing):
    code = seccomp.program(machine, 4711, refuse_writing)
    lines = [code[at : at + 8] for at in range(0, len(code), 8)]
    assert len(code) % 8 == 0
    assert len(lines) < 4096
    for place, line in enumerate(lines):
        operation, yes, no = line[0], line[2], line[3]
        assert place + 1 + max(yes, no) < len(lines) or operation == 0x06


@pytest.mark.skipif("platform.machine() != 'x86_64'", reason="compares with this machine's headers")
def test_the_numbers_of_system_calls_are_right():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers")
    known = dict(line.split()[1:3] for line in header.read_text().splitlines() if line.startswith("#define __NR_"))
    for name, (number, _) in {**seccomp._REFUSED, **seccomp._UNKNOWN}.items():
        assert known.get(f"__NR_{name}", str(number)) == str(number), name
    assert platform.machine() == "x86_64"
