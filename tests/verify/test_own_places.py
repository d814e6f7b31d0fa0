"""A value has to stand in its own place, also where another value of its row says the same elsewhere."""

from __future__ import annotations

from typing import Any

from reportflow_pandas.verify.document_text import DocumentText

from .test_blank_places import NAMES, of_run
from .test_reading_places import document

Rows = tuple[list[dict[str, Any]], list[DocumentText]]


def journeys(printed: dict[int, str]) -> Rows:
    """Forty journeys whose day of departure is the first stop's day; in some another day is printed above."""
    rows, texts = [], []
    for at in range(40):
        days = [f"2026-{1 + at % 12:02}-{3 + at % 20 + stop:02}" for stop in range(3)]
        shown = [f"{int(day[-2:])}.{int(day[5:7])}.2026" for day in days]
        stops = [{"Day": day, "Town": f"{NAMES[(at + stop) % 7]} {stop}"} for stop, day in enumerate(days)]
        rows.append({"Traveller": f"{NAMES[at % 7]} {5 * chr(97 + at)}", "Leaves": days[0], "Stops": stops})
        leaves = printed.get(at, shown[0])
        units = [("Traveller", 60, 750), (rows[at]["Traveller"], 200, 750), ("Leaves", 60, 730)]
        units += [(leaves.format(*shown), 200, 730)] if leaves else []
        units += [("Day", 60, 690), ("Town", 200, 690)]
        for stop, day in enumerate(shown):
            units += [(day, 60, 670 - 20 * stop), (stops[stop]["Town"], 200, 670 - 20 * stop)]
        texts.append(document([*units, ("Have a good journey", 60, 500)]))
    return rows, texts


def test_a_day_of_departure_is_not_found_in_the_first_stop() -> None:
    _, told = of_run(*journeys({5: "", 11: "", 18: ""}))
    assert told == {5: ["Leaves"], 11: ["Leaves"], 18: ["Leaves"]}


def test_the_second_stops_day_is_no_excuse_for_another_day_of_departure() -> None:
    _, told = of_run(*journeys({5: "{1}", 11: "{1}", 18: "{2}"}))
    assert told == {5: ["Leaves"], 11: ["Leaves"], 18: ["Leaves"]}


def letters(blank: int | None = None) -> Rows:
    """Forty letters whose subject has no fixed text beside it; the text says one of them as well."""
    rows, texts = [], []
    for at in range(40):
        subject = f"{NAMES[(at + 3) % 7]} {5 * chr(97 + at)}"
        body = f"we write about {subject} today" if at in (7, 9) else f"no reason {3 * chr(100 + at)} to write"
        rows.append({"Customer": f"{NAMES[at % 7]} {at}", "Subject": subject, "Text": body})
        units = [(rows[at]["Customer"], 60, 750), (subject, 60, 700), (body, 60, 650), ("Yours", 60, 600)]
        texts.append(document([one for one in units if at != blank or one[0] != subject]))
    return rows, texts


def test_a_subject_is_known_by_where_it_is_on_the_page_and_not_found_in_the_text() -> None:
    assert of_run(*letters())[1] == {}
    assert of_run(*letters(blank=7))[1] == {7: ["Subject"]}


def test_a_name_that_is_another_one_is_told_alone_though_the_line_below_moves() -> None:
    rows, texts = [], []
    for at in range(40):
        name, street = f"{NAMES[at % 7]} {5 * chr(97 + at)}", f"{at} {4 * chr(120 - at % 20)} Street"
        rows.append({"Name": name, "Street": street})
        shown = [name, street] if at % 4 else [f"Firm {3 * chr(99 + at % 20)}", name, street]
        texts.append(document([(text, 60, 700 - 20 * line) for line, text in enumerate(shown)]))
    rows[8]["Name"] = "Someone Else"
    assert of_run(rows, texts)[1] == {8: ["Name"]}


def test_a_closing_balance_is_told_in_four_of_sixty_statements_whose_last_line_has_it_too() -> None:
    rows, texts, wrong = [], [], (8, 21, 42, 47)
    for at in range(60):
        balances = [round((137.5 * at + 61.25 * line) % 9000 - 1500 * (at % 3 == 0), 2) for line in range(3)]
        lines = [
            {"What": f"{NAMES[(at + line) % 7]} {3 * chr(97 + (at + line) % 26)}", "Balance": balance}
            for line, balance in enumerate(balances)
        ]
        rows.append({"Owner": f"{NAMES[at % 7]} {at}", "Closing": balances[-1], "Lines": lines})
        shown = balances[-1] + (10 if at in wrong else 0)
        units = [("Owner", 60, 750), (rows[at]["Owner"], 200, 750), ("What", 60, 690), ("Balance", 300, 690)]
        for line, own in enumerate(lines):
            units += [(own["What"], 60, 670 - 20 * line), (f"{own['Balance']:.2f}", 300, 670 - 20 * line)]
        texts.append(document([*units, ("Closing balance", 60, 600), (f"{shown:.2f} PLN", 300, 600)]))
    _, told = of_run(rows, texts)
    assert told == {at: ["Closing"] for at in wrong}


def test_days_of_departure_that_are_wrong_in_one_of_eight_journeys_are_told() -> None:
    wrong = range(2, 40, 8)
    _, told = of_run(*journeys(dict.fromkeys(wrong, "30.11.2025")))
    assert told == {at: ["Leaves"] for at in wrong}
