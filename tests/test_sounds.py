"""Sounds that are not here: shapes as the packages make them, lengths that are told to be made up."""

import sys

import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")

from metalens.worker.load import finder, inventions, readers, sounds  # noqa: E402
from metalens.worker.load.unknown import Unknown  # noqa: E402
from metalens.worker.trace import older  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def told():
    reasons: list[str] = []
    inventions.listen(reasons.append)
    yield reasons
    inventions.listen(lambda reason: None)


def test_a_sound_has_a_made_up_length_and_no_known_rate(told):
    rate, data = sounds.module("scipy.io.wavfile")["read"]("a.wav")
    assert isinstance(rate, Unknown)
    assert data.ndim == 1
    assert data.dtype == numpy.int16
    assert told


def test_what_is_read_with_a_duration_is_known(told):
    data, rate = sounds.module("librosa")["load"]("a.wav", sr=16000, duration=2.0)
    assert (data.shape, data.dtype, rate) == ((32000,), numpy.float32, 16000)
    assert not told
    wave, _ = sounds.module("torchaudio")["load"]("a.wav", num_frames=100)
    assert wave.shape == (1, 100)
    assert told == [inventions.SOUND_CHANNELS]


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("Spectrogram", {}, (2, 201, 81)),
        ("Spectrogram", {"n_fft": 512, "hop_length": 128}, (2, 257, 126)),
        ("MelSpectrogram", {"sample_rate": 16000, "n_fft": 1024, "hop_length": 256, "n_mels": 80}, (2, 80, 63)),
        ("MFCC", {"n_mfcc": 13, "melkwargs": {"n_fft": 400, "hop_length": 160}}, (2, 13, 101)),
        ("Resample", {"orig_freq": 16000, "new_freq": 8000}, (2, 8000)),
        ("AmplitudeToDB", {}, (2, 16000)),
    ],
)
def test_transforms_of_torchaudio(name, options, shape):
    transform = sounds.module("torchaudio.transforms")[name](**options)
    assert transform(torch.empty((2, 16000), device="meta")).shape == shape


def test_arrays_of_librosa():
    wave = numpy.zeros(22050, "float32")
    assert sounds.module("librosa.filters")["mel"](sr=22050, n_fft=1024, n_mels=80).shape == (80, 513)
    assert sounds.module("librosa")["stft"](wave).shape == (1025, 44)
    assert sounds.module("librosa.feature")["mfcc"](y=wave, sr=22050, n_mfcc=13).shape == (13, 44)
    assert sounds.module("librosa.util")["fix_length"](wave, size=100).shape == (100,)


def test_recordings_of_known_length_are_known(told):
    wave, rate, *rest = sounds.module("torchaudio.datasets")["SPEECHCOMMANDS"]("data")[0]
    assert (wave.shape, rate, len(rest)) == ((1, 16000), 16000, 3)
    assert not told


def test_installed_readers_read_what_is_there(tmp_path, monkeypatch, told):
    wavfile = pytest.importorskip("scipy.io.wavfile")
    wavfile.write(tmp_path / "a.wav", 8000, numpy.zeros(5, numpy.int16))
    monkeypatch.delitem(sys.modules, "scipy.io.wavfile")
    monkeypatch.setattr(sys, "meta_path", [readers.ReadersFinder(), *sys.meta_path])
    import scipy.io.wavfile as mended  # noqa: PLC0415

    assert mended.read(str(tmp_path / "a.wav"))[1].shape == (5,)
    assert not told
    assert isinstance(mended.read("nowhere.wav")[0], Unknown)
    assert isinstance(mended.read(Unknown("a file"))[0], Unknown)
    assert told


def test_a_missing_package_is_newer_than_any_that_code_knows():
    assert finder.StandIn("something").__version__.split(".")[0] == "99"
    assert isinstance(Unknown("a module").__dict__, Unknown)


def test_an_stft_of_older_torch_gives_pairs(told):
    stft = next(value for owner, name, value in older.patches() if (owner, name) == (torch, "stft"))
    wave, window = torch.randn(2, 1000), torch.hann_window(256)
    assert stft(wave, 256, 64, window=window).shape == (2, 129, 16, 2)
    assert told
    told.clear()
    assert stft(wave, 256, 64, window=window, return_complex=True).shape == (2, 129, 16)
    assert not told
