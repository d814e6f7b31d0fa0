from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.journals import BASE_URL, OWNER, abandoned, on_disk, opened, planned, sent

from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.journal import marks, runs, schema
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.journal.runs_folder import checked_name
from reportflow_pandas.journal.schema import APPLICATION

HOLD = """
import sys
from pathlib import Path
from support.journals import opened
journal = opened(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the run."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def with_rows(folder: Path) -> None:
    async def main() -> None:
        with opened(folder) as journal:
            outcomes, _ = await planned(journal, ["a", "b", "c"])
            await sent(journal, outcomes, [0])

    asyncio.run(main())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_folder_and_files_are_for_their_owner_only_and_no_business_of_git(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / ".reportflow" / "runs"
        before = os.umask(0)
        try:
            with opened(folder) as journal:
                await planned(journal, ["a"])
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        finally:
            os.umask(before)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert {name: oct(mode) for name, mode in modes.items() if name != ".gitignore"} == {
            "november.sqlite": "0o600",
            "november.sqlite-wal": "0o600",
            "november.sqlite-shm": "0o600",
            "november.lock": "0o600",
        }
        assert (folder / ".gitignore").read_text() == "*\n"

    asyncio.run(main())


def test_a_folder_in_use_for_something_else_gets_no_gitignore(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("mine")
    opened(tmp_path).close()
    assert not (tmp_path / ".gitignore").exists()


def test_closed_journals_are_one_file_and_a_lock(tmp_path: Path) -> None:
    with_rows(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "november.lock", "november.sqlite"]


@pytest.mark.parametrize("run", ["november", "請求書 2026-11", "a.b", "Ä_1", "nightly (2)", "x"])
def test_good_names_are_kept(run: str, tmp_path: Path) -> None:
    opened(tmp_path, run).close()
    assert [summary.run for summary in runs.runs(tmp_path)] == [run]
    assert runs.load(tmp_path, run).meta["run"] == run


@pytest.mark.parametrize(
    "run",
    ["", " ", "../november", "a/b", "a\\b", ".hidden", "november.", "CON", "lpt1.x", "a\0b", "a:b", "n" * 81],
)
def test_names_that_no_file_can_have_everywhere_are_refused(run: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run="):
        opened(tmp_path, run)
    assert not list(tmp_path.glob("*.sqlite"))


def test_accents_composed_and_decomposed_are_one_name(tmp_path: Path) -> None:
    with opened(tmp_path, unicodedata.normalize("NFD", "été")) as journal:
        assert journal.run == checked_name("été")
    assert not opened(tmp_path, "été").created


def test_names_that_differ_in_case_only_are_one_run_written_wrongly(tmp_path: Path) -> None:
    opened(tmp_path, "november").close()
    with pytest.raises(ConfigurationError, match="run='november'"):
        opened(tmp_path, "November")
    with pytest.raises(ConfigurationError, match="run='november'"):
        runs.load(tmp_path, "NOVEMBER")


def test_a_disk_that_is_full_when_a_run_begins_leaves_no_half_journal_of_it(tmp_path: Path) -> None:
    """Full at the worst moment: all is in the write-ahead log, and not yet in the journal itself."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Facts(dict[str, str]):
        def items(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
            yield from super().items()
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))

    try:
        with pytest.raises(ConfigurationError, match="nothing was sent"):
            schema.create(tmp_path / "november.sqlite", Facts(run='"november"'))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
    assert not runs.runs(tmp_path)
    opened(tmp_path).close()


@pytest.mark.parametrize("said", [b"", b"an analyst's notes", b"SQLite format 3\x00", bytes(8192)])
def test_a_foreign_file_is_refused_and_left_as_it_is(said: bytes, tmp_path: Path) -> None:
    path = tmp_path / "november.sqlite"
    path.write_bytes(said)
    for look in (lambda: opened(tmp_path), lambda: runs.load(tmp_path, "november")):
        with pytest.raises(ConfigurationError, match="no journal of a run"):
            look()
    assert path.read_bytes() == said
    (summary,) = runs.runs(tmp_path)
    assert (summary.state, "no journal" in summary.problem) == ("unreadable", True)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "november.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="no journal of a run"):
        opened(tmp_path)
    assert path.read_bytes() == before


