"""Stable Baselines' vectors of environments, and those of the older Baselines: observations of all, spaces of one."""

from __future__ import annotations

from typing import Any, Optional

from metalens.worker.load import gym, gym_env, gym_wrappers, spaces

STAND_IN = True


class VecEnv(gym.VectorEnv):
    """Several environments of one kind, each with the spaces that this one has."""

    def _fill(self, first: Any, count: int) -> None:
        self.num_envs = count
        self.envs = [first] * count
        self.observation_space, self.action_space = first.observation_space, first.action_space

    def reset(self) -> Any:
        """Zeros for each."""
        return self.observation_space.batch(self.num_envs).sample()

    def step_async(self, actions: Any) -> None:
        """The step is made by `step_wait`."""

    def step_wait(self) -> Any:
        """Zeros for each; no episode ends."""
        ended = spaces.array((self.num_envs,), bool)
        rewards = spaces.array((self.num_envs,), "float64")
        return self.reset(), rewards, ended, [{} for _ in self.envs]

    def step(self, actions: Any) -> Any:
        """Both of them."""
        self.step_async(actions)
        return self.step_wait()

    def close(self) -> None:
        """Nothing is open."""


class VecEnvWrapper:
    """Such a vector in another; what it does not have itself it has from there."""

    takes_unknown = True

    def __init__(
        self, venv: Any = None, observation_space: Any = None, action_space: Any = None, **kwargs: Any
    ) -> None:
        self.venv = venv
        self.observation_space = venv.observation_space if observation_space is None else observation_space
        self.action_space = venv.action_space if action_space is None else action_space

    __init__.takes_unknown = True  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "venv":
            raise AttributeError(name)
        return getattr(self.venv, name)

    def reset(self) -> Any:
        """As inside."""
        return self.venv.reset()

    def step_async(self, actions: Any) -> None:
        """As inside."""
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        """As inside."""
        return self.venv.step_wait()

    def step(self, actions: Any) -> Any:
        """Both of them."""
        self.step_async(actions)
        return self.step_wait()


class VecNormalize(VecEnvWrapper):
    """Other values of the same shapes."""

    def __init__(self, venv: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(venv)
        self.training, self.ob_rms, self.obs_rms, self.ret_rms = True, None, None, None

    __init__.takes_unknown = True  # type: ignore[attr-defined]


class VecFrameStack(VecEnvWrapper):
    """Several observations at once, one after the other in the last dimension."""

    def __init__(self, venv: Any = None, n_stack: int = 4, *args: Any, **kwargs: Any) -> None:
        shape = venv.observation_space.shape
        space = spaces.Box(0, 255, (*shape[:-1], shape[-1] * n_stack), venv.observation_space.dtype)
        super().__init__(venv, space)

    def reset(self) -> Any:
        """Zeros for each."""
        return self.observation_space.batch(self.venv.num_envs).sample()

    def step_wait(self) -> Any:
        """Zeros for each."""
        return (self.reset(), *self.venv.step_wait()[1:])


_PASSING = ("VecMonitor", "VecCheckNan", "VecVideoRecorder", "VecExtractDictObs")
_HELD: dict[str, Any] = {
    **dict.fromkeys(("DummyVecEnv", "SubprocVecEnv", "ShmemVecEnv", "VecEnv"), VecEnv),
    **{"VecEnvWrapper": VecEnvWrapper, "VecNormalize": VecNormalize, "VecFrameStack": VecFrameStack},
    **{name: type(name, (VecEnvWrapper,), {}) for name in _PASSING},
}
_PLACES = ("vec_env", "vec_normalize", "vec_frame_stack", "dummy_vec_env", "subproc_vec_env", "base_vec_env")


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package."""
    package, _, rest = name.partition(".common.")
    if package not in ("stable_baselines3", "stable_baselines", "baselines"):
        return None
    if rest.startswith("vec_env") and rest.rpartition(".")[2] in _PLACES:
        return _HELD
    return {**gym_wrappers.names(), "Monitor": gym_env.Wrapper} if rest in ("monitor", "atari_wrappers") else None
