"""Every annotated file through the whole engine: from its text to what a user reads."""

import sys

import pytest
import pytest_asyncio
from metalens.engine.engine import Engine

from harness import FIXTURES, fixtures
from harness.check import check
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="session")]


class Quiet:
    """A listener for those who wait for `check`."""

    def result(self, result):
        pass

    def state(self, state, detail):
        pass


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["fork", "standby"])
async def engine(request):
    """One engine for all files, once with a worker that forks and once with one that does not."""
    settings = Settings(fork=request.param == "fork")
    engine = Engine(Workspace(FIXTURES), settings, Interpreter(sys.executable, "tests"), listener=Quiet())
    await engine.start()
    yield engine
    await engine.stop()


@pytest.mark.parametrize("name", fixtures())
async def test_fixture(name, engine, request):
    await check(engine, name, update=request.config.getoption("update"))
