"""huggingface_hub where it is not installed: a mix-in of models that can be pushed and pulled changes no shape."""

from __future__ import annotations

from typing import Any, Optional

from metalens.worker.load.unknown import Unknown

STAND_IN = True


class PyTorchModelHubMixin:
    """Methods that reach the hub; what they bring from there is not known."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """A model of somebody's."""
        return Unknown(f"{cls.__name__}.from_pretrained(...)")

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is written."""

    push_to_hub = save_pretrained


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without any."""
    if name.partition(".")[0] != "huggingface_hub":
        return None
    return {"PyTorchModelHubMixin": PyTorchModelHubMixin, "ModelHubMixin": PyTorchModelHubMixin}
