"""Mutation testing: small faults are put into a module, one at a time, and its tests must find each.

``python tests/support/mutants.py`` plants `SAMPLE` faults in each of `TARGETS`, those that are not tried yet, for
at most an hour, and prints what survives; ``python tests/support/mutants.py retry --count 100 --seed 7`` a hundred
in one, chosen by another seed. Stopped, it goes on where it was: what is known is kept in ``.mutation/`` until the
module changes (survivors: until a test changes). A survivor is killed by a new test or explained, in
tests/robustness/survivors.toml, which the run holds against what it sees.

Each fault runs in a process forked from one that has imported everything but the package, with the tests that
reach its lines, the shortest first, until one fails. mutmut 3 changes functions only, and neither it nor
cosmic-ray knows a fault in an SQL statement: the ledger is made of statements, many of them beside functions.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXPLAINED = ROOT / "tests" / "robustness" / "survivors.toml"
SAMPLE, SEED = 60, 2026

LONGEST_MINUTES = 60.0
TEST_SECONDS_PER_FAULT = 6.0
"""Processor time of the tests that are tried on one fault, as they took without it."""

CPU_SECONDS, WALL_SECONDS = 30, 900.0
"""What runs longer with a fault than this is found: it hangs. The second is for what waits."""

REACH_SECONDS = 3600.0
"""For all tests of a module once, watched."""

TARGETS = {
    "plan": ("plan.py", ["tests/test_plan.py", "tests/test_max_documents.py"]),
    "rate_limit": (
        "engine/rate_limit.py",
        ["tests/engine/test_rate_limit.py", "tests/test_limits_at_the_service.py", "tests/test_recent_calls.py"],
    ),
    "concurrency": ("engine/concurrency.py", ["tests/engine/test_concurrency.py"]),
    "retry": ("engine/retry.py", ["tests/engine/test_retry.py", "tests/engine/test_attempts.py"]),
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

    lines: range
    """Of the statement around it."""
    function: str
    before: str
    after: str
    nth: int
    """Of the same faults in the same function."""
    module: str

    @property
    def fault(self) -> str:
        return f"{self.before} → {self.after}"

    @property
    def name(self) -> str:
        """What it is known by, whatever moves above it."""
        return f"{self.function}: {self.fault}" + (f" ({self.nth})" if self.nth > 1 else "")


def mutants(source: str) -> list[Mutant]:
    """Return all faults that this file knows for a module."""
    found: list[Mutant] = []
    alike: Counter[tuple[str, str]] = Counter()
    whole = ast.parse(source)
    places = dict(_places(whole, "module", range(0)))
    for node in ast.walk(whole):
        for changed in _changed(node):
            function, lines = places[node]
            before, after = _shown(ast.unparse(node), ast.unparse(changed))
            alike[function, f"{before} → {after}"] += 1
            nth = alike[function, f"{before} → {after}"]
            with _replaced(whole, node, changed):
                found.append(Mutant(lines, function, before, after, nth, ast.unparse(whole)))
    return found


def _places(node: ast.AST, function: str, lines: range) -> Iterator[tuple[ast.AST, tuple[str, range]]]:
    """Yield each node with the function and the lines of the statement that it stands in."""
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        lines = range(node.lineno, max(end, node.lineno) + 1)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = node.name if function == "module" else f"{function}.{node.name}"
    yield node, (function, lines)
    for below in ast.iter_child_nodes(node):
        yield from _places(below, function, lines)


def _shown(before: str, after: str) -> tuple[str, str]:
    """Return an expression before and after, of long ones the part around the fault."""
    if max(len(before), len(after)) <= 90:
        return before, after
    start = _alike(before, after)
    end = min(_alike(before[::-1], after[::-1]), min(len(before), len(after)) - start - 1)
    first, second = (" ".join(one[max(0, start - 45) : len(one) - end + 20].split()) for one in (before, after))
    return first, second


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


@contextlib.contextmanager
def _replaced(tree: ast.AST, old: ast.AST, new: ast.expr) -> Iterator[None]:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                yield
                setattr(parent, name, old)
                return
            if isinstance(value, list) and any(one is old for one in value):
                place = next(place for place, one in enumerate(value) if one is old)
                value[place] = new
                yield
                value[place] = old
                return


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


def _path(name: str) -> Path:
    return ROOT / "reportflow_pandas" / TARGETS[name][0]


def sample(name: str, count: int, seed: int) -> list[Mutant]:
    """Return some faults of a module, a larger sample beginning with a smaller one."""
    chosen = mutants(_path(name).read_text(encoding="utf-8"))
    random.Random(seed).shuffle(chosen)  # noqa: S311 - a sample
    return chosen if count < 0 else chosen[:count]


# which tests reach which line


@dataclass(frozen=True)
class Reach:
    """What the tests of a module reach of it, and how long they take."""

    seconds: dict[str, float]
    lines: dict[str, list[int]]
    imported: list[str]
    """Modules that the parent imports once for all children."""

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that reach a fault, the shortest first, as many as there is time for."""
        met = [test for test, lines in self.lines.items() if not set(mutant.lines).isdisjoint(lines)]
        if mutant.function == "module" or "" in met:  # what is done on importing may be used by any
            met = list(self.seconds)
        chosen, left = [], TEST_SECONDS_PER_FAULT
        for test in sorted((test for test in met if test), key=lambda one: (self.seconds[one], one)):
            left -= self.seconds[test]
            if left < 0 and chosen:
                break
            chosen.append(test)
        return chosen


