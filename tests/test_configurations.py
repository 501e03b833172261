"""Stand-ins for packages that hold settings or make command lines: what they give is what the packages would give."""

import dataclasses
import sys
from typing import Annotated, Any, Literal

import pytest

torch = pytest.importorskip("torch")

from metalens.worker.load import (  # noqa: E402
    clicks,
    commandlines,
    hydra,
    lightning,
    omega,
    omegaconf,
    records,
    settings,
)
from metalens.worker.load.unknown import Unknown, UnknownError  # noqa: E402
from trees import write_tree  # noqa: E402

pytestmark = pytest.mark.torch

OmegaConf = omegaconf.OmegaConf


@pytest.fixture
def argv(monkeypatch):
    def give(text):
        monkeypatch.setattr(sys, "argv", ["train.py", *text.split()])

    return give


class TestSettings:
    @pytest.mark.parametrize("name", ["easydict.EasyDict", "munch.Munch", "box.Box", "addict.Dict"])
    def test_items_are_attributes_all_the_way_down(self, name):
        package, _, kind = name.rpartition(".")
        made = settings.module(package)[kind]({"model": {"dim": 4, "layers": [{"k": 1}]}})
        made.model.heads = 2
        assert (made.model.dim, made["model"]["heads"], made.model.layers[0].k) == (4, 2, 1)
        assert dict(**made.model) == {"dim": 4, "layers": [{"k": 1}], "heads": 2}

    def test_what_is_absent(self):
        with pytest.raises(AttributeError):
            _ = settings.Settings().dim
        deep = settings.Deep()
        deep.model.dim = 3
        assert deep == {"model": {"dim": 3}}

    def test_ml_collections(self):
        config = settings.ConfigDict({"model": {"dim": 4, "k": 1}})
        config.update({"model": {"dim": 8}})
        with config.unlocked():
            config.extra = settings.ConfigDict()
        assert config.to_dict() == {"model": {"dim": 8, "k": 1}, "extra": {}}

    def test_yacs(self, tmp_path):
        node = records.CfgNode()
        node.MODEL = records.CfgNode(new_allowed=True)
        node.MODEL.DIM = 4
        node.MODEL.NAME = "a"
        node.MODEL.SIZES = (1, 2)
        node.MODEL.STEPS = [1]
        text = "MODEL:\n  DIM: 8\n  SIZES: (3, 4)\n  STEPS: [5, 6]\n"
        file = write_tree(tmp_path, {"a.yaml": text}) / "a.yaml"
        other = node.clone()
        other.merge_from_file(str(file))
        other.merge_from_list(["MODEL.NAME", "b", "MODEL.STEPS", "(7,)"])
        assert (node.MODEL.DIM, other.MODEL.DIM, other.MODEL.NAME) == (4, 8, "b")
        assert (node.MODEL.SIZES, other.MODEL.SIZES, other.MODEL.STEPS) == ((1, 2), (3, 4), [7])

    def test_wandb(self):
        tracker = settings.module("wandb")
        tracker["init"](project="x", config={"dim": 4})
        assert tracker["config"].dim == 4
        assert isinstance(tracker["config"].other, Unknown)


class TestRecords:
    def test_pydantic(self):
        field = records.module("pydantic")["Field"]

        class Config(records.BaseModel):
            dim: int
            heads: int = 2
            sizes: list = field(default_factory=lambda: [1, 2])

        made = Config(dim=4)
        assert (made.dim, made.heads, made.sizes, made.model_copy(update={"dim": 5}).dim) == (4, 2, [1, 2], 5)
        assert isinstance(Config().dim, Unknown)

    def test_attrs(self):
        attrs = records.module("attrs")

        @attrs["define"]
        class Config:
            dim: int
            heads: int = attrs["field"](default=2)
            sizes: list = attrs["field"](factory=list)

        assert Config(4) == Config(4, 2, [])


