"""gym and gymnasium where they are not installed: many environments at once, and the modules that hold everything.

Environments are known by their ids; of others everything is Unknown.
"""

from __future__ import annotations

import re
from typing import Any, Optional

from metalens.worker.load import environments, gym_wrappers, spaces
from metalens.worker.load.gym_env import (
    ActionWrapper,
    AtariEnv,
    Env,
    KnownEnv,
    ObservationWrapper,
    RewardWrapper,
    Wrapper,
    make,
    register,
    started,
    stepped,
)
from metalens.worker.load.unknown import Unknown

STAND_IN = True


# ---------------------------------------------------------------- many environments at once


class VectorEnv(Env):
    """Several environments of one kind."""

    is_vector_env = True

    def __new__(cls, env_fns: Any = (), *args: Any, **kwargs: Any) -> Any:
        """The environments; Unknown if the first one is."""
        functions = list(env_fns)
        first = functions[0]() if functions else Unknown("an environment")
        if not isinstance(getattr(first, "observation_space", None), spaces.Space):
            return Unknown("environments that are not known")
        made = super().__new__(cls)
        made._fill(first, len(functions))
        return made

    def __init__(self, env_fns: Any = (), *args: Any, **kwargs: Any) -> None:
        """All is done when it is made."""

    def _fill(self, first: Any, count: int) -> None:
        self.num_envs = count
        self.envs = [first] * count
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = self.single_observation_space.batch(count)
        self.action_space = self.single_action_space.batch(count)

    def reset(self, *args: Any, **kwargs: Any) -> Any:
        """Zeros for each."""
        return started(self.single_observation_space.batch(self.num_envs).sample(), {})

    def step(self, action: Any) -> Any:
        """Zeros for each; no episode ends."""
        ended = spaces.array((self.num_envs,), bool)
        rewards = spaces.array((self.num_envs,), "float64")
        seen = self.single_observation_space.batch(self.num_envs).sample()
        return stepped((seen, rewards, ended, ended.copy(), {}))

    def get_attr(self, name: str, indices: Any = None) -> tuple[Any, ...]:
        """An attribute of each."""
        return tuple(getattr(env, name) for env in self.envs)


def make_vec(id: Any = None, num_envs: int = 1, *args: Any, **kwargs: Any) -> Any:
    """So many environments with this id."""
    return VectorEnv([lambda: make(id)] * num_envs)


class _Pool(VectorEnv):
    """Environments that are told apart by their batch only: its spaces are those of one of them."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """The bare object."""
        return object.__new__(cls)

    def __init__(self, first: Any, count: int) -> None:
        self._fill(first, count)
        self.observation_space, self.action_space = first.observation_space, first.action_space

    def step(self, action: Any) -> Any:
        """As above, with what games tell."""
        names = ("reward", "terminated", "elapsed_step", "lives", "TimeLimit.truncated", "env_id")
        information = {name: spaces.array((self.num_envs,), "int32") for name in names}
        observation, rewards, ended, cut, _ = super().step(action)
        return stepped((observation, rewards, ended, cut, information))


def pool(id: Any = None, env_type: str = "gym", num_envs: int = 1, *args: Any, **kwargs: Any) -> Any:
    """envpool's environments: games show the last four small gray frames."""
    known = environments.known(id) if isinstance(id, str) else None
    if known is None:
        return Unknown("environments that are not known")
    stack, size = kwargs.get("stack_num", 4), (kwargs.get("img_height", 84), kwargs.get("img_width", 84))
    return _Pool(KnownEnv(known, (stack, *size) if known.atari else None), int(num_envs))


def procgen(num_envs: int = 1, env_name: Any = None, *args: Any, **kwargs: Any) -> Any:
    """procgen's environments show their pictures by the name `rgb`."""
    known = environments.procgen(env_name) if isinstance(env_name, str) else None
    if known is None:
        return Unknown("environments that are not known")
    env = KnownEnv(known)
    env.observation_space = spaces.Dict(rgb=env.observation_space)
    return _Pool(env, int(num_envs))


# ---------------------------------------------------------------- modules


def _flat(space: Any) -> int:
    return spaces.flat_size(space)


def _file(wrapper: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", wrapper).lower()


def _modules() -> dict[str, dict[str, Any]]:
    kinds: tuple[type, ...] = (Env, Wrapper, ObservationWrapper, ActionWrapper, RewardWrapper)
    base: dict[str, Any] = {kind.__name__: kind for kind in kinds}
    space_names = {**spaces.names(), "flatdim": _flat}
    top = {**base, "make": make, "make_vec": make_vec, "register": register, "Space": spaces.Space}
    wrappers = gym_wrappers.names()
    vector: dict[str, Any] = {name: type(name, (VectorEnv,), {}) for name in ("SyncVectorEnv", "AsyncVectorEnv")}
    vector.update(VectorEnv=VectorEnv, make=make_vec, VectorWrapper=Wrapper, VectorEnvWrapper=Wrapper)
    found: dict[str, dict[str, Any]] = {}
    for name in ("gym", "gymnasium"):
        found.update({name: top, f"{name}.spaces": space_names, f"{name}.wrappers": wrappers, f"{name}.vector": vector})
        found[f"{name}.core"] = base
        found.update({f"{name}.wrappers.{_file(wrapper)}": wrappers for wrapper in wrappers})
        found[f"{name}.envs.registration"] = {"register": register}
        found[f"{name}.envs"] = {}
        found[f"{name}.envs.atari"] = found[f"{name}.envs.atari.atari_env"] = {"AtariEnv": AtariEnv}
        found.update({f"{name}.spaces.{part}": space_names for part in ("box", "discrete", "dict", "utils")})
    found["envpool"] = {"make": pool, "make_gym": pool, "make_gymnasium": pool}
    found["procgen"] = {"ProcgenEnv": procgen}
    return found


_found: dict[str, dict[str, Any]] = {}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without environments."""
    if name.partition(".")[0] not in ("gym", "gymnasium", "envpool", "procgen"):
        return None
    if not _found:
        _found.update(_modules())
    return _found.get(name)
