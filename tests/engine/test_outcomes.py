from __future__ import annotations

import tracemalloc

from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED, STATUSES, Outcome, Outcomes

NAMES = ["INV-0", "INV-1", "INV-2"]


def accept(outcomes: Outcomes, position: int, file_name: str | None) -> None:
    """Give a row an answer that calls it so."""
    outcomes.restore(
        Outcome(
            position,
            "accepted",
            file_name=file_name,
            file_id=f"file-{position:011d}",
            request_id=f"request-{position // 100:016d}",
            http_status=202,
            accepted_at=1.0,
        )
    )


def test_a_name_is_what_the_service_answered_else_the_planned_one() -> None:
    outcomes = Outcomes(NAMES)
    accept(outcomes, 0, "INV-0.pdf")
    accept(outcomes, 1, "INV-1 (2).pdf")
    accept(outcomes, 2, None)
    assert [outcome.file_name for outcome in outcomes] == ["INV-0.pdf", "INV-1 (2).pdf", "INV-2.pdf"]
    assert outcomes.file_name[:] == ["INV-0.pdf", "INV-1 (2).pdf", None]
    assert outcomes.file_name.others() == {1: "INV-1 (2).pdf"}


def test_each_status_says_whether_the_service_took_the_document() -> None:
    assert sorted(STATUSES) == sorted([*ACCEPTED, *NOT_ACCEPTED])


def test_a_row_forgets_its_name() -> None:
    outcomes = Outcomes(NAMES)
    accept(outcomes, 1, "other.pdf")
    outcomes.forget(1)
    assert outcomes.file_name[1] is None
    assert outcomes[1].file_name == "INV-1.pdf"


def test_the_first_rows_that_failed_are_found() -> None:
    outcomes = Outcomes(NAMES)
    assert outcomes.first_failed(2) == []
    for position in (2, 0):
        outcomes.refused(position, "failed", "invalid", "no", 400)
    assert outcomes.first_failed(1) == [0]
    assert outcomes.first_failed(9) == [0, 2]


def test_an_accepted_row_takes_two_hundred_bytes_beside_its_planned_name() -> None:
    rows = 5000
    names = [f"INV-{position:012d}" for position in range(rows)]
    request_ids = [f"request-{number:016d}" for number in range(rows // 100)]
    tracemalloc.start()
    try:
        outcomes = Outcomes(names)
        for position, name in enumerate(names):
            accept(outcomes, position, name + ".pdf")
            outcomes.request_id[position] = request_ids[position // 100]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 200 * rows
