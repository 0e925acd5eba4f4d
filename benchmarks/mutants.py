"""Every small change of the mathematics that `mutation.py` draws from, and the module with one made."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGETS = (
    "rlkit_hfr/relabelers",
    "rlkit_hfr/scoring",
    "rlkit_hfr/rewards",
    "rlkit_hfr/buffers",
    "rlkit_hfr/utility.py",
    "rlkit_hfr/distribution.py",
)

_COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_METHODS = {
    "mean": "sum",
    "sum": "mean",
    "min": "max",
    "max": "min",
    "amax": "amin",
    "argmax": "argmin",
    "argmin": "argmax",
    "any": "all",
    "all": "any",
    "zeros": "ones",
    "cos": "sin",
    "sin": "cos",
    "append": "index",
}


@dataclass(frozen=True)
class Mutant:
    """file: relative to the repository; line, end: where the change is; at_import: not in a
    function's body; number: its place among the changes of that file.
    """

    file: str
    line: int
    end: int
    at_import: bool
    number: int
    change: str


class _Mutator(ast.NodeTransformer):
    """Walks a module and counts the changes that could be made; makes the one of `number`, if any."""

    def __init__(self, number: int | None = None) -> None:
        self.number, self.found = number, list[tuple[int, int, bool, str]]()
        self._depth = 0

    def _mutate(self, node: Any, change: str) -> bool:
        """Whether this change, of what stands where `node` stands, is the one to make."""
        self.found.append((node.lineno, node.end_lineno, self._depth == 0, change))
        return len(self.found) - 1 == self.number

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        node.defaults = [self.visit(default) for default in node.defaults]
        node.kw_defaults = [None if default is None else self.visit(default) for default in node.kw_defaults]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.visit_arguments(node.args)
        self._depth += 1
        node.body = [self.visit(statement) for statement in node.body]
        self._depth -= 1
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return node if node.arg == "strict" else self.generic_visit(node)  # of zip: an assertion

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if self._mutate(node, "raise left out"):
            return ast.copy_location(ast.Pass(), node)
        return node  # a message is not mathematics

    def visit_If(self, node: ast.If) -> ast.AST:
        if "TYPE_CHECKING" in ast.dump(node.test):
            return node
        if self._mutate(node.test, "condition negated"):
            node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node)
            return node
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if self._mutate(node, "branches exchanged"):
            node.body, node.orelse = node.orelse, node.body
            return node
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):  # a docstring
            return node
        if isinstance(node.value, ast.Call) and self._mutate(node, "call left out"):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if self._mutate(node, "statement left out"):
            return ast.copy_location(ast.Pass(), node)
        return self._operator(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name == "warn":
            return node
        if isinstance(node.func, ast.Attribute) and name in _METHODS:
            other = _METHODS[name]
            if self._mutate(node, f"{name} -> {other}"):
                node.func.attr = other
                return node
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for i, op in enumerate(node.ops):
            other = _COMPARISONS[type(op)]
            if self._mutate(node, f"{type(op).__name__} -> {other.__name__}"):
                node.ops[i] = other()
                return node
        return self.generic_visit(node)

    def _operator(self, node: Any) -> ast.AST:
        other = _OPERATORS.get(type(node.op))
        if other is not None and self._mutate(node, f"{type(node.op).__name__} -> {other.__name__}"):
            node.op = other()
            return node
        return self.generic_visit(node)

    visit_BinOp = visit_BoolOp = _operator

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if self._mutate(node, f"{type(node.op).__name__} left out"):
            return node.operand
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            other: Any = not node.value
        elif isinstance(node.value, (int, float)):
            other = node.value + 1
        else:
            return node
        if self._mutate(node, f"{node.value!r} -> {other!r}"):
            return ast.copy_location(ast.Constant(other), node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node


def mutants() -> Iterator[Mutant]:
    """Every mutant of every target, in a fixed order."""
    for target in TARGETS:
        place = ROOT / target
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            walk = _Mutator()
            walk.visit(ast.parse(file.read_text()))
            name = file.relative_to(ROOT).as_posix()
            for number, (line, end, at_import, change) in enumerate(walk.found):
                yield Mutant(name, line, end, at_import, number, change)


def compiled(mutant: Mutant) -> CodeType:
    """The changed module."""
    file = ROOT / mutant.file
    tree = ast.parse(file.read_text())
    changed = _Mutator(mutant.number).visit(copy.deepcopy(tree))
    assert ast.dump(changed) != ast.dump(tree)
    return compile(ast.fix_missing_locations(changed), str(file), "exec")
