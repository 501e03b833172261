"""Sounds without sound files: readers give waves of a made-up length, transforms keep shapes true."""

from __future__ import annotations

from typing import Any, Optional

import torch

from metalens.worker.load import arrays
from metalens.worker.load.inventions import SOUND_CHANNELS, SOUND_LENGTHS, invented, more, sound_channels
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True
_SECONDS, _RATE, _MORE = 4, 22050, 7919

# name: samples (None: they differ), rate, what follows in an item
_DATASETS: dict[str, tuple[Optional[int], int, tuple[Any, ...]]] = {
    "SPEECHCOMMANDS": (16000, 16000, ("backward", "0", 0)),
    "LIBRISPEECH": (None, 16000, ("A TRANSCRIPT", 0, 0, 0)),
    "LIBRITTS": (None, 24000, ("A text.", "A text.", 0, 0, "0")),
    "LJSPEECH": (None, 22050, ("A text.", "A text.")),
    "VCTK_092": (None, 48000, ("A text.", "p225", "001")),
    "YESNO": (None, 8000, ([0, 1] * 4,)),
    "GTZAN": (661500, 22050, ("blues",)),
}


def _samples(rate: Any) -> int:
    invented(SOUND_LENGTHS)
    return _SECONDS * (rate if isinstance(rate, int) else _RATE) + more() * _MORE


def _channels() -> int:
    invented(SOUND_CHANNELS)
    return sound_channels()


def _wavfile_read(*args: Any, **kwargs: Any) -> Any:
    numpy = arrays.numpy()
    count, channels = _samples(None), _channels()
    return Unknown("the rate of a sound"), numpy.zeros((count, channels) if channels > 1 else count, numpy.int16)


def _soundfile_read(
    file: Any = None, frames: Any = -1, start: Any = 0, stop: Any = None, dtype: Any = "float64", *args: Any, **kw: Any
) -> Any:
    if isinstance(frames, Unknown) or isinstance(stop, Unknown) or isinstance(start, Unknown):
        raise UnknownError("the part of a sound that is read is not known")
    count = frames if frames > 0 else stop - start if stop else _samples(None)
    channels = _channels()
    shape = (count, channels) if kw.get("always_2d") is True or channels > 1 else (count,)
    return arrays.numpy().zeros(shape, dtype), Unknown("the rate of a sound")


def _librosa_load(
    path: Any = None, sr: Any = _RATE, mono: Any = True, offset: Any = 0.0, duration: Any = None, *args: Any, **kw: Any
) -> Any:
    known = isinstance(sr, int) and isinstance(duration, (int, float))
    count = int(sr * duration) if known else _samples(sr)
    return arrays.numpy().zeros(count, arrays.numpy().float32), Unknown("the rate of a sound") if sr is None else sr


def _torchaudio_load(uri: Any = None, frame_offset: Any = 0, num_frames: Any = -1, *args: Any, **kwargs: Any) -> Any:
    known = isinstance(num_frames, int) and num_frames > 0
    return torch.empty((_channels(), num_frames if known else _samples(None)), device="meta"), Unknown(
        "the rate of a sound"
    )


# ---------------------------------------------------------------- arrays


def _frames(count: int, n_fft: int, hop: int, center: bool) -> int:
    return 1 + (count if center else count - n_fft) // hop


def _plain(data: Any, *args: Any, **kwargs: Any) -> Any:
    return data


