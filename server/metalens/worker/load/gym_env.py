"""Environments that show zeros of the right shape, and the base of what wraps them.

Results come in the way of the generation that the caller speaks: `observation, information` and five parts of a step,
or, with `gym`, what its statement unpacks.
"""

from __future__ import annotations

import dis
import functools
import importlib
import sys
from typing import Any, ClassVar, Optional

from metalens.worker.load import arrays, environments, spaces
from metalens.worker.load.inventions import PICTURE_SIZES, invented, picture_extent
from metalens.worker.load.unknown import Unknown

STAND_IN = True
_EPISODE, _STEPS = 8, 1000
_MEANINGS = "NOOP FIRE UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT".split()
_MEANINGS += [f"{name}FIRE" for name in _MEANINGS[2:]]
_FEW = {3: ["NOOP", "UP", "DOWN"], 4: ["NOOP", "FIRE", "RIGHT", "LEFT"]}
_IDLE, _NEXT = ("CACHE", "PRECALL", "POP_BLOCK", "NOP"), 12
_registered: dict[str, Spec] = {}


# ---------------------------------------------------------------- generations


def _unpacked() -> tuple[Optional[int], bool]:
    """How many values the user's statement unpacks from the call under way, and whether it speaks of old `gym`.

    Stand-ins among themselves speak the new way.
    """
    frame: Any = sys._getframe(3)
    while frame is not None:
        if frame.f_globals.get("STAND_IN"):
            return 5, False
        if not str(frame.f_globals.get("__name__", "")).startswith("metalens."):
            after = _following(frame.f_code, frame.f_lasti)
            if after and after[0].opname != "RETURN_VALUE":
                # Statements of the user's hand the number of names to a hook before they unpack.
                hooked = [part.opname.partition("_")[0] for part in after[:3]] == ["LOAD", "CALL", "UNPACK"]
                first = after[2] if hooked and after[0].argval == after[2].argval else after[0]
                count = first.argval if first.opname == "UNPACK_SEQUENCE" else None
                # Who steps through an environment need not be who makes it.
                names = {getattr(value, "__name__", "") for value in list(frame.f_globals.values())}
                imported = "gym" in sys.modules and "gymnasium" not in sys.modules
                return count, ("gym" in names or imported) and "gymnasium" not in names
        frame = frame.f_back
    return None, False


@functools.lru_cache(maxsize=256)
def _following(code: Any, at: int) -> list[Any]:
    """The next instructions that do something."""
    after = [part for part in dis.get_instructions(code) if part.offset > at]
    return [part for part in after[:_NEXT] if part.opname not in _IDLE]


def stepped(result: tuple[Any, ...]) -> Any:
    """The four or five parts of a step, as the caller wants them."""
    count, old = _unpacked()
    five = result if len(result) == 5 else (*result[:3], result[2], result[3])
    if count == 4 or (old and count != 5):
        return five[0], five[1], five[2], five[4]
    return five


def started(observation: Any, information: Any) -> Any:
    """What a start gives, as the caller wants it."""
    count, old = _unpacked()
    return observation if old and count != 2 else (observation, information)


def _pair(result: Any) -> tuple[Any, Any]:
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
        return result
    return result, {}


# ---------------------------------------------------------------- environments


class Env:
    """The base of all environments."""

    metadata: ClassVar[dict[str, Any]] = {}
    render_mode: Any = None
    reward_range = (-float("inf"), float("inf"))

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    @property
    def unwrapped(self) -> Any:
        """The environment inside of all wrappers."""
        return self

    @property
    def np_random(self) -> Any:
        """Random numbers, in the way of either generation."""
        older: Any = arrays.numpy().random.RandomState
        return type("RandomState", (older,), {"integers": older.randint})(0)

    @property
    def spec(self) -> Any:
        """What it was registered with, as far as that is known."""
        return self.__dict__.get("spec", Unknown("the specification of an environment"))

    @spec.setter
    def spec(self, spec: Any) -> None:
        self.__dict__["spec"] = spec

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Start again."""
        return None

    def step(self, action: Any) -> Any:
        """Do something."""
        raise NotImplementedError

    def seed(self, seed: Any = None) -> list[Any]:
        """Nothing is random."""
        return [seed]

    def render(self, mode: Any = "human", *args: Any, **kwargs: Any) -> Any:
        """A picture with three channels, if one is asked for."""
        if "rgb_array" not in (mode, self.render_mode):
            return Unknown("a rendered frame")
        return arrays.numpy().zeros((*self._extent(), 3), "uint8")

    def _extent(self) -> tuple[int, int]:
        """The height and width of a picture."""
        invented(PICTURE_SIZES)
        return picture_extent(600, 400)[::-1]

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None


class _Console:
    """What a game's console tells."""

    def lives(self) -> int:
        """A game without lives."""
        return 0


