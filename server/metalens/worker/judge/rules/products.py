"""Matrix products and einsum."""

from __future__ import annotations

import ast
import re
from typing import Any, Optional

from metalens.worker.judge import words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.source import source_of

_PRODUCTS = frozenset(
    [
        "matmul",
        "mm",
        "bmm",
        "mv",
        "dot",
        "addmm",
        "addbmm",
        "baddbmm",
        "addmv",
        "linalg_matmul",
        "inner",
        "chain_matmul",
        "multi_dot",
    ]
)
_WITH_BIAS = frozenset(["addmm", "addbmm", "baddbmm", "addmv"])


def matmul(case: Case) -> Optional[Mistake]:
    """`@`, matmul, mm, bmm, mv, dot, addmm, baddbmm: inner or batch dimensions that differ, or a wrong rank."""
    if case.name not in _PRODUCTS:
        return None
    operands = case.tensors[1:] if case.name in _WITH_BIAS else case.tensors
    if len(operands) < 2:
        return None
    a, b = operands[0], operands[1]
    head = operator_text(case, f"{case.name}({{}}, {{}})")
    shapes = f" ({words.shape(a.shape)} @ {words.shape(b.shape)})"
    inner = b.dim() - 2 if b.dim() > 1 else 0
    if a.dim() and b.dim() and int(a.shape[-1]) != int(b.shape[inner]):
        sizes = f"{int(a.shape[-1])} vs {int(b.shape[inner])}"
        message = words.fit(
            f"{head}: inner dims differ, {sizes}{shapes}",
            f"{case.name}: inner dims differ, {sizes}{shapes}",
            f"{case.name}: inner dims differ, {sizes}",
        )
        return Mistake(
            "matmul-inner-dim", message, tensor=a, dim=a.dim() - 1, other=b, other_dim=inner, given=int(a.shape[-1])
        )
    rank = {"mm": 2, "bmm": 3, "addmm": 2, "baddbmm": 3}.get(case.name)
    if rank is not None and (a.dim() != rank or b.dim() != rank):
        message = words.fit(
            f"{case.name} needs two {rank}-D matrices, got {words.shape(a.shape)} and {words.shape(b.shape)}"
        )
        return Mistake("matmul-inner-dim", message, tensor=a, other=b)
    for dim in range(2, min(a.dim(), b.dim())):
        dim += 1
        left, right = int(a.shape[-dim]), int(b.shape[-dim])
        if left != right and (1 not in (left, right) or case.name == "bmm"):
            message = words.fit(
                f"{head}: batch sizes differ, {left} vs {right}{shapes}",
                f"{case.name}: batch sizes differ, {left} vs {right}",
            )
            return Mistake("matmul-inner-dim", message, tensor=a, dim=a.dim() - dim, other=b)
    if case.name in _WITH_BIAS and case.tensors[0].dim() and a.dim() == 2:
        out = words.shape((a.shape[0], b.shape[-1]))
        message = words.fit(f"{case.name}: cannot add {words.shape(case.tensors[0].shape)} to the product {out}")
        return Mistake("broadcast", message, tensor=case.tensors[0])
    return None


def einsum(case: Case) -> Optional[Mistake]:
    """einsum: one letter with two sizes, or an operand with another number of dimensions than letters."""
    if case.name != "einsum":
        return None
    equation = next((value for value in case.failure.args if isinstance(value, str)), "")
    terms = [term.replace(" ", "") for term in equation.split("->")[0].split(",")]
    if not equation or len(terms) != len(case.tensors):
        return None
    head = f"einsum '{equation}'"
    for place, (term, tensor) in enumerate(zip(terms, case.tensors), 1):
        if "." not in term and len(term) != tensor.dim():
            message = words.fit(
                f"{head}: operand {place} ({term}) has {tensor.dim()} dims, {words.shape(tensor.shape)}",
                f"einsum: operand {place} ({term}) has {tensor.dim()} dims, {words.shape(tensor.shape)}",
            )
            return Mistake("matmul-inner-dim", message, tensor=tensor, expected=len(term), given=int(tensor.dim()))
    return _letters(case, head, terms)


def _letters(case: Case, head: str, terms: list[str]) -> Optional[Mistake]:
    seen: dict[str, tuple[int, int]] = {}
    for place, (term, tensor) in enumerate(zip(terms, case.tensors), 1):
        before, _, after = term.partition("...")
        placed = [*enumerate(before), *((i - len(after), c) for i, c in enumerate(after))]
        for dim, letter in placed:
            size = int(tensor.shape[dim])
            first, where = seen.setdefault(letter, (size, place))
            if size != first and 1 not in (size, first):
                tail = f"{letter} is {first} in operand {where}, {size} in operand {place}"
                message = words.fit(f"{head}: {tail}", f"einsum: {tail}")
                return Mistake(
                    "matmul-inner-dim",
                    message,
                    tensor=tensor,
                    dim=dim % tensor.dim(),
                    expected=first,
                    given=size,
                    other=case.tensors[where - 1],
                    other_dim=_dim_of(terms[where - 1], letter, case.tensors[where - 1].dim()),
                )
    return None


def _dim_of(term: str, letter: str, dims: int) -> int:
    before, _, after = term.partition("...")
    return before.index(letter) if letter in before else dims - len(after) + after.index(letter)


def operator_text(case: Case, fallback: str = "") -> str:
    """`q @ k`: the failing operation with its operands' names, as short as it can be."""
    node = case.node()
    source = source_of(case.facts, case.location.file)
    operands = operand_nodes(node)
    texts = [source.text_of(operand) for operand in operands[:2]]
    if len(operands) != 2:
        return words.symbol(case.name) or case.name
    a, b = (text if len(text) <= 20 else "…" for text in texts)
    if isinstance(node, ast.AugAssign):
        return f"{a} {_sign(node.op)}= {b}"
    if isinstance(node, ast.BinOp):
        sign = _sign(node.op)
        return f"{a} {sign} {b}"
    if re.fullmatch(r"\w+\(.*\)", fallback):
        return fallback.format(a, b)
    return f"{case.name}({a}, {b})"


def operand_nodes(node: Optional[ast.AST]) -> list[ast.expr]:
    """The operands of an operator or a two-operand call: `a`, `b` of `a @ b`, `torch.bmm(a, b)`, `a.matmul(b)`."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.AugAssign):
        return [node.target, node.value]
    if not isinstance(node, ast.Call):
        return []
    args: list[Any] = [arg for arg in node.args if not isinstance(arg, ast.Starred)]
    if isinstance(node.func, ast.Attribute) and not _is_namespace(node.func.value):
        return [node.func.value, *args]
    return args


def _is_namespace(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "nn", "functional", "th", "np", "linalg")


def _sign(operator: ast.operator) -> str:
    signs = {"MatMult": "@", "Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "Pow": "**", "FloorDiv": "//", "Mod": "%"}
    return signs.get(type(operator).__name__, "?")
