"""The lowest versions that are promised, as pip constraints; run as a program, it writes tests/lowest.txt."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOWEST = ROOT / "tests" / "lowest.txt"

PYTHONS = ("3.11", "3.12", "3.13")

FIRST_WHEELS = {
    "pandas": {"3.13": "2.2.3"},
    "orjson": {"3.13": "3.10.7"},
    "pillow": {"3.13": "10.4.0"},
    "pyarrow": {"3.13": "18.0.0"},
}
"""Where the lowest version has no wheel for a newer Python: the first one that has."""

_HEAD = """\
# The lower bounds of pyproject.toml, for: pip install -c tests/lowest.txt ".[test]"
# Written by tests/support/lowest_versions.py, held by tests/test_packaging.py.
"""

_TAIL = """\
# Not ours to ask for: pandas 2.2.3 says what numpy 2.5 deprecates.
numpy==2.1; python_version >= "3.13"
"""


def project() -> dict[str, object]:
    """Return the table ``[project]``."""
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def extras() -> dict[str, list[Requirement]]:
    """Return the requirements of each extra."""
    found = project()["optional-dependencies"]
    assert isinstance(found, dict)
    return {name: [Requirement(one) for one in ones] for name, ones in found.items()}


def at_run_time() -> dict[str, Requirement]:
    """Return what the package and the extras of ``all`` ask for, by name."""
    needed = project()["dependencies"]
    assert isinstance(needed, list)
    found = [Requirement(one) for one in needed]
    [everything] = extras()["all"]
    for extra in sorted(everything.extras):
        found += extras()[extra]
    return {one.name.lower(): one for one in found if not one.extras}


def lower_bound(requirement: Requirement) -> str:
    """Return the version after ``>=``."""
    [bound] = [one.version for one in requirement.specifier if one.operator == ">="]
    return bound


def lines() -> list[str]:
    """Return the constraints, with a line of its own for each Python that starts later."""
    found: list[str] = []
    for name, requirement in sorted(at_run_time().items()):
        later = FIRST_WHEELS.get(name, {})
        version, first = lower_bound(requirement), PYTHONS[0]
        steps: list[tuple[str, str, str]] = []
        for python in PYTHONS[1:]:
            if python in later:
                steps.append((version, first, python))
                version, first = later[python], python
        found += [
            f'{name}=={one}; python_version >= "{start}" and python_version < "{end}"' for one, start, end in steps
        ]
        found.append(f'{name}=={version}; python_version >= "{first}"' if steps else f"{name}=={version}")
    return found


def text() -> str:
    """Return the whole file."""
    return _HEAD + "\n".join(lines()) + "\n" + _TAIL


if __name__ == "__main__":
    LOWEST.write_text(text(), encoding="utf-8")
