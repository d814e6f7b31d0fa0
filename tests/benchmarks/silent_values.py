"""Which values may be wrong and nothing is said: each parameter of each design, in three documents of a run.

Run by ``python -m tests.benchmarks.verify [seed] --sweep``. A value that is wrong in three documents has to be
found, or it has to be said that it can't be judged.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reportflow_pandas.verify.run_check import Checked
from tests.support import planted_faults
from tests.support.planted_faults import Params

__all__ = ["WRONG", "Change", "changes_of", "outcome_of", "sweep"]

DOCUMENTS = 60
WRONG = 3
"""Documents of a run in which one parameter is wrong."""
WAYS = ("blank on paper", "replaced on paper", "blank in the frame")


class Change(NamedTuple):
    """One document: what is asked for, and what is printed."""

    asked: Params
    printed: Params


@dataclass(frozen=True)
class Outcome:
    """What became of one parameter that is wrong in one way."""

    parameter: str
    way: str
    wrong: int
    found: int
    alarms: int
    said: str

    @property
    def is_silent(self) -> bool:
        """Whether a wrong document was called in order and nothing was said of its parameter."""
        return self.found < self.wrong and not self.said


def changes_of(design: str, wanted: list[Params], seed: int) -> Iterator[tuple[str, str, dict[int, Change]]]:
    """Yield each parameter and way in which it may be wrong, with the documents that are, by row."""
    for names in _parameters(wanted):
        parameter = ".".join(names)
        for way in WAYS:
            rng = random.Random(f"{design} {parameter} {way} {seed}")  # noqa: S311 - made-up faults
            changed: dict[int, Change] = {}
            for row in rng.sample(range(len(wanted)), len(wanted)):
                if len(changed) == WRONG:
                    break
                one = _changed(rng, wanted, row, names, is_blank=way.startswith("blank"))
                if one is not None:
                    right, wrong = wanted[row], one
                    changed[row] = Change(right, wrong) if way.endswith("paper") else Change(wrong, right)
            if changed:
                yield parameter, way, changed


def _parameters(wanted: list[Params]) -> list[tuple[str, ...]]:
    """Return the single parameters, then the columns of tables."""
    found: dict[tuple[str, ...], None] = {}
    for params in wanted:
        for name, value in params.items():
            if isinstance(value, list):
                found |= {(name, column): None for line in value for column in line}
            else:
                found[name,] = None
    return sorted(found, key=len)


def _changed(
    rng: random.Random, wanted: list[Params], row: int, names: tuple[str, ...], *, is_blank: bool
) -> Params | None:
    """Return a row with another value, or with none; None where it has none itself."""
    every = [(at, *path) for at, params in enumerate(wanted) for path in _places(params, names)]
    own = [path for at, *path in every if at == row]
    if not own:
        return None
    path = rng.choice(own)
    value = planted_faults.value_at(wanted[row], path)
    if is_blank:
        return planted_faults.with_value(wanted[row], path, "" if isinstance(value, str) else None)
    if isinstance(value, bool):
        return planted_faults.with_value(wanted[row], path, not value)
    for at, *other in rng.sample(every, min(40, len(every))):
        if at != row and (another := planted_faults.value_at(wanted[at], other)) != value:
            return planted_faults.with_value(wanted[row], path, another)
    return None


def _places(params: Params, names: tuple[str, ...]) -> list[list[Any]]:
    """Return where a parameter's values are that are not blank."""
    name, *column = names
    if not column:
        return [[name]] if params.get(name) not in ("", None) else []
    return [[name, at, *column] for at, line in enumerate(params[name]) if line.get(*column) not in ("", None)]


def outcome_of(parameter: str, way: str, wrong: Collection[int], checked: Checked) -> Outcome:
    """Return what became of a parameter that is wrong in some documents."""
    found = sum(checked.verdicts[row].verdict != "ok" for row in wrong)
    alarms = sum(one.verdict != "ok" for row, one in checked.verdicts.items() if row not in wrong)
    said = checked.not_judged.get(parameter, "") or checked.not_judged.get(parameter.partition(".")[0], "")
    return Outcome(parameter, way, len(wrong), found, alarms, said)


def sweep(
    design: str,
    count: int,
    seed: int,
    check: Callable[[list[Params], Mapping[int, bytes], Path], Checked],
) -> Iterator[Outcome]:
    """Yield what becomes of each parameter of a design in each way."""
    wanted = planted_faults.rows(design, count, seed)
    every = list(changes_of(design, wanted, seed))
    both = [params for *_, changed in every for one in changed.values() for params in one]
    planted_faults.printed_all(design, wanted + both)
    clean = planted_faults.printed_all(design, wanted)
    with tempfile.TemporaryDirectory() as folder:
        for parameter, way, changed in every:
            # what is printed in the same way is no fault: a flag that is false, and one that is blank
            wrong = {
                row: planted_faults.printed(design, one.printed)
                for row, one in changed.items()
                if planted_faults.printed(design, one.printed) != planted_faults.printed(design, one.asked)
            }
            if not wrong:
                continue
            asked = [changed[row].asked if row in wrong else params for row, params in enumerate(wanted)]
            yield outcome_of(parameter, way, wrong, check(asked, clean | wrong, Path(folder)))