class KnownEnv(Env):
    """An environment whose spaces are known."""

    def __init__(self, known: environments.Known, shape: Any = None) -> None:
        self.observation_space, self.action_space = _spaces(known, shape)
        self._frame = known.frame
        self.ale = _Console()
        self._max_episode_steps = _STEPS
        self._left = _EPISODE

    def get_action_meanings(self) -> list[str]:
        """The names of the actions of a game."""
        count = int(self.action_space.n)
        return _FEW.get(count, _MEANINGS[:count])

    def _extent(self) -> tuple[int, int]:
        return self._frame or super()._extent()

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Zeros."""
        self._left = _EPISODE
        return started(self.observation_space.sample(), {})

    def step(self, action: Any) -> Any:
        """Zeros; episodes are short."""
        self._left -= 1
        return stepped((self.observation_space.sample(), 0.0, self._left <= 0, False, {}))


class AtariEnv(KnownEnv):
    """A game of that console."""


def _spaces(known: environments.Known, shape: Any = None) -> tuple[Any, Any]:
    numpy = arrays.numpy()

    seen: Any
    if isinstance(known.observation, int):
        seen = spaces.Discrete(known.observation)
    elif known.pixels:
        seen = spaces.Box(0, 255, shape or known.observation, numpy.uint8)
    else:
        seen = spaces.Box(-numpy.inf, numpy.inf, known.observation)
    if isinstance(known.actions, int):
        return seen, spaces.Discrete(known.actions)
    count, bound = known.actions
    return seen, spaces.Box(-bound, bound, (count,))


class Spec:
    """What an environment was registered with. What another package registers is not known in full."""

    def __init__(self, id: str, **settings: Any) -> None:
        self.id = id
        self.__dict__.update(settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown("the specification of an environment")


def make(id: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The environment with this id: one that the user registered, or one that is known."""
    spec = _registered.get(id) if isinstance(id, str) else None
    if spec is None:
        known = environments.known(id) if isinstance(id, str) else None
        if known is None:
            return Unknown("an environment that is not installed")
        environment: Any = (AtariEnv if known.atari else KnownEnv)(known)
        environment.spec = Spec(id)
        environment.render_mode = kwargs.get("render_mode")
        return environment
    entry = spec.entry_point
    if isinstance(entry, str):
        module, _, name = entry.partition(":")
        entry = getattr(importlib.import_module(module), name)
    given = {key: value for key, value in kwargs.items() if key != "max_episode_steps"}
    environment = entry(**{**spec.kwargs, **given})
    if isinstance(environment, Env):
        environment.spec = spec
    return environment


def register(
    id: Any = None,
    entry_point: Any = None,
    reward_threshold: Any = None,
    nondeterministic: bool = False,
    max_episode_steps: Any = None,
    *args: Any,
    kwargs: Any = None,
    **others: Any,
) -> None:
    """Remember a class of the user's."""
    if isinstance(id, str) and entry_point is not None:
        _registered[id] = Spec(
            id,
            entry_point=entry_point,
            reward_threshold=reward_threshold,
            nondeterministic=nondeterministic,
            max_episode_steps=max_episode_steps,
            kwargs=kwargs if isinstance(kwargs, dict) else {},
        )


# ---------------------------------------------------------------- wrappers


class Wrapper(Env):
    """An environment in another; what it does not have itself it has from there."""

    takes_unknown = True

    def __init__(self, env: Any = None, *args: Any, **kwargs: Any) -> None:
        self.env = env

    __init__.takes_unknown = True  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def unwrapped(self) -> Any:
        """The environment inside of all wrappers."""
        return self.env.unwrapped

    @property
    def spec(self) -> Any:
        """As inside."""
        return self.env.spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        self.env.spec = spec

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Start the inner one; show what this one shows."""
        observation, information = _pair(self.env.reset(*args, **kwargs))
        return started(self._shown(observation), information)

    def step(self, action: Any) -> Any:
        """A step of the inner one."""
        result = self.env.step(self._done(action))
        if isinstance(result, Unknown):
            return result
        return stepped((self._shown(result[0]), self._valued(result[1]), *result[2:]))

    def render(self, *args: Any, **kwargs: Any) -> Any:
        """What the inner one renders."""
        return self.env.render(*args, **kwargs)

    def _shown(self, observation: Any) -> Any:
        return observation

    def _done(self, action: Any) -> Any:
        return action

    def _valued(self, reward: Any) -> Any:
        return reward


class ObservationWrapper(Wrapper):
    """Changes what is shown, by the user's `observation`."""

    def _shown(self, observation: Any) -> Any:
        return _own(self, "observation")(observation)


class ActionWrapper(Wrapper):
    """Changes what is done, by the user's `action`."""

    def _done(self, action: Any) -> Any:
        return _own(self, "action")(action)


class RewardWrapper(Wrapper):
    """Changes what is gained, by the user's `reward`."""

    def _valued(self, reward: Any) -> Any:
        return _own(self, "reward")(reward)


def _own(wrapper: Wrapper, name: str) -> Any:
    """What a wrapper changes with, which the first versions called by a name of their own."""
    older = f"_{name}"
    return getattr(wrapper, older if hasattr(type(wrapper), older) and not hasattr(type(wrapper), name) else name)