def _mel(sr: Any = None, n_fft: Any = None, n_mels: Any = 128, *args: Any, **kwargs: Any) -> Any:
    return arrays.numpy().zeros((n_mels, 1 + n_fft // 2), arrays.numpy().float32)


def _spectrum(data: Any, bins: int, n_fft: int, hop: Any, win: Any, center: bool, dtype: Any) -> Any:
    step = hop or (win or n_fft) // 4
    shape = (*data.shape[:-1], bins, _frames(data.shape[-1], n_fft, step, center))
    return arrays.numpy().zeros(shape, dtype)


def _stft(y: Any, n_fft: int = 2048, hop_length: Any = None, win_length: Any = None, *args: Any, **kw: Any) -> Any:
    return _spectrum(y, 1 + n_fft // 2, n_fft, hop_length, win_length, kw.get("center", True), "complex64")


def _melspectrogram(y: Any = None, sr: Any = _RATE, n_fft: int = 2048, hop_length: int = 512, **kw: Any) -> Any:
    return _spectrum(y, kw.get("n_mels", 128), n_fft, hop_length, None, kw.get("center", True), "float32")


def _mfcc(y: Any = None, sr: Any = _RATE, n_mfcc: int = 20, **kw: Any) -> Any:
    return _melspectrogram(y, sr, kw.get("n_fft", 2048), kw.get("hop_length", 512), n_mels=n_mfcc)


def _window(window: Any, size: Any, *args: Any, **kwargs: Any) -> Any:
    """A window of so many samples: as wide as it is, and as high everywhere."""
    return arrays.numpy().ones(size)


def _fix_length(data: Any, size: int, axis: int = -1, **kwargs: Any) -> Any:
    shape = list(data.shape)
    shape[axis] = size
    return arrays.numpy().zeros(shape, data.dtype)


def _resample(y: Any, orig_sr: int, target_sr: int, *args: Any, **kwargs: Any) -> Any:
    count = -(-y.shape[-1] * target_sr // orig_sr)
    return arrays.numpy().zeros((*y.shape[:-1], count), y.dtype)


def _trim(y: Any, *args: Any, **kwargs: Any) -> Any:
    invented("the lengths of trimmed sounds")
    return y, arrays.numpy().array([0, y.shape[-1]])


# ---------------------------------------------------------------- tensors


class Transform(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """A transform that keeps the shape of what it gets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, waveform: Any, *args: Any, **kwargs: Any) -> Any:
        """The same."""
        return waveform


class Spectrogram(Transform):
    """Waves `[..., time]` to `[..., bins, frames]`."""

    def __init__(
        self, n_fft: int = 400, win_length: Any = None, hop_length: Any = None, pad: int = 0, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__()
        self.n_fft, self.pad, self.center = n_fft, pad, kwargs.get("center", True)
        self.hop_length = hop_length or (win_length or n_fft) // 2
        self.bins = n_fft // 2 + 1 if kwargs.get("onesided", True) else n_fft
        self.dtype = torch.complex64 if kwargs.get("power", 2.0) is None else torch.float32

    def forward(self, waveform: Any, *args: Any, **kwargs: Any) -> Any:
        """As torchaudio's own."""
        frames = _frames(waveform.shape[-1] + 2 * self.pad, self.n_fft, self.hop_length, self.center)
        return torch.empty((*waveform.shape[:-1], self.bins, frames), dtype=self.dtype, device="meta")


class MelSpectrogram(Spectrogram):
    """Waves to `[..., n_mels, frames]`."""

    def __init__(
        self, sample_rate: Any = 16000, n_fft: int = 400, win_length: Any = None, hop_length: Any = None, *args: Any,
        n_mels: int = 128, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(n_fft, win_length, hop_length, kwargs.get("pad", 0), center=kwargs.get("center", True))
        self.bins = n_mels


class MFCC(MelSpectrogram):
    """Waves to `[..., n_mfcc, frames]`."""

    def __init__(self, sample_rate: Any = 16000, n_mfcc: int = 40, *args: Any, **kwargs: Any) -> None:
        super().__init__(sample_rate, **(kwargs.get("melkwargs") or {}))
        self.bins = n_mfcc


class Resample(Transform):
    """Waves to waves of another length."""

    def __init__(self, orig_freq: int = 16000, new_freq: int = 16000, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.orig_freq, self.new_freq = orig_freq, new_freq

    def forward(self, waveform: Any, *args: Any, **kwargs: Any) -> Any:
        """As many samples as the new rate makes of them."""
        count = -(-waveform.shape[-1] * self.new_freq // self.orig_freq)
        return waveform.new_empty((*waveform.shape[:-1], count))


def _resampled(waveform: Any, orig_freq: int, new_freq: int, *args: Any, **kwargs: Any) -> Any:
    return Resample(orig_freq, new_freq)(waveform)


class Recordings(torch.utils.data.Dataset):  # type: ignore[type-arg, misc]
    """A data set of torchaudio by its name."""

    recording: tuple[Optional[int], int, tuple[Any, ...]] = (None, _RATE, ())

    takes_unknown = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._walker = [f"{index}.wav" for index in range(256)]

    __init__.takes_unknown = True  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return 256

    def __getitem__(self, index: int) -> Any:
        samples, rate, rest = self.recording
        return torch.empty((1, samples or _samples(rate)), device="meta"), rate, *rest


# ---------------------------------------------------------------- by name


READERS: dict[str, dict[str, Any]] = {
    "scipy.io.wavfile": {"read": _wavfile_read},
    "soundfile": {"read": _soundfile_read},
    "librosa": {"load": _librosa_load},
    "torchaudio": {"load": _torchaudio_load},
}
for _readers in READERS.values():
    for _reader in _readers.values():
        _reader.takes_unknown = True

_TRANSFORMS: dict[str, Any] = {
    "Spectrogram": Spectrogram,
    "MelSpectrogram": MelSpectrogram,
    "MFCC": MFCC,
    "Resample": Resample,
    **dict.fromkeys("AmplitudeToDB FrequencyMasking TimeMasking Vol Fade".split(), Transform),
}
_FEATURES = {"melspectrogram": _melspectrogram, "mfcc": _mfcc}
_LEVELS = dict.fromkeys("power_to_db amplitude_to_db db_to_power db_to_amplitude".split(), _plain)
_UTIL = {"normalize": _plain, "fix_length": _fix_length, "pad_center": _fix_length, "tiny": lambda x: 1.2e-38}
_MODULES: dict[str, dict[str, Any]] = {
    **READERS,
    "librosa": {**READERS["librosa"], **_LEVELS, "stft": _stft, "resample": _resample},
    "librosa.core": {**READERS["librosa"], **_LEVELS, "stft": _stft, "resample": _resample},
    "librosa.util": _UTIL,
    "librosa.filters": {"mel": _mel},
    "librosa.feature": _FEATURES,
    "librosa.effects": {"trim": _trim},
    "scipy.signal": {"get_window": _window},
    "scipy.signal.windows": {"get_window": _window},
    "torchaudio.transforms": _TRANSFORMS,
    "torchaudio.functional": {"resample": _resampled},
    "torchaudio.datasets": {
        name: type(name, (Recordings,), {"recording": recording}) for name, recording in _DATASETS.items()
    },
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without sounds."""
    return _MODULES.get(name)