class _Watched:
    """A plugin that notes for each test what it reaches and how long it takes."""

    def __init__(self, file: Path) -> None:
        import coverage  # noqa: PLC0415 - for those who run this, not for the tests of what it plants

        self.file = str(file)
        self.seconds: dict[str, float] = {}
        self.coverage = coverage.Coverage(
            data_file=None, include=[self.file], config_file=False, concurrency=["thread"]
        )
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        begun = time.process_time()
        try:
            return (yield)  # type: ignore[return-value]
        finally:
            self.seconds[item.nodeid] = time.process_time() - begun

    def reach(self) -> dict[str, Any]:
        self.coverage.stop()
        lines: dict[str, list[int]] = {}
        for line, tests in self.coverage.get_data().contexts_by_lineno(self.file).items():
            for test in tests:
                lines.setdefault(test, []).append(line)
        others = {"reportflow_pandas", "conftest", "support", "__main__", "tests", "coverage"}
        imported = [name for name, module in list(sys.modules.items()) if _is_library(module)]
        imported = [name for name in imported if name.partition(".")[0] not in others]
        return {"seconds": self.seconds, "lines": lines, "imported": imported}


def _is_library(module: ModuleType) -> bool:
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    return origin.startswith((sys.prefix, sys.base_prefix))


def reach(name: str) -> Reach:
    """Return what the tests of a module reach, as it is kept or else by running them once."""
    file = _kept(f"reach-{name}.json")
    digest = _digest(_path(name), *_test_files(name))
    if not file.exists() or (kept := json.loads(file.read_text("utf-8"))).pop("digest") != digest:

        def watch() -> int:
            watched = _Watched(_path(name))
            ended = pytest.main([*_OPTIONS, *TARGETS[name][1]], plugins=[watched])
            file.write_text(json.dumps({"digest": digest, **watched.reach()}), "utf-8")
            return int(ended)

        code, said = _awaited([_forked(watch, REACH_SECONDS)])[0]
        if code:
            file.unlink(missing_ok=True)
            raise SystemExit(f"the tests of {name} fail without a fault:\n{said[-3000:]}")
        kept = json.loads(file.read_text("utf-8"))
        del kept["digest"]
    return Reach(**kept)


def _kept(name: str) -> Path:
    """Return a file of what is known already."""
    folder = Path(os.environ.get("MUTATION_KEPT", ROOT / ".mutation"))
    folder.mkdir(exist_ok=True)
    return folder / name


def _test_files(name: str) -> list[Path]:
    return [ROOT / test for test in TARGETS[name][1]]


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


# one fault, one child

_OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "--no-header"]


class _Planted(importlib.machinery.SourceFileLoader, importlib.abc.MetaPathFinder):
    """Imports one module with a fault in it."""

    def __init__(self, name: str, module: str) -> None:
        words = TARGETS[name][0].removesuffix(".py").replace("/", ".")
        super().__init__(f"reportflow_pandas.{words}", str(_path(name)))
        self.module = module

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:  # type: ignore[override]
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.module, self.get_filename(fullname), "exec")


@dataclass(frozen=True)
class _Child:
    process: int
    said: Path
    ends: float


def _forked(work: Callable[[], int], seconds: float = WALL_SECONDS) -> _Child:
    handle, said = tempfile.mkstemp(prefix="mutant-")
    process = os.fork()
    if process:
        os.close(handle)
        return _Child(process, Path(said), time.monotonic() + seconds)
    code = 99
    try:
        os.setsid()
        os.chdir(ROOT)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = work()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _found(name: str, module: str, tests: Sequence[str]) -> _Child:
    def work() -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        sys.meta_path.insert(0, _Planted(name, module))
        return int(pytest.main([*_OPTIONS, *tests]))

    return _forked(work)