class TestOmega:
    def test_references_follow_the_tree(self):
        config = OmegaConf.create(
            {
                "dim": 4,
                "model": {"width": "${dim}", "inner": {"up": "${..width}"}, "name": "net-${dim}"},
                "all": ["${dim}"],
            }
        )
        assert (config.model.width, config.model.inner.up, config.model.name, config.all[0]) == (4, 4, "net-4", 4)
        config.dim = 8
        assert config.model.inner.up == 8
        assert dict(**config.model)["width"] == 8
        assert OmegaConf.to_container(config, resolve=True)["all"] == [8]
        assert OmegaConf.to_container(config)["model"]["width"] == "${dim}"

    def test_what_is_missing_is_not_known(self):
        config = OmegaConf.create({"dim": "???"})
        assert isinstance(config.dim, Unknown)
        assert OmegaConf.is_missing(config, "dim")
        assert OmegaConf.merge(config, {"dim": 3}).dim == 3

    def test_a_configuration_knows_its_data_class(self):
        @dataclasses.dataclass
        class Inner:
            width: int = 3

        @dataclasses.dataclass
        class Outer:
            inner: Inner = dataclasses.field(default_factory=Inner)

        config = OmegaConf.merge(OmegaConf.create(Outer), {"inner": {"width": 4}})
        assert (OmegaConf.get_type(config), OmegaConf.get_type(config.inner)) == (Outer, Inner)
        assert (OmegaConf.get_type(config, "inner"), OmegaConf.get_type(config.inner.width)) == (Inner, int)
        assert OmegaConf.get_type(OmegaConf.create({"a": []})) is dict

    def test_merging_goes_down(self, argv):
        argv("model.dim=8 lr=1e-3 tags=[a,b]")
        merged = OmegaConf.merge({"model": {"dim": 4, "heads": 2}, "lr": 1}, OmegaConf.from_cli())
        assert (merged.model.dim, merged.model.heads, merged.lr, list(merged.tags)) == (8, 2, 0.001, ["a", "b"])

    def test_data_classes_are_schemas(self):
        @dataclasses.dataclass
        class Model:
            dim: int = 4
            name: str = omega.MISSING

        @dataclasses.dataclass
        class Config:
            seed: int
            model: Model = dataclasses.field(default_factory=Model)

        config = OmegaConf.structured(Config)
        assert config.model.dim == 4
        assert isinstance(config.seed, Unknown) and isinstance(config.model.name, Unknown)

    def test_resolvers(self):
        OmegaConf.register_new_resolver("times", lambda a, b: a * b)
        assert OmegaConf.create({"a": 3, "b": "${times:${a},2}"}).b == 6
        assert isinstance(OmegaConf.create({"b": "${nobody:1}"}).b, Unknown)


HYDRA = {
    "conf/config.yaml": "defaults:\n  - model: small\n  - experiment: null\n  - _self_\nseed: 1\nmodel:\n  heads: 3\n",
    "conf/model/small.yaml": "_target_: collections.Counter\ndim: 4\nheads: 2\nseed: ${seed}\n",
    "conf/model/wide.yaml": "defaults:\n  - small\n  - _self_\ndim: 64\n",
    "conf/experiment/big.yaml": "# @package _global_\ndefaults:\n  - override /model: wide\nseed: 7\n",
}


class TestHydra:
    def composed(self, tmp_path, *overrides, name="config"):
        return hydra.compose(name, overrides, str(write_tree(tmp_path, HYDRA) / "conf"))

    def test_defaults_are_merged_in_their_order(self, tmp_path):
        config = self.composed(tmp_path)
        assert (config.model.dim, config.model.heads, config.model.seed) == (4, 3, 1)

    def test_the_command_line_chooses_groups_and_values(self, tmp_path):
        config = self.composed(tmp_path, "model=wide", "seed=5", "+extra.dim=2")
        assert (config.model.dim, config.model.seed, config.extra.dim) == (64, 5, 2)

    @pytest.mark.parametrize("word", ["experiment=big", "+experiment=big"])
    def test_an_experiment_overrides_what_others_chose(self, tmp_path, word):
        config = self.composed(tmp_path, word)
        assert (config.model.dim, config.model._target_) == (64, "collections.Counter")

    def test_what_is_not_there_is_not_known(self, tmp_path):
        with pytest.raises(UnknownError):
            self.composed(tmp_path, "model=nobody")

    def test_the_oldest_versions_leave_the_files_of_groups_where_they_are(self, tmp_path):
        folder = write_tree(
            tmp_path, {"c/config.yaml": "defaults:\n  - data: x\n", "c/data/x.yaml": "data:\n  size: 2\n"}
        )
        assert hydra.compose("config.yaml", (), str(folder / "c"), flat=True).data.size == 2
        assert hydra.compose("config", (), str(folder / "c")).data.data.size == 2

    def test_objects_are_made(self, tmp_path):
        made = hydra.instantiate(self.composed(tmp_path).model, heads=9)
        assert dict(made) == {"dim": 4, "heads": 9, "seed": 1}
        inner = {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "torch.nn.Linear", "_args_": [3, 4]}]}
        assert hydra.instantiate({"net": inner, "x": 1})["net"][0].out_features == 4
        partial = hydra.instantiate({"_target_": "torch.nn.Linear", "_partial_": True, "in_features": 3})
        assert partial(out_features=2).weight.shape == (2, 3)

    def test_stored_configurations(self, tmp_path):
        @dataclasses.dataclass
        class Model:
            dim: int = 12

        hydra.Store.instance().store(name="stored", node=Model, group="model")
        assert self.composed(tmp_path, "model=stored").model.dim == 12


