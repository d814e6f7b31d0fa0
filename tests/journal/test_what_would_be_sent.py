"""What a run would send of a frame is what it then sends; nothing is locked or written for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings as effort, strategies as st
from support.journals import BASE_URL, OWNER, accept, documents, key_of, opened, planned

from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.journal.runs import begun, unsent

ENDS = ["accepted", "failed", "unknown", "in flight", "not sent"]


def foretold(folder: Path, texts: Sequence[str], again: Sequence[int] = ()) -> tuple[list[int], list[str]]:
    """Return the positions that would be sent, of rows told in chunks of three, and the outcomes of all."""
    rows = documents(texts)
    outcomes = Outcomes([document.name for document in rows])
    chunks = [
        (rows[start : start + 3], [key_of(text) for text in texts[start : start + 3]])
        for start in range(0, len(rows), 3)
    ]
    fresh = [document.position for document in unsent(folder, "november", chunks, outcomes, again)]
    return fresh, [outcomes.status_of(position) for position in range(len(rows))]


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the length of each file and when it was written, but for SQLite's own marks of readers."""
    files = [path for path in folder.iterdir() if not path.name.endswith("-shm")]
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@effort(max_examples=60, deadline=None)
@given(
    frames=st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(ENDS)), min_size=1, max_size=8),
            st.sets(st.integers(0, 7)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_foretold_of_each_frame_is_what_its_run_sends(
    frames: list[tuple[list[tuple[str, str]], set[int]]],
) -> None:
    """Each document ends in its own way; the next frame has some of them, equal ones, and some to send again."""

    async def main(folder: Path) -> None:
        for rows, again in frames:
            texts, wanted = [text for text, _ in rows], sorted(again)
            told, statuses = foretold(folder, texts, wanted)
            with opened(folder) as journal:
                outcomes, fresh = await planned(journal, texts, again=wanted)
                assert told == [document.position for document in fresh]
                assert statuses == [outcomes.status_of(position) for position in range(len(rows))]
                for position in told:
                    end = rows[position][1]
                    if end == "not sent":
                        continue
                    call = await journal.intent([position], "async/single")
                    if end == "accepted":
                        accept(outcomes, [position])
                    elif end != "in flight":
                        outcomes.refused(position, end, "invalid", "refused", 400)
                    if end != "in flight":
                        await journal.answered(call, outcomes.as_answered([position]))
                beside, _ = foretold(folder, texts)
                assert not {place for place in told if rows[place][1] in ("accepted", "unknown", "in flight")} & {
                    *beside
                }

    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        asyncio.run(main(Path(folder)))


def test_nothing_is_written_for_it(tmp_path: Path) -> None:
    assert foretold(tmp_path / "runs", "abc") == ([0, 1, 2], ["not_sent"] * 3)
    assert begun(tmp_path / "runs", "november", base_url=BASE_URL, owner=OWNER) == {}
    assert not (tmp_path / "runs").exists()

    async def main() -> None:
        with opened(tmp_path) as journal:
            await planned(journal, "abc")
            await journal.flush()
            before = written(tmp_path)
            assert foretold(tmp_path, "abcd")[0] == [0, 1, 2, 3]
            assert begun(tmp_path, "november", base_url=BASE_URL, owner=OWNER)["version"] == 2
            assert written(tmp_path) == before

    asyncio.run(main())
    before = written(tmp_path)
    foretold(tmp_path, "abcd")
    assert written(tmp_path) == before


@pytest.mark.parametrize("change", [{"service": "http://127.0.0.1:1/v1"}, {"workspace": "another"}])
def test_a_run_of_another_address_or_workspace_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    opened(tmp_path).close()
    with pytest.raises(ConfigurationError, match="belongs to"):
        begun(tmp_path, "november", base_url=BASE_URL, owner=OWNER._replace(**change))
