"""mpi4py where it is not installed: a world of one process, which hears what it says."""

from __future__ import annotations

from typing import Any, Optional

STAND_IN = True


class Communicator:
    """The one process, of rank 0."""

    rank, size = 0, 1

    def Get_rank(self) -> int:  # noqa: N802 - as MPI has it
        """Its rank."""
        return 0

    def Get_size(self) -> int:  # noqa: N802 - as MPI has it
        """How many there are."""
        return 1

    def Split(self, *args: Any, **kwargs: Any) -> Communicator:  # noqa: N802 - as MPI has it
        """The part in which it is."""
        return self

    def bcast(self, obj: Any = None, root: int = 0) -> Any:
        """What it says itself."""
        return obj

    def gather(self, sendobj: Any = None, root: int = 0) -> list[Any]:
        """What all say."""
        return [sendobj]

    def allgather(self, sendobj: Any = None) -> list[Any]:
        """What all say."""
        return [sendobj]

    def scatter(self, sendobj: Any, root: int = 0) -> Any:
        """Its part."""
        return sendobj[0]

    def allreduce(self, sendobj: Any, op: Any = None) -> Any:
        """The sum of one, or the largest."""
        return sendobj

    reduce = allreduce

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:  # noqa: N802 - as MPI has it
        """Into an array."""
        recvbuf[...] = sendbuf

    def Bcast(self, buf: Any, root: int = 0) -> None:  # noqa: N802 - as MPI has it
        """The array stays as it is."""

    def Barrier(self) -> None:  # noqa: N802 - as MPI has it
        """Nobody to wait for."""

    barrier = Barrier


_MODULES: dict[str, dict[str, Any]] = {
    "mpi4py.MPI": {"COMM_WORLD": Communicator(), **{name: name.lower() for name in ("SUM", "MAX", "MIN", "IN_PLACE")}}
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for any other."""
    return _MODULES.get(name)
