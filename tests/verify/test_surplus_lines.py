"""Lines that a PDF has and its row has not, in tables that are as wide as each document's own content."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import planted_faults

from reportflow_pandas.local.compiler import render
from reportflow_pandas.local.designs import DesignVersion, load_designs
from reportflow_pandas.verify.readings import Readings
from reportflow_pandas.verify.run_check import Checked, check_run

Params = dict[str, Any]

DESIGN = """
label = "Bill"
updated_at = 2026-11-01T00:00:00Z
[params.Customer]
type = "text"
[params.Note]
type = "text"
[params.Lines]
type = "array"
[params.Lines.columns]
Item = { type = "text" }
Group = { type = "text" }
Qty = { type = "number" }
Price = { type = "number" }
[params.Extras]
type = "array"
[params.Extras.columns]
Name = { type = "text" }
Count = { type = "number" }
Cost = { type = "number" }
"""
BEGIN = """
#import "reportflow.typ": amount, p
#set text(font: ("Noto Sans JP", "Noto Sans"), size: 9pt)
#set page(paper: "a5", margin: 15mm)
#let m(value) = amount(value, least: 2, most: 2)
#let worth(line) = line.Price * line.Qty
#let cells(line) = (line.Item, amount(line.Qty), m(line.Price), m(worth(line)))
#let titles = table.header([Item], [Quantity], [Price], [Amount])
#let wide = (columns: (auto,) * 4, align: (left, right, right, right), stroke: none)
= Bill
#p.Customer
"""
END = """
#v(4mm)
#p.Note
"""
PLAIN = "#table(..wide, titles, ..for line in p.Lines { cells(line) })"
BODIES = {
    "plain": PLAIN,
    "numbers first": """#table(columns: (auto, auto, auto, 1fr), stroke: none,
        [Quantity], [Price], [Amount], [Item], ..for line in p.Lines { cells(line).rev() })""",
    "level in the middle": """#table(columns: (28mm, auto, auto, auto), stroke: none,
        align: (left + horizon, center + horizon, right + horizon, right + horizon),
        titles, ..for line in p.Lines { cells(line) })""",
    "sums of groups": """#table(..wide, titles, ..for name in p.Lines.map(line => line.Group).dedup() {
        let own = p.Lines.filter(line => line.Group == name)
        for line in own { cells(line) }
        let many = own.map(line => line.Qty).sum()
        let sum = own.map(worth).sum()
        ([Subtotal #name], amount(many), m(sum / many), m(sum)) })""",
    "another table's lines": """#table(..wide, titles, ..for line in p.Lines { cells(line) },
        ..for extra in p.Extras {
        (extra.Name, amount(extra.Count), m(extra.Cost), m(extra.Cost * extra.Count)) })""",
    "carried forward": """#for (at, part) in p.Lines.chunks(6).enumerate() {
        if at > 0 { pagebreak() }
        table(columns: (1fr, auto, auto, auto), align: (left, right, right, right), stroke: none,
            [Item], [Quantity], [Price], [Amount],
            ..if at > 0 { ([Brought forward], [], [], m(p.Lines.slice(0, at * 6).map(worth).sum())) },
            ..for line in part { cells(line) },
            [Carried forward], [], [], m(p.Lines.slice(0, at * 6 + part.len()).map(worth).sum())) }""",
}
NOT_TOLD_APART = (
    "#table(columns: 2, stroke: none, [Item], [Price], ..for line in p.Lines { (line.Item, m(line.Price)) })"
)
FAULTY = 4
NAME = "Lines: a line that no row has"


def rows(count: int) -> list[Params]:
    rng = random.Random(17)  # noqa: S311 - made-up rows
    words = planted_faults.WORDS
    return [
        {
            "Customer": f"{rng.choice(planted_faults.FIRST)} {rng.choice(planted_faults.LAST)}",
            "Note": rng.choice(["", "Pay within 14 days, or 2 % more", "12 boxes, 3 pallets\nGate 4, 8 to 16"]),
            "Lines": sorted(
                (
                    {
                        "Item": " ".join(rng.sample(words, rng.randrange(2, 9))),
                        "Group": rng.choice(["Wood", "Metal", "Cloth"]),
                        "Qty": rng.choice([1, 2, 3, 12, 140]),
                        "Price": rng.choice([0.35, 12, 99.5, 1450, 7.25]) + rng.randrange(30),
                    }
                    for _ in range(rng.choice([2, 2, 3, 5, 9, 15]))
                ),
                key=lambda line: line["Group"],
            ),
            "Extras": [
                {
                    "Name": " ".join(rng.sample(words, 2)),
                    "Count": rng.randrange(1, 9),
                    "Cost": rng.randrange(3, 90) + 0.5,
                }
                for _ in range(rng.choice([0, 0, 0, 1, 2]))
            ],
        }
        for _ in range(count)
    ]


WANTED = rows(36)
TWICE = next(row for row in range(20, 36) if len(WANTED[row]["Lines"]) > 1)
WANTED[TWICE]["Lines"].insert(0, WANTED[TWICE]["Lines"][0])

Check = Callable[[str, dict[int, list[Params]]], Checked]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Return what is found in a design's documents, for other lines in some rows."""
    folders: dict[str, Path] = {}

    def found(body: str, lines: dict[int, list[Params]]) -> Checked:
        if body not in folders:
            folders[body] = tmp_path_factory.mktemp("own")
            design = designed(body, folders[body])
            for row, params in enumerate(WANTED):
                pdf = render(design, params, created=planted_faults.CREATED)
                (folders[body] / f"{row}.pdf").write_bytes(pdf)
        paths = {row: str(folders[body] / f"{row}.pdf") for row in range(len(WANTED))}
        asked = [{**params, "Lines": lines.get(row, params["Lines"])} for row, params in enumerate(WANTED)]
        with closing(Readings(folders[body])) as known:
            return check_run(
                paths,
                lambda: enumerate(asked),
                known,
                labels={},
                began=lambda *_: lambda count: None,
                tick=lambda: None,
            )

    return found


def designed(body: str, folder: Path) -> DesignVersion:
    own = folder / "designs" / "own"
    own.mkdir(parents=True)
    (own / "design.toml").write_text(DESIGN)
    (own / "sample.json").write_text('{"Customer": "", "Note": "", "Lines": [], "Extras": []}')
    (own / "template.typ").write_text(BEGIN + body + END)
    known = load_designs(folder / "designs")["own"]
    return known.versions[known.latest]


def told(checked: Checked) -> set[int]:
    return {row for row, verdict in checked.verdicts.items() if verdict.verdict != "ok"}


def some(least: int) -> list[int]:
    """Return documents that have several lines."""
    return [row for row, params in enumerate(WANTED) if len(params["Lines"]) >= least][:FAULTY]


def without(lines: list[Params], where: str) -> list[Params]:
    place = {"first": 0, "middle": len(lines) // 2, "last": len(lines) - 1}
    return [line for at, line in enumerate(lines) if where != "all" and at != place[where]]


@pytest.mark.parametrize("body", BODIES)
def test_nothing_is_told_of_documents_that_have_their_own_lines_and_what_the_design_adds(
    check: Check, body: str
) -> None:
    checked = check(BODIES[body], {})
    assert told(checked) == set()
    assert NAME not in checked.not_judged


@pytest.mark.parametrize("where", ["first", "middle", "last", "all"])
@pytest.mark.parametrize("body", BODIES)
def test_a_line_that_the_row_does_not_have_is_found_by_the_columns_of_its_document(
    check: Check, body: str, where: str
) -> None:
    faulty = {row: without(WANTED[row]["Lines"], where) for row in some(3 if where == "middle" else 2)}
    assert told(check(BODIES[body], faulty)) == set(faulty)


def test_one_line_too_many_is_told_with_its_text(check: Check) -> None:
    row = min(some(2), key=lambda row: len(WANTED[row]["Lines"][0]["Item"]))
    lines = WANTED[row]["Lines"]
    (found,) = check(PLAIN, {row: lines[1:]}).verdicts[row].findings
    told = f"{lines[0]['Item']}: this line stands there, and the row does not have it"
    assert (found.kind, found.parameter, found.found) == ("lines", "Lines", told)


@pytest.mark.parametrize("body", BODIES)
def test_lines_that_are_missing_or_doubled_are_found_as_well(check: Check, body: str) -> None:
    missing, lines = some(2)[0], WANTED[TWICE]["Lines"]
    more = [*WANTED[missing]["Lines"], {**WANTED[missing]["Lines"][0], "Item": "Lantern oil", "Price": 77.5}]
    checked = check(BODIES[body], {missing: more, TWICE: lines[1:]})
    assert told(checked) == {missing, TWICE}
    assert {found.kind for found in checked.verdicts[TWICE].findings} == {"lines"}


def test_it_is_said_where_a_line_too_many_would_not_be_noticed(check: Check) -> None:
    checked = check(NOT_TOLD_APART, {row: without(WANTED[row]["Lines"], "last") for row in some(2)})
    assert checked.not_judged[NAME] == "it would not be noticed: too little tells a line from other text"
    assert told(checked) == set()
