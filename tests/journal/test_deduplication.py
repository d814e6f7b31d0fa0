"""Equal rows of a frame are as many documents, in whatever chunks they come."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings as effort, strategies as st
from support.journals import documents, key_of

from reportflow_pandas.journal import schema
from reportflow_pandas.journal.deduplication import Rows
from reportflow_pandas.journal.ledger import begin_frame, plan_later


def told_apart(texts: Sequence[str], chunk: int) -> list[tuple[bytes, int]]:
    """Return the key and the place among equals of each row of a frame that comes in chunks."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "november.sqlite"
        schema.create(path, {})
        connection = schema.open_to_write(path)
        connection.execute("BEGIN")
        begin_frame(connection, {}, {})
        rows = Rows(documents(texts), [key_of(text) for text in texts], None, None)
        for start in range(0, len(texts), chunk):
            planned = plan_later(connection, rows.part(start, start + chunk), (), {}, start)
            assert planned.new == len(planned.numbers) == len(rows.part(start, start + chunk).keys)
        found = connection.execute(
            "SELECT key, nth FROM rows CROSS JOIN documents USING (number) ORDER BY position"
        ).fetchall()
        connection.close()
        return found


@effort(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 7))
def test_equal_keys_are_told_apart_by_how_manieth_they_are(numbers: list[int], chunk: int) -> None:
    texts = [str(number) for number in numbers]
    wanted = [(key_of(text), texts[:position].count(text)) for position, text in enumerate(texts)]
    assert told_apart(texts, chunk) == wanted


def test_many_equal_rows_are_told_apart_one_by_one() -> None:
    """20,000 equal rows: a search from the first one on for each would take 200,000,000 looks."""
    assert len(set(told_apart(["the same"] * 20_000, 500))) == 20_000
