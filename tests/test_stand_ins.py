"""Stand-ins for data: what they know is right, and what they make up is told."""

import csv
import os
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")

from metalens.worker.load import (  # noqa: E402
    columns,
    data_files,
    environments,
    finder,
    gym,
    gym_env,
    gym_wrappers,
    known_datasets,
    opencv,
    pictures,
    spaces,
    tables,
    vision,
)
from metalens.worker.load.sources import Sources  # noqa: E402
from metalens.worker.load.unknown import Unknown, UnknownError  # noqa: E402
from metalens.worker.trace import parallel, stores  # noqa: E402
from metalens.worker.trace.failures import _passes_stand_in  # noqa: E402
from metalens.worker.trace.tracer import FileTrace, Tracer  # noqa: E402
from trees import write_tree  # noqa: E402

pytestmark = pytest.mark.torch


# ---------------------------------------------------------------- environments


@pytest.mark.parametrize(
    ("id", "observation", "actions"),
    [
        ("CartPole-v1", (4,), 2),
        ("MountainCarContinuous-v0", (2,), (1, 1.0)),
        ("LunarLanderContinuous-v2", (8,), (2, 1.0)),
        ("BipedalWalkerHardcore-v3", (24,), (4, 1.0)),
        ("HalfCheetah-v2", (17,), (6, 1.0)),
        ("Ant-v3", (111,), (8, 1.0)),
        ("Ant-v4", (27,), (8, 1.0)),
        ("Ant-v5", (105,), (8, 1.0)),
        ("Humanoid-v5", (348,), (17, 0.4)),
        ("BreakoutNoFrameskip-v4", (210, 160, 3), 4),
        ("ALE/Pong-v5", (210, 160, 3), 6),
        ("Seaquest-ramNoFrameskip-v4", (128,), 18),
        ("FrozenLake-v1", 16, 4),
        ("RoboschoolWalker2d-v1", (22,), (6, 1.0)),
        ("HopperBulletEnv-v0", (15,), (3, 1.0)),
        ("procgen:procgen-coinrun-v0", None, None),
    ],
)
def test_known_environments(id, observation, actions):
    known = environments.known(id)
    assert (known and known.observation, known and known.actions) == (observation, actions)


def test_unknown_environments_stay_unknown():
    assert isinstance(gym.make("MyRobot-v0"), Unknown)
    assert isinstance(gym.make(Unknown("args.env")), Unknown)
    assert isinstance(gym.VectorEnv([lambda: gym.make("MyRobot-v0")]), Unknown)
    assert isinstance(gym.pool("MyRobot-v5", num_envs=2), Unknown)


def test_a_wrapper_of_an_unknown_environment_knows_nothing():
    wrapped = gym_env.Wrapper(Unknown("an environment"))
    assert isinstance(wrapped.observation_space, Unknown)


@pytest.mark.parametrize(
    ("name", "line", "count"),
    [
        ("gym", "a, b, c, d = env.step(0)", 4),
        ("gym", "a, b, c, d, e = env.step(0)", 5),
        ("gym", "r = env.step(0)", 4),
        ("gymnasium", "r = env.step(0)", 5),
        ("gymnasium", "a, b, c, d, e = env.step(0)", 5),
    ],
)
def test_steps_of_both_generations(name, line, count):
    module = type(sys)(name)
    namespace = {"__name__": "script", name: module, "env": gym.make("CartPole-v1")}
    exec(line, namespace)
    assert len(namespace["r"]) == count if "r" in namespace else namespace["a"].shape == (4,)


def test_resets_of_both_generations():
    namespace = {"__name__": "script", "gym": type(sys)("gym"), "env": gym.make("CartPole-v1")}
    exec("old = env.reset()\nnew, info = env.reset()", namespace)
    assert namespace["old"].shape == namespace["new"].shape == (4,)
    assert namespace["info"] == {}


