"""scipy's matrices where it is not installed: the shapes of what is factored, and of sparse matrices, as zeros."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

from metalens.worker.load import arrays
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True


def _zeros(*shape: int, kind: str = "float64") -> Any:
    return arrays.numpy().zeros(shape, kind)


def _extent(matrix: Any) -> tuple[int, int]:
    shape: tuple[int, ...] = getattr(matrix, "shape", ())
    if len(shape) != 2:
        raise UnknownError("the size of a matrix is not known")
    return int(shape[0]), int(shape[1])


# ---------------------------------------------------------------- factors


def _like(array: Any, *shape: int) -> Any:
    """Zeros of the type that factors of an array have: single precision stays, all else is double."""
    return _zeros(*shape, kind="float32" if str(getattr(array, "dtype", "")) == "float32" else "float64")


def _qr(a: Any, overwrite_a: Any = False, lwork: Any = None, mode: str = "full", **options: Any) -> Any:
    m, n = _extent(a)
    inner = m if mode in ("full", "r") else min(m, n)
    return (_like(a, inner, n),) if mode == "r" else (_like(a, m, inner), _like(a, inner, n))


def _lu(a: Any, permute_l: bool = False, **options: Any) -> Any:
    m, n = _extent(a)
    inner = min(m, n)
    rest = (_like(a, m, inner), _like(a, inner, n))
    return rest if permute_l else (_like(a, m, m), *rest)


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, **options: Any) -> Any:
    m, n = _extent(a)
    inner = min(m, n)
    values = _like(a, inner)
    if not compute_uv:
        return values
    return (
        (_like(a, m, m), values, _like(a, n, n)) if full_matrices else (_like(a, m, inner), values, _like(a, inner, n))
    )


def _same(a: Any, *args: Any, **options: Any) -> Any:
    return _like(a, *_extent(a))


def _turned(a: Any, *args: Any, **options: Any) -> Any:
    return _like(a, *_extent(a)[::-1])


def _second(a: Any, b: Any, *args: Any, **options: Any) -> Any:
    return _like(b, *b.shape)


def _eigen(a: Any, *args: Any, **options: Any) -> Any:
    size = _extent(a)[0]
    return _like(a, size), _like(a, size, size)


def _blocks(*parts: Any) -> Any:
    extents = [_extent(part) for part in parts]
    return _like(parts[0], sum(rows for rows, _ in extents), sum(columns for _, columns in extents))


def _toeplitz(c: Any, r: Any = None) -> Any:
    return _like(c, len(c), len(c if r is None else r))


_FACTORS: dict[str, Any] = {
    **{"qr": _qr, "lu": _lu, "svd": _svd, "eigh": _eigen, "eig": _eigen, "block_diag": _blocks, "toeplitz": _toeplitz},
    **dict.fromkeys("inv cholesky expm logm sqrtm orth".split(), _same),
    **{"pinv": _turned, "solve": _second, "circulant": _toeplitz, "hadamard": lambda n, *args: _zeros(n, n)},
}


# ---------------------------------------------------------------- sparse matrices


class Sparse:
    """A sparse matrix, of which only the shape is kept; every format is this one."""

    __array_priority__ = 10.1

    def __init__(self, content: Any, shape: Any = None, dtype: Any = None, copy: Any = False) -> None:
        if isinstance(content, tuple) and shape is None and all(isinstance(part, int) for part in content):
            shape = content
        if shape is None:
            shape = _extent(content)
        if not all(isinstance(part, int) or hasattr(part, "__index__") for part in shape) or len(shape) != 2:
            raise UnknownError("the size of a matrix is not known")
        self.shape: tuple[int, int] = (int(shape[0]), int(shape[1]))
        self.dtype = arrays.numpy().dtype(dtype or "float64")
        self.ndim, self.nnz, self.size = 2, self.shape[0], self.shape[0]

    @property
    def T(self) -> Sparse:  # noqa: N802 - its name
        """Rows for columns."""
        return Sparse(self.shape[::-1], dtype=self.dtype)

    def transpose(self, *args: Any, **options: Any) -> Sparse:
        """Rows for columns."""
        return self.T

    @property
    def data(self) -> Any:
        """The values that are no zeros."""
        return _zeros(self.nnz, kind=self.dtype)

    @property
    def row(self) -> Any:
        """Where they are."""
        return _zeros(self.nnz, kind="int32")

    col = indices = row

    @property
    def indptr(self) -> Any:
        """Where each row begins."""
        return _zeros(self.shape[0] + 1, kind="int32")

    def toarray(self, *args: Any, **options: Any) -> Any:
        """All values."""
        return _zeros(*self.shape, kind=self.dtype)

    todense = toarray
    A = property(toarray)

    def nonzero(self) -> tuple[Any, Any]:
        """Rows and columns of values that are no zeros."""
        return self.row, self.col

    def _itself(self, *args: Any, **options: Any) -> Any:
        return self

    tocsr = tocsc = tocoo = tolil = todok = tobsr = todia = copy = multiply = power = maximum = minimum = _itself
    __add__ = __radd__ = __sub__ = __rsub__ = __truediv__ = __neg__ = __abs__ = __pow__ = _itself
    __gt__ = __lt__ = __ge__ = __le__ = __eq__ = __ne__ = _itself  # type: ignore[assignment]
    __hash__ = object.__hash__

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Sparse:
        """With values of another type."""
        return Sparse(self.shape, dtype=dtype)

    def dot(self, other: Any) -> Any:
        """The matrix product."""
        if not hasattr(other, "shape"):
            return self
        shape = other.shape
        if len(shape) == 1:
            return _zeros(self.shape[0])
        product = (self.shape[0], int(shape[1]))
        return Sparse(product, dtype=self.dtype) if isinstance(other, Sparse) else _zeros(*product)

    __matmul__ = __mul__ = dot

    def __rmatmul__(self, other: Any) -> Any:
        return _zeros(*other.shape[:-1], self.shape[1])

    def __rmul__(self, other: Any) -> Any:
        return self if not getattr(other, "shape", ()) else self.__rmatmul__(other)

    def sum(self, axis: Any = None, **options: Any) -> Any:
        """Of all, of each column, or of each row."""
        if axis is None:
            return 1.0
        return _zeros(1, self.shape[1]) if axis in (0, -2) else _zeros(self.shape[0], 1)

    mean = max = min = sum

    def diagonal(self, *args: Any) -> Any:
        """The values on it."""
        return _zeros(min(self.shape), kind=self.dtype)

    def setdiag(self, *args: Any) -> None:
        """Changes values alone."""

    eliminate_zeros = sum_duplicates = sort_indices = setdiag

    def __getitem__(self, key: Any) -> Any:
        numpy = arrays.numpy()
        part = numpy.broadcast_to(numpy.zeros((), self.dtype), self.shape)[key]
        if len(part.shape) == 1:
            rows = not isinstance(key, tuple) or isinstance(key[0], int)
            return Sparse((1, len(part)) if rows else (len(part), 1), dtype=self.dtype)
        return Sparse(part.shape, dtype=self.dtype) if len(part.shape) == 2 else part

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __len__(self) -> int:
        return self.shape[0]


def _eye(m: Any, n: Any = None, *args: Any, dtype: Any = None, **options: Any) -> Sparse:
    return Sparse((m, m if not isinstance(n, int) else n), dtype=dtype)


def _diags(values: Any, offsets: Any = 0, shape: Any = None, *args: Any, **options: Any) -> Sparse:
    if isinstance(values, Unknown):
        raise UnknownError("the size of a matrix is not known")
    first = values[0] if isinstance(values, (list, tuple)) and hasattr(values[0], "__len__") else values
    return Sparse(shape or (len(first), len(first)))


def _stacked(along: int) -> Callable[..., Sparse]:
    def stack(parts: Sequence[Any], *args: Any, **options: Any) -> Sparse:
        extents = [_extent(part) for part in parts]
        total = sum(extent[along] for extent in extents)
        return Sparse((total, extents[0][1]) if along == 0 else (extents[0][0], total))

    return stack


_SPARSE: dict[str, Any] = {
    **{f"{kind}_{form}": Sparse for kind in "csr csc coo lil dok bsr dia".split() for form in ("matrix", "array")},
    **{
        "spmatrix": Sparse,
        "eye": _eye,
        "identity": _eye,
        "diags": _diags,
        "vstack": _stacked(0),
        "hstack": _stacked(1),
    },
    **{"issparse": lambda value: isinstance(value, Sparse), "isspmatrix": lambda value: isinstance(value, Sparse)},
    **{"isspmatrix_coo": lambda value: isinstance(value, Sparse), "random": lambda m, n, *args, **rest: Sparse((m, n))},
    "find": lambda matrix: (matrix.row, matrix.col, matrix.data),
}
_MODULES = {"scipy.linalg": _FACTORS, "scipy.sparse": _SPARSE}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for any other module."""
    return _MODULES.get(name)
