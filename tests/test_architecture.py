"""Layers: imports point one way, packages keep to themselves, public names are those of the documentation."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pandas as pd
import pytest

import reportflow_pandas as rf
from reportflow_pandas.options import Arguments, Options

PACKAGE = Path(rf.__file__).parent
NAME = "reportflow_pandas"

LAYERS = [
    ["errors", "clock", "contract", "cycle_collector", "lru", "network", "next_steps", "printable"],
    ["configuration"],
    ["settings", "event_loop", "exit_hook"],
    ["options"],
    ["argument_help"],
    ["api", "reading"],
    ["engine"],
    ["rows"],
    ["journal"],
    ["notify"],
    ["results", "notebook", "queue"],
    ["export"],
    ["verify"],
    ["delivery"],
    ["design_lookup"],
    ["execution"],
    ["verification"],
    ["result_verbs", "generation", "plan", "preview"],
    ["version_comparison"],
    ["run_verbs"],
    ["jobs"],
    ["mail"],
    ["accessor", "cli", "webhook", "examples", "__init__"],
]
"""From the lowest up: a module or package may import from its own layer and those below."""

LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def package(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imported(path: Path, *, lazily: bool = True) -> set[str]:
    """Names of modules that a file imports; ``lazily=False`` leaves imports inside functions out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if lazily else iter(tree.body)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "reportflow_pandas":
                found |= {f"reportflow_pandas.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    """Modules and packages of ours that a file imports."""
    return {
        name.split(".")[1]
        for name in imported(path)
        if name.startswith("reportflow_pandas.") and (PACKAGE / name.split(".")[1]).with_suffix("").name
    }


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = package(path)
    if here == "local":
        assert own(path) <= {"local", "contract", "errors", "settings", "clock", "lru"}
        return
    if here in ("__init__", "cli"):
        return  # the top layer starts everything
    for other in own(path) - {"local", here}:
        assert LAYER[other] <= LAYER[here], f"{here} imports {other}, which is above it"
    assert "local" not in own(path), f"{here} imports the embedded service; only the top layer starts it"


def imported_modules(path: Path) -> set[str]:
    """Modules of ours that a file imports while it runs, by their paths; types alone are not among them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    types = {id(one) for node in ast.walk(tree) if _is_for_types(node) for one in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in types or not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(NAME):
            continue
        place = PACKAGE.joinpath(*(node.module or "").split(".")[1:])
        names = [place / alias.name for alias in node.names]
        found |= {str(one.with_suffix(".py")) for one in (place, *names) if one.with_suffix(".py").exists()}
    return found


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_names_that_other_modules_import_are_in_all() -> None:
    missing = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(NAME):
                continue
            from_module = PACKAGE.joinpath(*(node.module or "").split(".")[1:]).with_suffix(".py")
            if from_module.exists():
                names = {alias.name for alias in node.names} - exported(from_module)
                missing |= {f"{from_module.relative_to(PACKAGE)}: {name}" for name in names}
    assert not missing


def exported(path: Path) -> set[str]:
    """Names in the ``__all__`` of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def test_nothing_imports_in_a_circle() -> None:
    graph = {str(path): imported_modules(path) for path in modules()}
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()  # raises, naming the circle


@pytest.mark.parametrize("folder", ["api", "engine", "local"])
def test_no_pandas_below_rows(folder: str) -> None:
    for path in (PACKAGE / folder).rglob("*.py"):
        assert not any(name.split(".")[0] == "pandas" for name in imported(path)), path


def test_http_lives_in_api_and_in_the_services() -> None:
    for path in modules():
        if package(path) not in ("api", "local", "webhook"):
            assert not any(name.split(".")[0] in ("aiohttp", "httpx", "requests") for name in imported(path)), path


def test_the_accessor_holds_no_logic() -> None:
    tree = ast.parse((PACKAGE / "accessor.py").read_text(encoding="utf-8"))
    [accessor] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = [node for node in accessor.body if isinstance(node, ast.FunctionDef)]
    assert {method.name for method in methods} == {"__init__", "__repr__", "__dir__", "failed", "unknown"}
    for read in methods[-2:]:  # properties are methods for type checkers' sake
        assert [type(statement) for statement in read.body] == [ast.Expr, ast.Return]


def test_public_names_are_sorted_and_there() -> None:
    assert rf.__all__ == sorted(rf.__all__)
    for name in rf.__all__:
        assert getattr(rf, name) is not None


def test_public_names_have_docstrings_with_an_example_or_are_errors() -> None:
    for name in rf.__all__:
        thing = getattr(rf, name)
        assert thing.__doc__, name
        if not (isinstance(thing, type) and issubclass(thing, BaseException | Warning)) and name != "configure":
            assert ">>>" in thing.__doc__, name


def test_the_shared_arguments_are_the_same_for_type_checkers_and_at_run_time() -> None:
    fields = set(Options.__dataclass_fields__) - {"design_id"}
    assert set(Arguments.__annotations__) == fields


@pytest.mark.parametrize("verb", ["generate", "agenerate", "submit", "plan", "check", "preview"])
def test_every_verb_shows_the_shared_arguments(verb: str) -> None:
    import inspect  # noqa: PLC0415

    parameters = inspect.signature(getattr(pd.DataFrame.reportflow, verb)).parameters
    assert set(Arguments.__annotations__) <= set(parameters)


def test_importing_does_not_load_the_embedded_service_or_patch_anything() -> None:
    code = (
        "import asyncio, sys; before = (asyncio.run, asyncio.Task)\n"
        "import reportflow_pandas\n"
        "heavy = {'typst', 'pikepdf', 'openpyxl', 'PIL', 'bullmq', 'redis', 'ipywidgets', 'nest_asyncio'}\n"
        "heavy |= {'reportflow_pandas.local.service', 'reportflow_pandas.reading.read_rows'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert before == (asyncio.run, asyncio.Task)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own line


def test_importing_loads_only_what_every_program_needs() -> None:
    """The rest comes with the first name that needs it: an import takes hardly longer than that of pandas."""
    code = (
        "import sys, reportflow_pandas\n"
        "print(*sorted(name.split('.')[1] for name in sys.modules if name.startswith('reportflow_pandas.')))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own line
    assert loaded.split() == ["clock", "configuration", "contract", "errors", "network", "options", "settings"]


def test_type_checkers_and_python_find_public_names_in_the_same_modules() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    [types] = [node for node in tree.body if _is_for_types(node)]
    told = {
        alias.name: node.module
        for node in ast.walk(types)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == rf._MODULE | {"with_verbs": "reportflow_pandas.accessor"}  # which says more of some types


def test_no_module_takes_the_place_of_a_public_name() -> None:
    """Python puts a module into its package when it is imported first, over whatever has its name there."""
    assert set(rf.__all__).isdisjoint(path.stem for path in PACKAGE.iterdir())


def test_reloading_warns_of_nothing() -> None:
    import importlib  # noqa: PLC0415

    importlib.reload(rf)
    assert pd.DataFrame.reportflow is not None


def test_no_file_names_a_machine() -> None:
    for path in [*modules(), *Path(__file__).parent.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for place in ("/wo" + "rk/", "/ro" + "ot/"):
            assert place not in text, path


TWICE = {"__init__.py", "preview.py", "rate_limit.py", "runs.py", "webhook.py", "worker.py"}
"""Two layers have the same thing."""


def test_a_file_name_stands_once_so_that_it_can_be_guessed() -> None:
    names = [path.name for path in modules() if path.name not in TWICE]
    assert sorted(names) == sorted(set(names))


def test_no_module_is_longer_than_480_lines() -> None:
    for path in modules():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 480, path


def test_http_1_1_is_spoken_in_one_file() -> None:
    assert [path.name for path in modules() if "HTTP/1.1" in path.read_text(encoding="utf-8")] == ["transport.py"]


def test_a_documents_status_is_written_by_the_ledger_alone() -> None:
    writes = re.compile(r"(?i)\bset\b[^;]{0,60}\bstatus\s*=")
    found = {path.name for path in modules() if writes.search(path.read_text(encoding="utf-8"))}
    assert found == {"ledger.py"}
