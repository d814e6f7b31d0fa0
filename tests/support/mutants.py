"""Mutation testing: small faults are put into a module, one at a time, and its tests must find each.

``python tests/support/mutants.py`` plants `SAMPLE` faults in each of `TARGETS` and prints the survivors;
``python tests/support/mutants.py retry 100 7`` a hundred in one, chosen by another seed.
A survivor is killed by a new test or explained in tests/robustness/README.md. mutmut and cosmic-ray know no fault
in an SQL statement, and the ledger is made of them.
"""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE, SEED = 30, 2026
LONGEST_SECONDS = 400

TARGETS = {
    "plan": ("plan.py", ["tests/test_plan.py", "tests/test_max_documents.py"]),
    "rate_limit": ("engine/rate_limit.py", ["tests/engine/test_rate_limit.py"]),
    "concurrency": ("engine/concurrency.py", ["tests/engine/test_concurrency.py"]),
    "retry": ("engine/retry.py", ["tests/engine/test_retry.py"]),
    "ledger": ("journal/ledger.py", ["tests/journal/test_ledger.py", "tests/journal/test_journal.py"]),
}
"""A module and the tests that are to find its faults."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
_SAID = [
    (" AND ", " OR "),
    ("<>", "="),
    ("status='", "status<>'"),
    (">=", ">"),
    ("IS NULL", "IS NOT NULL"),
    ("max(", "min("),
]
"""In SQL statements."""


@dataclass(frozen=True)
class Mutant:
    """One fault: where, what it was, what it is now, and the whole module with it."""

    line: int
    before: str
    after: str
    module: str

    @property
    def fault(self) -> str:
        return f"{self.before} → {self.after}"


def mutants(source: str) -> list[Mutant]:
    """Return all faults that this file knows for a module."""
    found = []
    for number, node in enumerate(ast.walk(ast.parse(source))):
        for choice in range(len(_changed(node))):
            tree = ast.parse(source)
            target = next(one for place, one in enumerate(ast.walk(tree)) if place == number)
            before = ast.unparse(target)
            changed = _changed(target)[choice]
            if isinstance(changed, ast.expr):
                _replace(tree, target, changed)
            after = ast.unparse(changed)
            found.append(Mutant(getattr(node, "lineno", 0), before[:70], after[:70], ast.unparse(tree)))
    return found


def _replace(tree: ast.AST, old: ast.AST, new: ast.expr) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(one is old for one in value):
                value[next(place for place, one in enumerate(value) if one is old)] = new


def _changed(node: ast.AST) -> list[ast.expr]:  # noqa: PLR0911 - one line a kind
    """Return an expression with a fault, in each way that is known for it."""
    match node:
        case ast.Compare(left, [operator], comparators) if type(operator) in _COMPARED:
            return [ast.Compare(left, [_COMPARED[type(operator)]()], comparators)]
        case ast.BinOp(left, operator, right) if (
            type(operator) in _COUNTED and not _text(left) and not _text(right)
        ):
            return [ast.BinOp(left, _COUNTED[type(operator)](), right)]
        case ast.BoolOp(operator, values):
            return [ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)]
        case ast.UnaryOp(ast.Not(), operand):
            return [operand]
        case ast.Constant(bool(value)):
            return [ast.Constant(not value)]
        case ast.Constant(int() | float() as value):
            return [ast.Constant(value + 1)]
        case ast.IfExp(test, body, orelse):
            return [ast.IfExp(test, orelse, body)]
        case ast.Constant(str(words)) if words.lstrip().startswith(
            ("UPDATE", "SELECT", "INSERT", "DELETE", "WITH")
        ):
            return [ast.Constant(words.replace(old, new, 1)) for old, new in _SAID if old in words]
    return []


def _text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def sample(name: str, count: int, seed: int) -> list[Mutant]:
    """Return some faults of a module."""
    chosen = mutants((ROOT / "reportflow_pandas" / TARGETS[name][0]).read_text(encoding="utf-8"))
    random.Random(seed).shuffle(chosen)  # noqa: S311 - a sample
    return chosen[:count]


def tried(name: str, chosen: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Yield each fault, and whether the module's tests found it."""
    file, tests = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "reportflow_pandas"
        shutil.copytree(ROOT / "reportflow_pandas", package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / file).write_text("1 / 0", encoding="utf-8")
        assert _found(tests, folder), "the tests don't test the copy"
        for mutant in chosen:
            (package / file).write_text(mutant.module, encoding="utf-8")
            yield mutant, _found(tests, folder)


def _found(tests: list[str], folder: str) -> bool:
    # -P: else the package of the working directory is tested and not the mutant's
    command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(  # noqa: S603 - our own line
            command, cwd=ROOT, env=environment, capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return ended.returncode != 0


def main(words: list[str]) -> int:
    """Print a table a module, and the survivors."""
    names = [words[0]] if words else list(TARGETS)
    count, seed = (int(words[1]) if len(words) > 1 else SAMPLE), (int(words[2]) if len(words) > 2 else SEED)
    for name in names:
        found = 0
        for mutant, killed in tried(name, sample(name, count, seed)):
            found += killed
            if not killed:
                sys.stdout.write(f"  {name}:{mutant.line}: {mutant.fault}\n")
                sys.stdout.flush()
        sys.stdout.write(f"{name}: {found} of {count} found\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
