"""A language client of the smallest kind: starts the server, sends messages, waits for notifications."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

SERVER = Path(__file__).resolve().parent.parent / "server"
DEADLINE = 180.0

Message = dict[str, Any]


class Client:
    """The server as a process, with `folder` as its workspace."""

    def __init__(self, folder: Path, interpreter: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(SERVER)}
        command = [sys.executable, "-m", "metalens", "server"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._messages: queue.Queue[tuple[float, Message]] = queue.Queue()
        self._ids = 0
        threading.Thread(target=self._read, daemon=True).start()
        self.request(
            "initialize",
            processId=os.getpid(),
            rootUri=folder.as_uri(),
            workspaceFolders=[{"uri": folder.as_uri(), "name": folder.name}],
            capabilities={"textDocument": {"publishDiagnostics": {"versionSupport": True}}},
            initializationOptions={"interpreter": interpreter},
        )
        self.notify("initialized")

    def request(self, method: str, **params: Any) -> Any:
        """Send, and wait for the answer."""
        self._ids += 1
        self._send(id=self._ids, method=method, params=params)
        number = self._ids
        return self.wait(lambda message: message.get("id") == number and "method" not in message)[1]

    def notify(self, method: str, **params: Any) -> None:
        """Send, and go on."""
        self._send(method=method, params=params)

    def wait(self, wanted: Callable[[Message], bool]) -> tuple[float, Message]:
        """The next such message and when it came; those before it are dropped."""
        end = time.perf_counter() + DEADLINE
        while True:
            came, message = self._messages.get(timeout=max(0.0, end - time.perf_counter()))
            if wanted(message):
                return came, message

    def quiet(self, seconds: float) -> None:
        """Wait until nothing has come for so long."""
        with suppress(queue.Empty):
            while True:
                self._messages.get(timeout=seconds)

    def stop(self) -> None:
        """End the server as an editor does."""
        self.request("shutdown")
        self.notify("exit")
        self.process.wait(20)

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout
        while header := self.process.stdout.readline():
            size = 0
            while header.strip():
                if header.lower().startswith(b"content-length:"):
                    size = int(header.partition(b":")[2])
                header = self.process.stdout.readline()
            message = json.loads(self.process.stdout.read(size))
            self._messages.put((time.perf_counter(), message))
            if "id" in message and "method" in message:
                self._send(id=message["id"], result=None)