class TestCommandLines:
    def test_data_classes(self, argv):
        @dataclasses.dataclass
        class Optimizer:
            lr: float = 0.1

        @dataclasses.dataclass
        class Args:
            dim: int
            size: Literal["s", "m"] = "s"
            deep: bool = False
            steps: list[int] = dataclasses.field(default_factory=lambda: [1])
            optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)

        argv("--dim 8 --size m --deep --steps 1 2 --optimizer.lr 0.5")
        made = commandlines.module("tyro")["cli"](Args)
        assert made == Args(8, "m", True, [1, 2], Optimizer(0.5))
        argv("--no-deep")
        made = commandlines.HfArgumentParser(Args).parse_args_into_dataclasses()[0]
        assert isinstance(made.dim, Unknown) and made.optimizer.lr == 0.1

    @pytest.mark.parametrize(
        ("line", "expected"),
        [("", (1, "a")), ("--n 3", (3, "a")), ("5 b", (5, "b")), ("--n=3 --name=c", (3, "c"))],
    )
    def test_functions(self, argv, line, expected):
        seen = []

        def main(n: int = 1, name: str = "a") -> None:
            seen.append((n, name))

        argv(line)
        commandlines.module("fire")["Fire"](main)
        commandlines.module("tyro")["cli"](main)
        assert seen == [expected] * 2

    def test_methods(self, argv):
        class Tool:
            def __init__(self, n=1):
                self.n = n

            def train(self, k):
                return self.n, k

        argv("--n 2 train 3")
        assert commandlines.module("fire")["Fire"](Tool) == (2, 3)

    def test_flags(self, argv):
        flags = commandlines.module("absl.flags")
        holder = flags["DEFINE_integer"]("width_of_test", 4, "help")
        argv("--width_of_test=6")
        assert commandlines.module("absl.app")["run"](lambda argv: flags["FLAGS"].width_of_test) == 6
        assert holder.value == 6


class TestClicks:
    def test_options(self, argv):
        click = clicks.module("click")
        seen = []

        @click["command"]()
        @click["option"]("--dim", "-d", default=4, help="width")
        @click["option"]("--arch", type=click["Choice"](["a", "b"]), required=True)
        @click["option"]("--deep/--flat", default=False)
        @click["option"]("--size", type=int, multiple=True)
        @click["argument"]("path")
        def main(dim, arch, deep, size, path):
            seen.append((dim, arch, deep, size, path))

        argv("here -d 8 --arch b --deep --size 1")
        main()
        assert seen == [(8, "b", True, [1], "here")]
        argv("")
        main()
        assert seen[1][0] == 4 and isinstance(seen[1][1], Unknown)

    def test_groups(self, argv):
        click = clicks.module("click")
        seen = []

        @click["group"]()
        def cli():
            seen.append("cli")

        @cli.command()
        @click["option"]("--n", default=1)
        def train(n):
            seen.append(n)

        argv("train --n 3")
        cli()
        assert seen == ["cli", 3]

    def test_typer(self, argv):
        typer = clicks.module("typer")
        app, seen = typer["Typer"](), []

        @app.command()
        def main(path: str, dim: int = typer["Option"](4, "--dim", "-d"), heads: Annotated[int, typer["Option"]()] = 2):
            seen.append((path, dim, heads))

        argv("here -d 8")
        app()
        argv("--heads 3")
        typer["run"](main)
        assert seen[0] == ("here", 8, 2)
        assert isinstance(seen[1][0], Unknown) and seen[1][1:] == (4, 3)


class Module(lightning.LightningModule):
    def __init__(self, dim, heads=2, *, net: Any = None, **more):
        super().__init__()
        self.save_hyperparameters(ignore=["net"])
        self.layer = torch.nn.Linear(dim, heads)
        self.steps: list[Any] = []

    def training_step(self, batch, batch_idx):
        self.steps.append(("train", batch.shape, self.trainer.current_epoch))

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.steps.append(("val", batch.shape, dataloader_idx))


class Data(lightning.LightningDataModule):
    def setup(self, stage):
        self.items = torch.zeros(8, 3)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(self.items, batch_size=4)

    def val_dataloader(self):
        return [torch.utils.data.DataLoader(self.items, batch_size=size) for size in (1, 2)]


class TestLightning:
    def test_hyperparameters_are_the_arguments(self):
        made = Module(3, net=object(), rate=0.1)
        assert made.hparams == {"dim": 3, "heads": 2, "rate": 0.1}
        assert made.hparams.heads == 2

    def test_each_step_runs_on_a_batch(self):
        made = Module(3)
        lightning.Trainer(max_epochs=9).fit(made, datamodule=Data())
        assert made.steps == [("train", (4, 3), 0), ("val", (1, 3), 0), ("val", (2, 3), 1)]

    def test_loaders_may_be_given(self):
        made = Module(3)
        lightning.Trainer().fit(made, iter([torch.zeros(5, 3)]), [iter([torch.zeros(6, 3)])])
        assert [step[1] for step in made.steps] == [(5, 3), (6, 3)]

    def test_what_is_not_known_is_not_trained(self):
        with pytest.raises(UnknownError):
            lightning.Trainer().fit(Unknown("a model"))