def test_a_torn_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with_rows(tmp_path)
    path = tmp_path / "november.sqlite"
    whole = path.read_bytes()
    for torn in (whole[: len(whole) // 2], whole[:5000], whole[:4096] + bytes(4096) + whole[8192:], whole[:50]):
        path.write_bytes(torn)
        with pytest.raises(ConfigurationError, match=r"damaged|no journal"):
            opened(tmp_path)
        assert path.read_bytes() == torn


@pytest.mark.parametrize(("form", "said"), [(99, "newer reportflow-pandas"), (2, "before its first release")])
def test_a_journal_of_another_form_is_refused_and_left_as_it_is(tmp_path: Path, form: int, said: str) -> None:
    with_rows(tmp_path)
    file = tmp_path / "november.sqlite"
    other = sqlite3.connect(file)
    other.execute(f"PRAGMA user_version = {form}")
    other.close()
    written = file.read_bytes()
    for look in (lambda: opened(tmp_path), lambda: runs.load(tmp_path, "november")):
        with pytest.raises(ConfigurationError, match=said):
            look()
    assert file.read_bytes() == written
    assert not file.with_name("november.sqlite-wal").exists()


@pytest.mark.parametrize(
    "change", ["ALTER TABLE documents RENAME COLUMN url TO address", "DROP VIEW results; DROP TABLE calls"]
)
def test_a_journal_without_the_tables_of_its_form_is_no_matter_of_the_disk(tmp_path: Path, change: str) -> None:
    with_rows(tmp_path)
    other = sqlite3.connect(tmp_path / "november.sqlite")
    other.executescript(change)
    other.close()
    for look in (lambda: opened(tmp_path), lambda: runs.load(tmp_path, "november")):
        with pytest.raises(ConfigurationError, match=r"has not the tables of form \d+.*no such (column|table)"):
            look()


def test_a_process_killed_while_it_makes_a_journal_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "november.sqlite.new").write_bytes(b"half of it")
    with opened(tmp_path) as journal:
        assert journal.created
    assert not list(tmp_path.glob("*.new*"))


def as_nobody(look: Callable[[], object]) -> str:
    """Do something as a user who may not write here; return what came of it."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            said = str(look())
        except ConfigurationError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001 - the parent judges
            said = repr(error)
        os.write(told, said.encode())
        os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    with os.fdopen(ready, "rb") as end:
        return end.read().decode()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no modes")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_read_only_folder_can_be_looked_at_and_nothing_is_sent_from_it() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with_rows(folder)
        (folder / "november.sqlite").chmod(0o644)
        (folder / "november.lock").chmod(0o644)
        folder.chmod(0o555)
        try:
            assert as_nobody(lambda: runs.load(folder, "november").outcomes.counts()["accepted"]) == "1"
            for run in ("november", "october"):
                said = as_nobody(lambda run=run: opened(folder, run))  # type: ignore[misc]
                assert "nothing was sent" in said
                assert "rf.configure(runs='…') or the environment's REPORTFLOW_RUNS" in said
        finally:
            folder.chmod(0o755)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(ConfigurationError, match="REPORTFLOW_RUNS"):
        opened(tmp_path / "runs")
    with pytest.raises(ConfigurationError, match="REPORTFLOW_RUNS"):
        opened(tmp_path / "runs" / "deeper")


def test_a_folder_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(ConfigurationError, match=r"No locks available.*REPORTFLOW_RUNS"):
        opened(tmp_path)


def test_a_second_process_is_refused_and_may_look(tmp_path: Path) -> None:
    with_rows(tmp_path)
    with holding(tmp_path) as process:
        with pytest.raises(ConfigurationError, match=f"process {process.pid} on .* since .*rf.load"):
            opened(tmp_path)
        assert runs.load(tmp_path, "november").outcomes.counts()["accepted"] == 1
        assert runs.runs(tmp_path)[0].state == "sending"
        with pytest.raises(ConfigurationError, match=str(process.pid)):
            runs.forget(tmp_path, "november", SYSTEM_CLOCK)
        process.kill()
        process.wait()
        opened(tmp_path).close()


def test_a_second_job_of_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(ConfigurationError, match=f"process {os.getpid()}"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_asking_whether_a_run_goes_on_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "november.lock"
    opened(tmp_path).close()
    asking = os.open(path, os.O_RDWR)
    fcntl = pytest.importorskip("fcntl")
    fcntl.flock(asking, fcntl.LOCK_SH | fcntl.LOCK_NB)
    looks = iter(range(3))

    def gone(seconds: float) -> None:
        if next(looks) == 1:
            os.close(asking)

    with monkeypatch.context() as patched:
        patched.setattr("reportflow_pandas.journal.lock.time.sleep", gone)
        opened(tmp_path).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_neither_keeps_the_lock_nor_writes(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ready, told = os.pipe()
    wait, go = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.close(go)
        try:
            list(journal.pending())
        except Exception as error:  # noqa: BLE001 - the parent judges
            os.write(told, type(error).__name__.encode())
        os.read(wait, 1)
        os._exit(0)
    assert os.read(ready, 100) == b"JournalError"
    journal.close()
    opened(tmp_path).close()
    os.close(go)
    os.waitpid(child, 0)
    for end in (ready, told, wait):
        os.close(end)


@pytest.mark.parametrize("changes", [{"service": "https://api.re-port-flow.com/v1"}, {"workspace": "ffff"}])
def test_a_run_belongs_to_one_address_and_one_workspace(changes: dict[str, str], tmp_path: Path) -> None:
    with_rows(tmp_path)
    with pytest.raises(ConfigurationError, match=r"november.*belongs to"):
        opened(tmp_path, owner=OWNER._replace(**changes))
    opened(tmp_path).close()


def test_an_unknown_run_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="none at all"):
        runs.load(tmp_path / "nowhere", "november")
    opened(tmp_path).close()
    for look in (
        lambda: runs.load(tmp_path, "october"),
        lambda: runs.forget(tmp_path, "october", SYSTEM_CLOCK),
        lambda: opened(tmp_path, "october", must_exist=True),
    ):
        with pytest.raises(ConfigurationError, match=r"no run 'october'.*'november'"):
            look()
    assert sorted(path.name for path in tmp_path.glob("oct*")) == []


def test_a_forgotten_run_leaves_nothing(tmp_path: Path) -> None:
    with_rows(tmp_path)
    runs.forget(tmp_path, "november", SYSTEM_CLOCK)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
    assert runs.runs(tmp_path) == []
    assert opened(tmp_path).created


def test_what_nobody_can_read_can_be_forgotten(tmp_path: Path) -> None:
    (tmp_path / "november.sqlite").write_bytes(b"torn")
    runs.forget(tmp_path, "november", SYSTEM_CLOCK)
    assert not (tmp_path / "november.sqlite").exists()


def test_runs_are_listed_with_their_counts(tmp_path: Path) -> None:
    with_rows(tmp_path)
    (summary,) = runs.runs(tmp_path)
    assert (summary.run, summary.state, summary.rows, summary.version) == ("november", "open", 3, 2)
    assert (summary.design_id, summary.design, summary.base_url) == ("Zk3PpV0aNq8sUe5J", "注文書", BASE_URL)
    assert summary.counts == {"not_sent": 2, "accepted": 1, "ready": 0, "failed": 0, "unknown": 0}
    assert summary.created_at is not None
    assert summary.updated_at is not None
    assert summary.updated_at >= summary.created_at

    async def rest() -> None:
        with opened(tmp_path) as journal:
            outcomes = journal.go_on()
            await sent(journal, outcomes, [1, 2])
        with opened(tmp_path, "broken off") as journal:
            await planned(journal, ["a"], end=False)

    asyncio.run(rest())
    assert {summary.run: summary.state for summary in runs.runs(tmp_path)} == {
        "november": "complete",
        "broken off": "unplanned",
    }


def test_a_webhook_marks_beside_the_running_job(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, fresh = await planned(journal, ["a", "b", "c"])
        await sent(journal, outcomes, [0])
        await journal.intent([1], "async/single")

        def marked(position: int) -> str:
            return marks.mark_ready(
                tmp_path, "november", fresh[position].id, SYSTEM_CLOCK, file_id="f", request_id="r"
            )

        assert [marked(0), marked(0), marked(1)] == ["marked", "known", "marked"]
        assert marks.mark_ready(tmp_path, "november", "0" * 16, SYSTEM_CLOCK) == "stranger"
        assert marks.mark_ready(tmp_path, "november", "é" * 40, SYSTEM_CLOCK) == "stranger"
        abandoned(journal)
        with opened(tmp_path) as journal:
            again = journal.go_on()
            assert [o.status for o in again] == ["ready", "ready", "not_sent"]
            # what the answer said stays
            assert (again[0].file_id, again[1].file_id, again[1].request_id) == ("file-0", "f", "r")
            assert again[1].error_kind is None
            assert again[1].accepted_at is not None
            assert [d.position for d in journal.pending(unknown=True)] == [2]

    asyncio.run(main())


def test_settling_turns_unknown_rows_into_accepted_ones_and_no_others(tmp_path: Path) -> None:
    async def main() -> None:
        journal = opened(tmp_path)
        outcomes, _ = await planned(journal, ["a", "b", "c", "d"])
        await sent(journal, outcomes, [0])
        call = await journal.intent([1], "async/single")
        outcomes.refused(1, "unknown", "unknown_outcome", "cut off", None)
        await journal.answered(call, outcomes.as_answered([1]))
        await journal.intent([2], "async/single")
        assert marks.settle(tmp_path, "november", [0, 1, 2, 3, 99], SYSTEM_CLOCK) == [1]
        abandoned(journal)
        assert marks.settle(tmp_path, "november", [2], SYSTEM_CLOCK) == [2]
        assert marks.settle(tmp_path, "november", [2], SYSTEM_CLOCK) == []
        with opened(tmp_path) as journal:
            assert [o.status for o in journal.go_on()] == ["accepted", "accepted", "accepted", "not_sent"]
            assert [d.position for d in journal.pending(unknown=True)] == [3]
        assert b'"c"' not in on_disk(tmp_path)

    asyncio.run(main())


def test_the_lock_names_its_holder_and_nothing_else(tmp_path: Path) -> None:
    with opened(tmp_path):
        said = json.loads((tmp_path / "november.lock").read_text())
        assert said.keys() == {"pid", "host", "since"}


def test_a_journal_knows_its_own_kind(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert isinstance(journal, Journal)
    connection = sqlite3.connect(tmp_path / "november.sqlite")
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
