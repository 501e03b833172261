"""Every annotated file through the whole engine: from its text to what a user reads."""

import pytest
import pytest_asyncio

from harness import FIXTURES, fixtures
from harness.check import check
from harness.faults import Faults
from metalens.engine.engine import Engine
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["fork", "standby"])
async def served(request):
    """One engine for all files, once with a worker that forks and once with one that does not."""
    faults = Faults()
    settings = Settings(fork=request.param == "fork")
    engine = Engine(
        Workspace(FIXTURES), settings, Interpreter(request.config.getoption("worker_python"), "tests"), listener=faults
    )
    await engine.start()
    yield engine, faults
    await engine.stop()


@pytest.mark.parametrize("name", fixtures())
async def test_fixture(name, served, request):
    engine, faults = served
    faults.texts.clear()
    await check(engine, name, update=request.config.getoption("update"))
    assert faults.texts == []
