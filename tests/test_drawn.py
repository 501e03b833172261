"""Stand-ins for what is drawn: batches from memories that are hardly filled, and the frames of environments."""

import random

import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")

from metalens.worker.load import gym_env, inventions  # noqa: E402
from metalens.worker.load.substitutes import has_substitute  # noqa: E402
from metalens.worker.load.unknown import Unknown  # noqa: E402
from metalens.worker.load.vendored import ABN, module  # noqa: E402
from metalens.worker.trace import shortage  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def told(monkeypatch):
    reasons = []
    monkeypatch.setattr(inventions, "_listeners", [reasons.append])
    return reasons


@pytest.fixture
def draws(monkeypatch):
    for owner, name, value in shortage.patches():
        monkeypatch.setattr(owner, name, value)


def test_enough_is_drawn_as_ever(draws, told):
    assert sorted(random.sample([1, 2, 3], 3)) == [1, 2, 3]
    assert 2 <= numpy.random.randint(2, 5) < 5
    assert numpy.random.choice(5, 3, replace=False).shape == (3,)
    assert told == []


def test_too_little_is_enough(draws, told):
    assert random.sample([1, 2], 5) == [1, 2, 1, 2, 1]
    assert numpy.random.choice(2, 4, replace=False).shape == (4,)
    assert numpy.random.randint(0, -10, size=(6,)).shape == (6,)
    assert [numpy.random.randint(0, -10) for _ in range(3)] == [0, 1, 2]
    assert set(told) == {inventions.ROUNDS}


def test_nothing_is_drawn_from_nothing(draws, told):
    with pytest.raises(ValueError, match="population"):
        random.sample([], 1)
    assert told == []


@pytest.mark.parametrize(
    ("id", "shape", "known"),
    [
        ("CartPole-v1", (400, 600, 3), True),
        ("Pendulum-v0", (500, 500, 3), True),
        ("PongNoFrameskip-v4", (210, 160, 3), True),
        ("HalfCheetah-v4", (400, 600, 3), False),
    ],
)
def test_rendered_frames(id, shape, known, told):
    assert gym_env.make(id).render(mode="rgb_array").shape == shape
    wrapped = gym_env.Wrapper(gym_env.make(id, render_mode="rgb_array"))
    assert wrapped.render().shape == shape
    assert told == ([] if known else [inventions.PICTURE_SIZES] * 2)
    assert isinstance(gym_env.make(id).render(), Unknown)


def test_norms_that_are_copied_in():
    assert module("models.networks.sync_batchnorm")["SynchronizedBatchNorm1d"] is torch.nn.BatchNorm1d
    assert module("sync_batchnorm.replicate") is module("sync_batchnorm")
    assert module("batchnorm") is None
    norm = ABN(8, activation="identity", slope=0.1)
    assert norm(torch.zeros(2, 8, 5)).shape == (2, 8, 5)


@pytest.mark.parametrize(
    ("code", "replaced"),
    [
        ("    import fast\n    mix = fast.mix\nexcept ImportError:\n    def mix(x): return x", True),
        ("    from fast import Loader\nexcept (ImportError, KeyError):\n    from slow import Loader", True),
        ("    import fast\n    self.mix = fast.mix\nexcept ImportError:\n    self.mix = slow", True),
        ("    import fast\n    has_fast = True\nexcept ImportError:\n    has_fast = False", False),
        ("    import fast\nexcept ImportError:\n    fast = None", False),
        ("    import fast\nexcept ImportError:\n    raise RuntimeError('install fast')", False),
        ("    import fast\nexcept ImportError:\n    print('install fast')", False),
        ("    import fast\nexcept ValueError:\n    import slow as fast", False),
    ],
)
def test_what_takes_the_place_of_an_import(code, replaced):
    assert has_substitute(f"try:\n{code}\n", "a.py", 2) is replaced
    assert not has_substitute(f"try:\n{code}\n", "a.py", 1)