def _awaited(children: list[_Child]) -> list[tuple[int, str]]:
    """Return the codes of children and what they said; what hangs is ended."""
    answers = []
    for child in children:
        code: int | None = None
        while code is None:
            code = _ended(child)
            time.sleep(0.02)
        answers.append((code, child.said.read_text("utf-8", "replace")))
        child.said.unlink()
    return answers


def _ended(child: _Child) -> int | None:
    done, status = os.waitpid(child.process, os.WNOHANG)
    if done:
        with contextlib.suppress(ProcessLookupError):  # what a test started and left
            os.killpg(child.process, signal.SIGKILL)
        return os.waitstatus_to_exitcode(status)
    if time.monotonic() > child.ends:
        os.killpg(child.process, signal.SIGKILL)
    return None


def tried(name: str, chosen: Sequence[Mutant], until: float = float("inf")) -> Iterator[tuple[Mutant, str]]:
    """Yield each fault with what found it, as it is known or else by running the tests; "" is a survivor."""
    known = reach(name)
    for module in known.imported:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    verdicts = _Verdicts(name)
    if any(verdicts.of(mutant) is None for mutant in chosen):
        broken, _ = _awaited([_found(name, "1 / 0", list(known.seconds)[:1])])[0]
        assert broken, "the tests don't test what is planted"
    for mutant in chosen:
        by = verdicts.of(mutant)
        if by is None:
            if time.monotonic() > until:
                return
            tests = known.tests(mutant)
            code, said = _awaited([_found(name, mutant.module, tests)])[0] if tests else (0, "")
            by = verdicts.note(mutant, _by(code, said))
        yield mutant, by


def _by(code: int, said: str) -> str:
    if code == 0:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return failed[1] if failed else f"ended with {code}"


class _Verdicts:
    """What is known of faults, one line of JSON each."""

    def __init__(self, name: str) -> None:
        self.file = _kept(f"verdicts-{name}.jsonl")
        self.source, self.tests = _digest(_path(name)), _digest(*_test_files(name))
        lines = self.file.read_text("utf-8").splitlines() if self.file.exists() else []
        told = [json.loads(line) for line in lines]
        self.known = {
            one["fault"]: one["by"]
            for one in told
            if one["source"] == self.source and (one["by"] or one["tests"] == self.tests)
        }

    def of(self, mutant: Mutant) -> str | None:
        known: str | None = self.known.get(mutant.name)
        return known

    def note(self, mutant: Mutant, by: str) -> str:
        line = {"fault": mutant.name, "by": by, "source": self.source, "tests": self.tests}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.known[mutant.name] = by
        return by


def explained() -> dict[str, dict[str, str]]:
    """Return the reasons of survivors, by module and fault."""
    return tomllib.loads(EXPLAINED.read_text("utf-8")) if EXPLAINED.exists() else {}


def main(words: list[str]) -> int:
    """Print a line a module, and the survivors without a reason; with one of those, the exit code is 1."""
    parser = argparse.ArgumentParser(description="Mutation testing of the modules that must not be wrong.")
    parser.add_argument("names", nargs="*", choices=[*TARGETS, []], help="modules; all without")
    parser.add_argument("--count", type=int, default=SAMPLE, help="faults in each")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--fault", action="append", default=[], help="no sample, but what is called so")
    parser.add_argument("--minutes", type=float, default=LONGEST_MINUTES, help="begin no fault after that")
    asked = parser.parse_args(words)
    until, reasons, bare = time.monotonic() + asked.minutes * 60, explained(), 0
    for name in asked.names or TARGETS:
        chosen = sample(name, -1 if asked.fault else asked.count, asked.seed)
        chosen = [one for one in chosen if one.fault in asked.fault or not asked.fault]
        kinds: Counter[str] = Counter()
        for mutant, by in tried(name, chosen, until):
            reason = reasons.get(name, {}).get(mutant.name)
            kind = "found" if by else reason.partition(":")[0] if reason else "survivor without a reason"
            kinds[kind] += 1
            if not by and not reason:
                bare += 1
                _say(f"  {name}:{mutant.lines.start}: {mutant.name}")
        _say(f"{name}: {kinds.total()} of {len(chosen)} tried: " + ", ".join(f"{n} {k}" for k, n in kinds.items()))
    return 1 if bare else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