def test_wrappers_change_shapes():
    wrappers = gym.module("gymnasium.wrappers")
    env = gym.make("PongNoFrameskip-v4")
    for name, arguments, shape in (
        ("ResizeObservation", ((84, 84),), (84, 84, 3)),
        ("GrayScaleObservation", (), (84, 84)),
        ("FrameStack", (4,), (4, 84, 84)),
        ("RecordEpisodeStatistics", (), (4, 84, 84)),
        ("FlattenObservation", (), (4 * 84 * 84,)),
    ):
        env = wrappers[name](env, *arguments)
        assert env.observation_space.shape == shape
        assert env.reset()[0].shape == shape
    assert env.action_space.n == 6
    assert wrappers["AtariPreprocessing"](gym.make("ALE/Pong-v5")).observation_space.shape == (84, 84)


def test_many_environments():
    envs = gym.make_vec("Hopper-v4", 5)
    observation, _ = envs.reset()
    assert (observation.shape, envs.single_action_space.shape, envs.action_space.shape) == ((5, 11), (3,), (5, 3))
    observation, rewards, ended, cut, _ = envs.step(envs.action_space.sample())
    assert (observation.shape, rewards.shape, ended.shape, cut.shape) == ((5, 11), (5,), (5,), (5,))
    games = gym.pool("Breakout-v5", num_envs=7)
    assert (games.observation_space.shape, games.action_space.n) == ((4, 84, 84), 4)
    assert gym.procgen(2, "coinrun").reset()[0]["rgb"].shape == (2, 64, 64, 3)


def test_sizes_of_spaces():
    box = spaces.Box(-1, 1, (2, 3))
    assert spaces.flat_size(spaces.Dict(a=box, b=spaces.Discrete(4))) == 10
    assert box.batch(5).low.shape == (5, 2, 3)
    with pytest.raises(UnknownError):
        spaces.Discrete(Unknown("a number of actions"))


# ---------------------------------------------------------------- tables


def test_a_file_of_the_workspace_is_read(tmp_path, told):
    path = tmp_path / "small.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("a", "b", "name"), (1, 2.5, "x"), (3, 4, "y")])
    table = tables.read_csv(path)
    assert (len(table), list(table.columns), table.shape) == (2, ["a", "b", "name"], (2, 3))
    assert table[["a", "b"]].values.tolist() == [[1, 2.5], [3, 4]]
    assert table.drop("name", axis=1).values.shape == (2, 2)
    assert table.iloc[:, 1:3].columns.tolist() == ["b", "name"]
    assert table.iloc[1]["name"] == "y"
    with pytest.raises(KeyError):
        table["c"]
    assert told == []


def test_a_data_set_known_by_name(told):
    table = tables.read_csv("nowhere/ETTh1.csv")
    assert table[table.columns[1:]].values.shape == (17420, 7)
    assert told == []


def test_the_rows_of_any_other_table_are_told(told):
    table = tables.read_csv("nowhere/houses.csv")
    assert isinstance(table.columns, Unknown)
    assert isinstance(table.values, Unknown)
    assert isinstance(table.iloc[:, 1:], Unknown)
    assert isinstance(table.shape[1], Unknown)
    told.clear()
    assert table[["area", "rooms"]].values.shape[1] == 2
    assert told


def test_scalers_and_splits():
    scale = data_files.module("sklearn.preprocessing")["StandardScaler"]()
    assert scale.fit_transform(numpy.ones((6, 2))).shape == (6, 2)
    split = data_files.module("sklearn.model_selection")["train_test_split"]
    assert [len(part) for part in split(range(10), list(range(10)), test_size=0.25)] == [7, 3, 7, 3]
    assert isinstance(split(Unknown("rows"))[0], Unknown)


# ---------------------------------------------------------------- images


def test_sizes_of_images_that_are_not_here_are_told(told):
    folder = known_datasets.dataset("ImageFolder")("data", transform=vision.TRANSFORMS["ToTensor"]())
    folder[0]
    assert told
    told.clear()
    resized = vision.Compose([vision.TRANSFORMS["Resize"](64), vision.TRANSFORMS["CenterCrop"](64)])
    assert resized(pictures.Picture(500, 375, made_up=True)).tensor().shape == (3, 64, 64)
    assert told == []
    assert len(folder.classes) == 10
    assert told


