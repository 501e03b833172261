"""Lightning without its loops: a trainer takes one batch of each loader through the steps that the user wrote.

These stand in for the package even where it is installed: its own trainer wants devices, files and real numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import torch

from metalens.worker.load.commandlines import literal
from metalens.worker.load.settings import Settings
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

_PACKAGES = ("pytorch_lightning", "lightning", "lightning.pytorch")
_INSIDE = "core core.lightning core.module core.datamodule trainer trainer.trainer utilities utilities.seed cli"
_OPTIONS = (
    "logger checkpoint_callback default_root_dir gradient_clip_val process_position num_nodes num_processes gpus"
    " auto_select_gpus tpu_cores log_gpu_memory progress_bar_refresh_rate overfit_batches track_grad_norm"
    " check_val_every_n_epoch fast_dev_run accumulate_grad_batches max_epochs min_epochs max_steps min_steps"
    " limit_train_batches limit_val_batches limit_test_batches val_check_interval log_every_n_steps accelerator"
    " distributed_backend sync_batchnorm precision weights_summary num_sanity_val_steps resume_from_checkpoint profiler"
    " benchmark deterministic auto_lr_find auto_scale_batch_size replace_sampler_ddp amp_backend amp_level strategy"
    " devices enable_checkpointing enable_progress_bar detect_anomaly"
).split()
_STARRED = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


class Hyperparameters:
    """What `save_hyperparameters` keeps: the arguments of the constructor that calls it, or what it is given."""

    _kept: Optional[Settings] = None

    @property
    def hparams(self) -> Any:
        """The arguments that were kept."""
        if self._kept is None:
            object.__setattr__(self, "_kept", Settings())
        return self._kept

    @hparams.setter
    def hparams(self, value: Any) -> None:
        given = value if isinstance(value, dict) else vars(value) if hasattr(value, "__dict__") else {}
        object.__setattr__(self, "_kept", Settings(given))

    def save_hyperparameters(self, *args: Any, ignore: Any = (), frame: Any = None, **options: Any) -> None:
        """Keep all arguments, those that are named, or the items of one object."""
        named = {item for item in args if isinstance(item, str)}
        left_out = {ignore} if isinstance(ignore, str) else set(ignore or ())
        given: dict[str, Any] = {}
        for part in args:
            if not isinstance(part, str):
                given.update(part if isinstance(part, dict) else vars(part))
        if len(named) == len(args):
            given = _constructor_arguments(self, sys._getframe(1))
        kept = {key: value for key, value in given.items() if key not in left_out and (not named or key in named)}
        self.hparams.update(kept)

    @property
    def hparams_initial(self) -> Any:
        """The same; nothing is logged here."""
        return self.hparams


def _constructor_arguments(owner: Any, frame: Any) -> dict[str, Any]:
    """The arguments of the constructors of an object that are under way, those of its own class last."""
    found: dict[str, Any] = {}
    while frame is not None:
        code, values = frame.f_code, frame.f_locals
        if code.co_name == "__init__" and code.co_argcount and values.get(code.co_varnames[0]) is owner:
            names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
            found.update({name: values[name] for name in names if name in values})
            if code.co_flags & inspect.CO_VARKEYWORDS:
                at = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
                found.update(values.get(code.co_varnames[at], {}))
        frame = frame.f_back
    return found


class DataHooks:
    """What both modules and data modules may define, and need not."""

    trainer: Any = Unknown("trainer")

    def prepare_data(self) -> None:
        """Nothing to download."""

    def setup(self, stage: Any = None) -> None:
        """Nothing to set up."""


class LightningModule(Hyperparameters, DataHooks, torch.nn.Module):
    """A torch module with the conveniences that user code calls."""

    device = torch.device("cpu")
    dtype = torch.float32
    current_epoch = global_step = local_rank = global_rank = 0
    automatic_optimization = True
    logger: Any = Unknown("logger")
    on_gpu = False
    example_input_array: Any = None

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is logged."""

    log_dict = manual_backward = toggle_optimizer = untoggle_optimizer = clip_gradients = log
    configure_model = configure_sharded_model = freeze = unfreeze = log
    log.takes_unknown = True  # type: ignore[attr-defined]

    def all_gather(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """What one process has."""
        return data

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is printed."""

    def optimizers(self, *args: Any, **kwargs: Any) -> Any:
        """What `configure_optimizers` gave: one optimizer, or a list of several."""
        return getattr(self.trainer, "_optimizers", Unknown("an optimizer"))

    def lr_schedulers(self) -> Any:
        """Schedulers change numbers only."""
        return Unknown("a scheduler")

    @classmethod
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> Any:
        """Whatever arguments were saved with the weights."""
        return Unknown("a model from a checkpoint")


class LightningDataModule(Hyperparameters, DataHooks):
    """The base of what makes loaders."""

    @classmethod
    def from_datasets(
        cls, train_dataset: Any = None, val_dataset: Any = None, test_dataset: Any = None, batch_size: int = 1, **_: Any
    ) -> Any:
        """A data module of loaders for these."""
        made = cls()
        for name, data in (("train", train_dataset), ("val", val_dataset), ("test", test_dataset)):
            if data is not None:
                loader = torch.utils.data.DataLoader(data, batch_size)
                setattr(made, f"{name}_dataloader", lambda loader=loader: loader)
        return made


class Trainer:
    """Runs the steps of a module on the first batch of each loader."""

    takes_unknown = True

    def __init__(self, *args: Any, **options: Any) -> None:
        self.current_epoch = self.global_step = self.global_rank = self.local_rank = 0
        self.world_size = self.num_devices = self.num_nodes = 1
        self.training = self.is_global_zero = True
        self.sanity_checking = self.interrupted = self.should_stop = False
        self.max_epochs = options.get("max_epochs", 1)
        self.max_steps = options.get("max_steps", -1)
        self.num_training_batches = self.estimated_stepping_batches = 100
        self.logger = options.get("logger", Unknown("logger"))
        self.callback_metrics: dict[str, Any] = {}
        self._optimizers: Any = Unknown("an optimizer")
        self.datamodule: Any = None

    @classmethod
    def add_argparse_args(cls, parent_parser: Any, **options: Any) -> Any:
        """The parser with the trainer's options, none of which decides a shape."""
        for name in _OPTIONS:
            with contextlib.suppress(argparse.ArgumentError):
                parent_parser.add_argument(f"--{name}", type=_option, default=None)
        return parent_parser

    @classmethod
    def from_argparse_args(cls, args: Any, **options: Any) -> Any:
        """A trainer with these options."""
        return cls(**{**{name: value for name, value in vars(args).items() if name in _OPTIONS}, **options})

    from_argparse_args.__func__.takes_unknown = True  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"the trainer's {name}")

    def fit(
        self,
        model: Any,
        train_dataloaders: Any = None,
        val_dataloaders: Any = None,
        datamodule: Any = None,
        ckpt_path: Any = None,
        **older: Any,
    ) -> None:
        """One step of training, then one of validation."""
        loaders = older.get("train_dataloader", train_dataloaders)
        if _is_datamodule(loaders):
            loaders, datamodule = None, loaders
        self._begin(model, datamodule, "fit")
        with _own_failures():
            self._optimizers = _optimizers(model.configure_optimizers())
        self._steps(model, "training_step", "train_dataloader", loaders, datamodule)
        model.eval()
        self._steps(model, "validation_step", "val_dataloader", val_dataloaders, datamodule)
        model.train()

    def validate(self, model: Any = None, dataloaders: Any = None, datamodule: Any = None, **options: Any) -> list[Any]:
        """One step of validation."""
        return self._evaluate("validate", model, "validation_step", "val_dataloader", dataloaders, datamodule)

    def test(self, model: Any = None, dataloaders: Any = None, datamodule: Any = None, **options: Any) -> list[Any]:
        """One step of testing."""
        return self._evaluate("test", model, "test_step", "test_dataloader", dataloaders, datamodule)

    def predict(self, model: Any = None, dataloaders: Any = None, datamodule: Any = None, **options: Any) -> list[Any]:
        """What one step of predicting gives."""
        return self._evaluate("predict", model, "predict_step", "predict_dataloader", dataloaders, datamodule)

    def tune(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to tune."""

    save_checkpoint = tune

    def _evaluate(self, stage: str, model: Any, step: str, loader: str, given: Any, datamodule: Any) -> list[Any]:
        model = self.__dict__.get("lightning_module") if model is None else model
        if _is_datamodule(given):
            given, datamodule = None, given
        self._begin(model, datamodule if datamodule is not None else self.datamodule, stage)
        model.eval()
        return self._steps(model, step, loader, given, datamodule if datamodule is not None else self.datamodule)

    def _begin(self, model: Any, datamodule: Any, stage: str) -> None:
        if model is None or isinstance(model, Unknown) or isinstance(datamodule, Unknown):
            raise UnknownError("what is trained is not known")
        self.lightning_module = self.model = model
        self.datamodule = datamodule
        for part in (datamodule, model):
            if part is not None:
                part.trainer = self
                for hook, args in (("prepare_data", ()), ("setup", (stage,))):
                    function = getattr(part, hook, None)
                    if function is not None and not isinstance(function, Unknown):
                        function(*_fitting(function, args))
        for hook in ("configure_sharded_model", "configure_model"):
            getattr(model, hook, lambda: None)()

    def _steps(self, model: Any, step: str, name: str, given: Any, datamodule: Any) -> list[Any]:
        function = getattr(model, step, None)
        if function is None:
            return []
        loader = given
        for owner in (datamodule, model):
            if loader is None:
                loader = getattr(owner, name, lambda: None)()
        if loader is None:
            return []
        several = isinstance(loader, (list, tuple)) and step != "training_step"
        made = []
        for index, part in enumerate(loader if several else [loader]):
            batch = _batch(part)
            make = getattr(model, "on_before_batch_transfer", None)
            batch = make(batch, index) if make is not None and not isinstance(make, Unknown) else batch
            made.append(function(*_fitting(function, (batch, 0, index))))
        return made


for _method in vars(Trainer).values():
    if inspect.isfunction(_method):
        _method.takes_unknown = True  # type: ignore[attr-defined]


def _is_datamodule(item: Any) -> bool:
    return hasattr(type(item), "train_dataloader") or isinstance(item, LightningDataModule)


def _batch(loader: Any) -> Any:
    """The first batch; of several loaders together one of each."""
    if isinstance(loader, Unknown):
        raise UnknownError("the training data is not known")
    if isinstance(loader, dict):
        return {key: _batch(part) for key, part in loader.items()}
    if isinstance(loader, (list, tuple)):
        return [_batch(part) for part in loader]
    for batch in loader:
        return batch
    raise UnknownError("the training data is empty")


def _fitting(function: Any, args: Sequence[Any]) -> Sequence[Any]:
    """As many of the arguments as a hook takes by position without a default of its own."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return args
    if any(part.kind == inspect.Parameter.VAR_POSITIONAL for part in parameters):
        return args
    return args[: sum(part.kind not in (*_STARRED, inspect.Parameter.KEYWORD_ONLY) for part in parameters)]


@contextlib.contextmanager
def _own_failures() -> Iterator[None]:
    """What fails here is passed over: optimizers change numbers, no shapes."""
    try:
        yield
    except Exception:  # noqa: BLE001 - the user's hook may raise anything
        return


def _optimizers(made: Any) -> Any:
    """The optimizers among what `configure_optimizers` gives, as `optimizers()` tells them."""
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], (list, tuple)):
        made = made[0]
    if isinstance(made, dict):
        return made.get("optimizer", Unknown("an optimizer"))
    if not isinstance(made, (list, tuple)):
        return made
    found = [part.get("optimizer") if isinstance(part, dict) else part for part in made]
    return found[0] if len(found) == 1 else found


def _option(text: str) -> Any:
    """A word of the command line; a list of devices stays a text."""
    return text if "," in text else literal(text)


def _seed(seed: Any = None, *args: Any, **kwargs: Any) -> Any:
    if isinstance(seed, int):
        random.seed(seed)
        torch.manual_seed(seed)
    return seed


class Callback:
    """The base of callbacks, which nobody calls."""


_HELD: dict[str, Any] = {
    "LightningModule": LightningModule,
    "LightningDataModule": LightningDataModule,
    "Trainer": Trainer,
    "Callback": Callback,
    "seed_everything": _seed,
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package."""
    return _HELD if name in _MODULES else None


def replaces(name: str) -> bool:
    """Whether this module is stood in for even where it is installed."""
    return name.partition(".")[0] in ("pytorch_lightning", "lightning")


_MODULES = {f"{package}.{inner}".rstrip(".") for package in _PACKAGES for inner in ("", *_INSIDE.split())}
