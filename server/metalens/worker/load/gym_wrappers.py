"""Wrappers of environments: those that change the shape of what is shown, and those that do not."""

from __future__ import annotations

from typing import Any

from metalens.worker.load import spaces
from metalens.worker.load.gym_env import Wrapper
from metalens.worker.load.unknown import Unknown

STAND_IN = True


class _Reshaped(Wrapper):
    """A wrapper that shows arrays of another shape."""

    def __init__(self, env: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(env)
        space: Any = env.observation_space
        self.observation_space: Any = space
        if isinstance(space, Unknown) or getattr(env.unwrapped, "is_vector_env", False) is True:
            self.observation_space = Unknown("an observation space")
            return
        shape, dtype = self._shape(space, *args, **kwargs)
        low, high = (0.0, 255.0) if str(dtype) == "uint8" else (-float("inf"), float("inf"))
        self.observation_space = spaces.Box(low, high, shape, dtype)

    def _shape(self, space: Any, *args: Any, **kwargs: Any) -> tuple[tuple[int, ...], Any]:
        raise NotImplementedError

    def _shown(self, observation: Any) -> Any:
        """Zeros, as many as the inner environment's own batch says."""
        space = self.observation_space
        if isinstance(observation, Unknown) or isinstance(space, Unknown):
            return Unknown("an observation")
        return space.sample()


class FrameStack(_Reshaped):
    """The last frames, one behind another."""

    def _shape(self, space: Any, num_stack: Any = None, *args: Any, **kwargs: Any) -> tuple[tuple[int, ...], Any]:
        count = num_stack if num_stack is not None else kwargs["stack_size"]
        return (int(count), *space.shape), space.dtype


class GrayScaleObservation(_Reshaped):
    """Pictures without colours."""

    def _shape(self, space: Any, keep_dim: bool = False, *args: Any, **kwargs: Any) -> tuple[tuple[int, ...], Any]:
        return (*space.shape[:2], *((1,) if keep_dim else ())), space.dtype


class ResizeObservation(_Reshaped):
    """Pictures in another size."""

    def _shape(self, space: Any, shape: Any = None, *args: Any, **kwargs: Any) -> tuple[tuple[int, ...], Any]:
        size = (shape, shape) if isinstance(shape, int) else tuple(shape)
        return (*size, *space.shape[2:]), space.dtype


class FlattenObservation(_Reshaped):
    """All numbers in a row."""

    def _shape(self, space: Any, *args: Any, **kwargs: Any) -> tuple[tuple[int, ...], Any]:
        return (spaces.flat_size(space),), getattr(space, "dtype", None) or "float32"


class AtariPreprocessing(_Reshaped):
    """Small gray pictures of a game."""

    def _shape(
        self,
        space: Any,
        noop_max: int = 30,
        frame_skip: int = 4,
        screen_size: Any = 84,
        terminal_on_life_loss: bool = False,
        grayscale_obs: bool = True,
        grayscale_newaxis: bool = False,
        scale_obs: bool = False,
        *args: Any,
    ) -> tuple[tuple[int, ...], Any]:
        size = (screen_size, screen_size) if isinstance(screen_size, int) else tuple(screen_size)
        colours = ((1,) if grayscale_newaxis else ()) if grayscale_obs else (3,)
        return (*size, *colours), "float32" if scale_obs else "uint8"


class TransformObservation(Wrapper):
    """Shows what a function makes of it."""

    def __init__(self, env: Any = None, f: Any = None, observation_space: Any = None, func: Any = None) -> None:
        super().__init__(env)
        self.f = f if f is not None else func
        if observation_space is not None:
            self.observation_space = observation_space

    def _shown(self, observation: Any) -> Any:
        return self.f(observation)


class TransformReward(Wrapper):
    """Gains what a function makes of it."""


_PASSING = (
    "RecordEpisodeStatistics RecordVideo TimeLimit ClipAction NormalizeObservation NormalizeReward OrderEnforcing "
    "ClipReward AutoResetWrapper Autoreset PassiveEnvChecker HumanRendering RescaleAction TimeAwareObservation Monitor "
    "NoopResetEnv MaxAndSkipEnv EpisodicLifeEnv FireResetEnv ClipRewardEnv StickyActionEnv"
).split()


class WarpFrame(_Reshaped):
    """Small gray pictures with an axis of one colour."""

    def _shape(self, space: Any, width: int = 84, height: int = 84, *args: Any) -> tuple[tuple[int, ...], Any]:
        return (height, width, 1), "uint8"


class AtariWrapper(WarpFrame):
    """All that is usual with games."""

    def _shape(self, space: Any, *args: Any, screen_size: int = 84, **kwargs: Any) -> tuple[tuple[int, ...], Any]:
        return (screen_size, screen_size, 1), "uint8"


def names() -> dict[str, Any]:
    """The wrappers by name, in both generations."""
    kinds: tuple[type, ...] = (
        FrameStack,
        GrayScaleObservation,
        ResizeObservation,
        FlattenObservation,
        AtariPreprocessing,
    )
    kinds += (TransformObservation, TransformReward, WarpFrame, AtariWrapper)
    found: dict[str, Any] = {kind.__name__: kind for kind in kinds}
    found.update({name: type(name, (Wrapper,), {}) for name in _PASSING})
    return {**found, "FrameStackObservation": FrameStack, "GrayscaleObservation": GrayScaleObservation}