def test_pictures_change_their_sizes(told):
    known = pictures.module("PIL.Image")
    picture = known["fromarray"](numpy.zeros((20, 30, 3), "uint8"))
    assert (picture.size, picture.mode, len(picture.split())) == ((30, 20), "RGB", 3)
    assert known["new"]("L", (8, 9)).tensor().shape == (1, 9, 8)
    assert picture.crop((0, 0, 15.0, 20)).transpose(known["ROTATE_90"]).size == (20, 15)
    picture.thumbnail((15, 15))
    assert picture.size == (15, 10)
    assert told == []
    assert known["open"](Unknown("a path")).size == (500, 375)
    assert told


def test_transforms_as_functions():
    functions = vision.module("torchvision.transforms.functional")
    image = pictures.Picture(40, 30)
    assert functions["to_tensor"](functions["resized_crop"](image, 0, 0, 10, 20, (7, 9))).shape == (3, 7, 9)
    assert functions["to_pil_image"](torch.zeros(3, 5, 6)).size == (6, 5)


def test_data_sets_hold_all_their_images():
    digits, objects = known_datasets.dataset("MNIST")("data"), known_datasets.dataset("CIFAR10")("data", train=False)
    assert (digits.data.shape, digits.targets.shape) == ((60000, 28, 28), (60000,))
    assert (objects.data.shape, len(objects.targets), len(objects)) == ((10000, 32, 32, 3), 10000, 10000)
    digits.data = digits.data[:100]
    assert len(digits) == 100


def test_fake_data_has_the_size_that_was_asked_for(told):
    data = known_datasets.dataset("FakeData")(
        image_size=(1, 20, 30), num_classes=3, transform=vision.TRANSFORMS["ToTensor"]()
    )
    assert data[0][0].shape == (1, 20, 30)
    assert len(data.classes) == 3
    assert told == []


def test_pictures_as_arrays(told):
    cv2 = opencv.module("cv2")
    picture = cv2["imread"]("cat.jpg")
    assert told
    assert cv2["resize"](picture, (32, 16)).shape == (16, 32, 3)
    assert cv2["cvtColor"](picture, cv2["COLOR_BGR2GRAY"]).ndim == 2
    assert isinstance(cv2["resize"](picture, None), Unknown)


def test_what_is_not_known_is_no_class():
    with pytest.raises(UnknownError):
        isinstance("db2", Unknown("pywt.Wavelet"))


# ---------------------------------------------------------------- the process alone, and large arrays


@pytest.fixture
def patched(monkeypatch):
    for owner, name, value in (*parallel.patches(), *stores.patches()):
        monkeypatch.setattr(owner, name, value, raising=False)


def test_one_process(patched, monkeypatch):
    monkeypatch.delitem(os.environ, "RANK", raising=False)
    dist = torch.distributed
    assert not dist.is_initialized()
    dist.init_process_group("nccl")
    assert (dist.is_initialized(), dist.get_rank(), dist.get_world_size()) == (True, 0, 1)
    dist.all_reduce(torch.zeros(2))
    dist.all_reduce(torch.zeros(2), async_op=True).wait()
    gathered = [None]
    dist.all_gather_object(gathered, "it")
    assert gathered == ["it"]
    assert os.environ["RANK"] == "0"
    assert "RANK" not in os.environ
    assert os.environ.get("RANK", "-1") == "-1"
    with pytest.raises(KeyError):
        os.environ["NOT_A_RANK"]


def test_wrapped_models(patched):
    model = torch.nn.Linear(2, 3)
    for wrapper in (torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel):
        wrapped = wrapper(model)
        assert isinstance(wrapped, wrapper)
        assert wrapped.module is model
        assert wrapped(torch.zeros(1, 2)).shape == (1, 3)
        assert [name for name, _ in wrapped.named_parameters()] == ["module.weight", "module.bias"]


