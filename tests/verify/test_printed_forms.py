"""In which form a run prints a value: its sign, its order of day and month, its zeros."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pytest

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues
from reportflow_pandas.verify.judgement import judge
from reportflow_pandas.verify.layout_learning import learn
from reportflow_pandas.verify.number_signs import sign_of
from reportflow_pandas.verify.run_values import RunValues

from .test_reading_places import document

Params = dict[str, Any]
NAMES = ["Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus"]


def page(params: Params, printed: Mapping[str, str]) -> DocumentText:
    """Return a letter with each value behind its name, as ``printed`` where that has it; lines of two cells."""
    units = [("Statement of your account", 60, 750)]
    for at, name in enumerate(name for name in params if name != "Lines"):
        units += [(f"{name}:", 60, 700 - 20 * at), (printed.get(name, str(params[name])), 200, 700 - 20 * at)]
    for at, line in enumerate(params.get("Lines", ())):
        said = printed.get(f"Lines.{at}", str(line["Price"]))
        units += [(line["Item"], 60, 500 - 20 * at), (said, 300, 500 - 20 * at)]
    return document([unit for unit in units if unit[0]])


def told(
    rows: Sequence[Params],
    printed: Callable[[Params], Mapping[str, str]],
    otherwise: Mapping[int, Mapping[str, str]] | None = None,
) -> dict[int, list[str]]:
    """Return the parameters with findings by row, where some rows are printed ``otherwise``."""
    texts = [page(row, {**printed(row), **(otherwise or {}).get(at, {})}) for at, row in enumerate(rows)]
    expected = [ExpectedValues.of(row) for row in rows]
    layout, run = learn(list(zip(texts, expected, strict=True))), RunValues()
    for at, values in enumerate(expected):
        run.add(at, values, layout.forms)
    found = {at: judge(layout, run, at, texts[at], expected[at]) for at in range(len(rows))}
    return {at: [one.parameter for one in findings] for at, findings in found.items() if findings}


def amounts(count: int = 40) -> list[Params]:
    return [
        {
            "Customer": f"{NAMES[at % 7]} {NAMES[at * 3 % 5]}son {at}",
            "Amount": (-1 if at % 4 == 0 else 1) * (7.25 + 331 * at),
        }
        for at in range(count)
    ]


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def test_a_minus_that_is_lost_or_too_many_is_told() -> None:
    changed = {8: {"Amount": "2.655,25"}, 0: {"Amount": "7,25"}, 9: {"Amount": "-2.986,25"}}
    found = told(amounts(), lambda row: {"Amount": german(row["Amount"])}, changed)
    assert found == {row: ["Amount"] for row in changed}


@pytest.mark.parametrize(
    ("below", "above"),
    [("-{}", "{}"), ("({})", "{}"), ("{}-", "{}"), ("△{}", "{}"), ("\u2212 {}", "{}"), ("{} DR", "{} CR")],
)
def test_signs_of_many_kinds_are_known_and_told_where_they_are_not_there(below: str, above: str) -> None:
    def printed(row: Params) -> dict[str, str]:
        return {"Amount": (below if row["Amount"] < 0 else above).format(german(abs(row["Amount"])))}

    assert told(amounts(), printed) == {}
    assert told(amounts(), printed, {8: {"Amount": above.format("2.655,25")}}) == {8: ["Amount"]}


def test_signs_are_not_judged_where_a_run_prints_none() -> None:
    assert told(amounts(), lambda row: {"Amount": german(abs(row["Amount"]))}) == {}


def tables(count: int = 30) -> list[Params]:
    return [
        {
            "Customer": f"{NAMES[at % 7]} {NAMES[at * 3 % 5]}son {at}",
            "Lines": [
                {
                    "Item": f"{NAMES[step % 7]} set {step}",
                    "Price": (-1 if step == 1 else 1) * (at + 3.25 * step + 1),
                }
                for step in range(3 + at % 3)
            ],
        }
        for at in range(count)
    ]


def cells(row: Params) -> dict[str, str]:
    return {f"Lines.{at}": german(line["Price"]) for at, line in enumerate(row["Lines"])}


def test_a_minus_of_a_tables_cell_is_told() -> None:
    rows = tables()
    lost, gained = {"Lines.1": german(-rows[7]["Lines"][1]["Price"])}, {"Lines.0": "-" + german(10)}
    assert told(rows, cells) == {}
    assert told(rows, cells, {7: lost, 9: gained}) == {7: ["Lines[2].Price"], 9: ["Lines[1].Price"]}


def test_a_column_that_is_deducted_everywhere_has_its_minus_in_each_line() -> None:
    rows = [{**row, "Lines": [{**line, "Price": abs(line["Price"])} for line in row["Lines"]]} for row in tables()]

    def printed(row: Params) -> dict[str, str]:
        return {name: f"-{text}" for name, text in cells(row).items()}

    assert told(rows, printed) == {}
    assert told(rows, printed, {7: {"Lines.1": cells(rows[7])["Lines.1"]}}) == {7: ["Lines[2].Price"]}


@pytest.mark.parametrize(
    ("text", "sign"), [("5.00 - 9", ""), ("5.00-", "-"), ("5.00 -", "-"), ("A-5.00", ""), ("5.00 drums", "")]
)
def test_a_hyphen_is_a_sign_only_where_it_stands_for_one(text: str, sign: str) -> None:
    own = document([(text, 60, 700)])
    assert sign_of(own, own.every_place("5.00")[0]) == sign


# -- forms that a run does not use -----------------------------------------------------------------------------


def days(count: int = 40) -> list[Params]:
    return [
        {
            "Customer": f"{NAMES[at % 7]} {NAMES[at * 3 % 5]}son {at}",
            "Day": f"2026-{at * 5 % 12 + 1:02}-{at * 7 % 28 + 1:02}",
            "Country": ("Spain", "USA")[at % 10 == 3],
        }
        for at in range(count)
    ]


def in_form(pattern: str) -> Callable[[Params], dict[str, str]]:
    return lambda row: {"Day": date.fromisoformat(row["Day"]).strftime(pattern)}


@pytest.mark.parametrize("pattern", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%y"])
def test_day_and_month_that_changed_places_are_told_where_the_run_proves_their_order(pattern: str) -> None:
    rows = days()
    at = next(at for at, row in enumerate(rows) if row["Day"][5:7] != row["Day"][8:] and int(row["Day"][8:]) < 13)
    year, month, day = rows[at]["Day"].split("-")
    changed = {at: in_form(pattern)({"Day": f"{year}-{day}-{month}"})}
    assert told(rows, in_form(pattern)) == {}
    assert told(rows, in_form(pattern), changed) == {at: ["Day"]}


def test_another_order_of_day_and_month_is_no_fault_where_another_parameter_explains_it() -> None:
    def printed(row: Params) -> dict[str, str]:
        return in_form("%m/%d/%Y" if row["Country"] == "USA" else "%d/%m/%Y")(row)

    assert told(days(), printed) == {}


@pytest.mark.parametrize(
    "pattern",
    [
        *("%B %d, %Y", "%b %d, %Y", "%d %b %Y", "%A, %B %d, %Y", "%d%b%Y", "%d-%b-%Y", "%d-%b-%y"),
        *("%d %B %Y", "%Y\ub144 %m\uc6d4 %d\uc77c"),
    ],
)
def test_dates_with_a_day_of_two_digits_are_known(pattern: str) -> None:
    rows = days()
    assert told(rows, in_form(pattern)) == {}
    assert told(rows, in_form(pattern), {5: in_form(pattern)({"Day": "2026-07-09"})}) == {5: ["Day"]}


def numbered(count: int = 40) -> list[Params]:
    return [{"Customer": f"{NAMES[at % 7]}son {at}", "Account": f"{at * 7919 % 90000:06}"} for at in range(count)]


@pytest.mark.parametrize("form", ["{}", "{}.0", "{:,}"])
def test_a_text_of_digits_is_held_to_the_letter(form: str) -> None:
    rows = numbered()
    changed = {7: {"Account": form.format(int(rows[7]["Account"]))}}
    assert told(rows, lambda _: {}) == {}
    assert told(rows, lambda _: {}, changed) == {7: ["Account"]}


def test_amounts_that_came_as_text_may_be_printed_as_numbers() -> None:
    rows = [{"Customer": f"{NAMES[at % 7]}son {at}", "Amount": f"{17 * at + 5}.5"} for at in range(120)]
    assert told(rows, lambda row: {"Amount": f"{float(row['Amount']):,.2f}"}) == {}


def test_another_decimal_sign_in_few_documents_is_told() -> None:
    changed = {8: {"Amount": "-2,655.25"}, 9: {"Amount": "2,986.25"}, 1: {"Amount": "338.25"}}
    found = told(amounts(), lambda row: {"Amount": german(row["Amount"])}, changed)
    assert found == {row: ["Amount"] for row in changed}


def test_another_decimal_sign_is_no_fault_where_another_parameter_explains_it() -> None:
    rows = [{**row, "Country": "USA" if at in (4, 17) else "Spain"} for at, row in enumerate(amounts())]

    def printed(row: Params) -> dict[str, str]:
        return {"Amount": f"{row['Amount']:,.2f}" if row["Country"] == "USA" else german(row["Amount"])}

    assert told(rows, printed) == {}


def test_a_percentage_that_is_a_hundred_times_too_much_is_told() -> None:
    rows = [{"Customer": f"{NAMES[at % 7]}son {at}", "Rate": 0.5 + at % 9} for at in range(40)]
    found = told(rows, lambda row: {"Rate": f"{german(row['Rate'])} %"}, {6: {"Rate": "650,00 %"}})
    assert found == {6: ["Rate"]}


# -- zeros ------------------------------------------------------------------------------------------------------


def accounts() -> list[Params]:
    more = [
        {**row, "Reference": f"R-{at * 37 + 11}", "City": f"{NAMES[at % 7]}ville"}
        for at, row in enumerate(amounts())
    ]
    return [{**row, "Amount": 0.0 if at in (3, 9, 22) else row["Amount"]} for at, row in enumerate(more)]


@pytest.mark.parametrize("zero", ["-", "\u2013", "", "-.-"])
def test_a_zero_may_be_a_dash_or_nothing(zero: str) -> None:
    rows = accounts()

    def printed(row: Params) -> dict[str, str]:
        return {"Amount": german(row["Amount"]) if row["Amount"] else zero}

    assert told(rows, printed) == {}
    assert told(rows, printed, {8: {"Amount": "-2.665,25"}}) == {8: ["Amount"]}


def test_a_zero_that_is_not_there_is_told_where_others_are_printed() -> None:
    rows = accounts()
    found = told(rows, lambda row: {"Amount": german(row["Amount"])}, {9: {"Amount": ""}})
    assert found == {9: ["Amount"]}


# -- times of day -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "other"),
    [
        ("%d.%m.%Y, %H:%M Uhr", "18.04.2026, 07:45 Uhr"),
        ("%d/%m/%Y %H:%M", "18/04/2026 07:45"),
        ("%H:%M %d/%m/%Y", "07:45 18/04/2026"),
        ("%d %B %Y at %I:%M %p", "18 April 2026 at 10:30 PM"),
        ("%Y-%m-%dT%H:%M:%S", "2026-04-18T07:45:00"),
    ],
)
def test_another_time_of_day_is_told(form: str, other: str) -> None:
    rows = [
        {
            "Customer": f"{NAMES[at % 7]}son {at}",
            "Begins": f"2026-04-{at + 1:02}T{8 + at % 9:02}:{at % 2 * 30:02}:00",
        }
        for at in range(30)
    ]

    def printed(row: Params) -> dict[str, str]:
        return {"Begins": datetime.fromisoformat(row["Begins"]).strftime(form)}

    assert told(rows, printed) == {}
    assert told(rows, printed, {17: {"Begins": other}}) == {17: ["Begins"]}


def test_times_of_day_in_another_time_zone_are_left_alone() -> None:
    rows = [
        {"Customer": f"{NAMES[at % 7]}son {at}", "Begins": f"2026-04-{at + 1:02}T08:30:00"} for at in range(30)
    ]
    assert told(rows, lambda row: {"Begins": f"{row['Begins'][:10]} 10:30"}) == {}


# -- currencies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("usual", "other"), [("{} €", "{} $"), ("€ {}", "$ {}"), ("EUR {}", "USD {}")])
def test_another_currency_in_few_documents_is_told(usual: str, other: str) -> None:
    rows = amounts()

    def printed(row: Params) -> dict[str, str]:
        return {"Amount": usual.format(german(row["Amount"]))}

    assert told(rows, printed) == {}
    assert told(rows, printed, {5: {"Amount": other.format(german(rows[5]["Amount"]))}}) == {5: ["Amount"]}


def test_the_currency_of_another_group_is_told_and_the_groups_own_is_not() -> None:
    rows = [{**row, "Country": "USA" if at % 5 == 2 else "Spain"} for at, row in enumerate(amounts())]

    def printed(row: Params) -> dict[str, str]:
        return {"Amount": german(row["Amount"]) + (" $" if row["Country"] == "USA" else " €")}

    assert told(rows, printed) == {}
    assert told(rows, printed, {7: {"Amount": german(rows[7]["Amount"]) + " €"}}) == {7: ["Amount"]}