def test_large_arrays_are_not_made(patched):
    store = numpy.zeros((1_000_000, 4, 84, 84), dtype=numpy.uint8)
    store[5] = numpy.ones((4, 84, 84))
    assert store.shape == (1_000_000, 4, 84, 84)
    assert store[[1, 2]].shape == (2, 4, 84, 84)
    small = numpy.zeros((2, 2))
    small[0, 0] = 1
    assert small.sum() == 1


# ---------------------------------------------------------------- blame


def _error(text: str, namespace: dict) -> BaseException:
    with pytest.raises(Exception) as caught:
        exec(compile(text, "/script.py", "exec"), {**namespace, "__name__": "script"})
    return caught.value


def test_nobody_is_blamed_for_a_stand_in():
    tracer = Tracer()
    tracer.files["/script.py"] = FileTrace("/script.py", None)
    from_numpy = _error("f([1], [1, 2])", {"f": lambda *parts: numpy.stack(parts)})
    assert not _passes_stand_in(from_numpy, tracer)
    inside = _error("table['a']", {"table": tables.named("ETTh1")})
    assert _passes_stand_in(inside, tracer)
    behind = _error("Box('low', 1, (2,))", {"Box": spaces.Box})
    assert _passes_stand_in(behind, tracer)
    handed_on = _error(
        "Compose([lambda image: torch.zeros(2, 3) @ torch.zeros(2)])(1)", {"Compose": vision.Compose, "torch": torch}
    )
    assert not _passes_stand_in(handed_on, tracer)


def test_every_stand_in_is_marked():
    files = {source.__globals__["__file__"] for source in finder._SOURCES}
    files |= {module.__file__ for module in (finder, parallel, stores, tables, spaces, gym_env, columns, gym_wrappers)}
    for file in files:
        assert "\nSTAND_IN = True\n" in Path(file).read_text(), file


@pytest.mark.parametrize("name", ["HParams", "tf.contrib.training.HParams", "ModelConfig", "argparse.Namespace"])
def test_settings_of_a_package_that_is_missing_have_what_they_are_given(name):
    given = Unknown(name)(channels=3, sizes=[1, 2])
    assert (given.channels, given.sizes) == (3, [1, 2])
    assert isinstance(given.depth, Unknown)


def test_other_objects_of_such_a_package_are_not_known():
    assert isinstance(Unknown("package.Model")(channels=3), Unknown)
    assert isinstance(Unknown("package.Config")("file.json", channels=3), Unknown)


class TestWeights:
    def test_whoever_goes_through_them_meets_none(self):
        loaded = Unknown("torch.load(...)", loaded=True)
        assert list(loaded.items()) == list(loaded["model"].keys()) == []
        assert {key: value for key, value in loaded["state"].items()} == {}

    def test_they_are_not_known_otherwise(self):
        loaded = Unknown("torch.load(...)", loaded=True)
        for use in (iter, len, bool):
            with pytest.raises(UnknownError):
                use(loaded)
        with pytest.raises(UnknownError):
            list(Unknown("config").items())


class TestFolders:
    """The first folder of the path is the script's own."""

    def found(self, tmp_path, monkeypatch, files):
        write_tree(tmp_path, dict.fromkeys(files, "x = 1\n"))
        monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second")])
        search = finder.WorkspaceFinder(Sources(str(tmp_path), {}), lambda *args: None)
        spec = search.find_spec("utils")
        return None if spec is None else spec.origin or spec.submodule_search_locations

    def test_a_folder_of_modules_comes_before_a_module_elsewhere(self, tmp_path, monkeypatch):
        found = self.found(tmp_path, monkeypatch, ["first/utils/tools.py", "second/utils.py"])
        assert found == [str(tmp_path / "first" / "utils")]

    def test_a_folder_without_modules_does_not(self, tmp_path, monkeypatch):
        found = self.found(tmp_path, monkeypatch, ["first/utils/data.txt", "second/utils.py"])
        assert found == str(tmp_path / "second" / "utils.py")

    def test_a_package_is_found_as_ever(self, tmp_path, monkeypatch):
        found = self.found(tmp_path, monkeypatch, ["first/utils/__init__.py", "first/utils.py", "second/utils.py"])
        assert found == str(tmp_path / "first" / "utils" / "__init__.py")
