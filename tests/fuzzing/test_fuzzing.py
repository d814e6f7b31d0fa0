"""Damaged bytes, wherever we read any: the right answer or an error of ours in a sentence, never a wrong count.

A seed is spoilt in a few places (`spoilt`) and read. CI runs `FEW` examples of each target, always the same;
``-m long`` runs `MANY`, by chance. What was found is kept beside its target as an example. Figures: README.md.
"""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import openpyxl
import orjson
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from reading.writing import rewritten
from reading.xlsb_writing import xlsb_file
from support.byte_server import ACCEPTED, BODY, KEY, PDF, Reply, serving
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Accepted, Delivered
from reportflow_pandas.journal.runs_folder import path_of
from reportflow_pandas.local.designs import load_designs
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.results.pdf_folder import PdfFolder
from reportflow_pandas.results.zip_files import pdfs_of
from reportflow_pandas.webhook import Event, Webhook

FEW, MANY = 40, 1_000
SECONDS = 20
"""After which one example is said to hang."""

Read = Callable[[bytes], None]


# -- damage ----------------------------------------------------------------------------------------------------


def _flip(data: bytearray, at: int, word: bytes) -> None:
    if data:
        data[at % len(data)] ^= (word or b"\x80")[0] or 1


def _cut(data: bytearray, at: int, _word: bytes) -> None:
    del data[at % (len(data) + 1) :]


def _leave_out(data: bytearray, at: int, word: bytes) -> None:
    at %= len(data) + 1
    del data[at : at + 1 + len(word)]


def _put_in(data: bytearray, at: int, word: bytes) -> None:
    at %= len(data) + 1
    data[at:at] = word


def _write_over(data: bytearray, at: int, word: bytes) -> None:
    at %= len(data) + 1
    data[at : at + len(word)] = word


def _repeat(data: bytearray, at: int, word: bytes) -> None:
    at %= len(data) + 1
    data[at:at] = data[at : at + 64 * (1 + len(word))]


WORDS = [
    *(
        b"\x00",
        b"\xff" * 4,
        b"\xff\xff\xff\x7f",
        b"\x00" * 64,
        b"-1",
        b"1e999",
        b"NaN",
        b"null",
        b"[]",
        b"{}",
        b'"',
        b"'",
    ),
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"%PDF-",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"99999999999999999999",
        b"\xed\xa0\x80",
        b"../../",
    ),
    *(b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"[" * 2000),
]

damages = st.lists(
    st.tuples(
        st.sampled_from([_flip, _cut, _leave_out, _put_in, _write_over, _repeat]),
        st.integers(0, 1 << 20),
        st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)),
    ),
    min_size=1,
    max_size=4,
)


def spoilt(*seeds: bytes) -> st.SearchStrategy[bytes]:
    """Return seeds with damages."""

    def spoil(seed: bytes, chosen: list[Any]) -> bytes:
        data = bytearray(seed)
        for damage, at, word in chosen:
            damage(data, at, word)
        return bytes(data)

    return st.builds(spoil, st.sampled_from(seeds), damages)


@contextmanager
def in_time() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"hangs: read for more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzzed(read: Read, examples: int, *seeds: bytes, found: tuple[bytes, ...] = ()) -> None:
    """Read what was found before, then so many examples; all errors but `ReportFlowError` are ours to mend."""

    def one(data: bytes) -> None:
        with in_time():
            try:
                read(data)
            except rf.ReportFlowError as error:
                said = str(error)
                assert said.strip()
                assert "Traceback" not in said

    for data in (*seeds, *found):
        one(data)
    run = given(data=spoilt(*seeds))(one)
    settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples == FEW,
        suppress_health_check=list(HealthCheck),
    )(run)()


DEEP = b"[" * 20_000
"""A reader that calls itself for each level has no room for these."""

examples = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])


# -- the service -----------------------------------------------------------------------------------------------

MAPPING = orjson.dumps([{"fileId": "T4", "fileName": "注文書_0007.pdf", "passthrough": {"rf": "a1"}}]).decode()


def _answer(status: int, body: bytes, kind: str, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _zip(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, PDF + name.encode())
    return target.getvalue()


ARCHIVE = _zip("Person 0.pdf", "Person 1.pdf", "見積書.pdf")
ANSWERS = {
    "async/single": _answer(202, orjson.dumps(ACCEPTED), "application/json"),
    "sync/single": _answer(201, PDF, "application/pdf", "Request-Id: Q7", f"X-File-Mapping: {quote(MAPPING)}"),
    "sync/multiple": _answer(201, ARCHIVE, "application/zip", "Request-Id: Q7"),
    "refused": _answer(400, b'{"statusCode":400,"message":["a","b"],"error":"Bad Request"}', "application/json"),
    "limited": _answer(429, b'{"message":"x"}', "application/json", "Retry-After: 7"),
    "designs": _answer(200, b'{"designs":[{"id":"Z","label":"x","latestVersion":2}]}', "application/json"),
    "parameters": _answer(200, b'[{"name":"a","type":"array","spec":[{"name":"b"}]}]', "application/json"),
}
CALLS: dict[str, Callable[[Client], Any]] = {
    **{name: lambda client, name=name: client.send(name, BODY) for name in ANSWERS if "/" in name},
    "refused": lambda client: client.send("async/multiple", BODY),
    "limited": lambda client: client.send("sync/single", BODY),
    "designs": lambda client: client.designs(),
    "parameters": lambda client: client.parameters("Z"),
    "file": lambda client: client.download_file("Q7", "T4"),
    "zip": lambda client: client.download_zip("Q7"),
}


@pytest.mark.parametrize("call", CALLS)
@examples
def test_answers_of_the_service(call: str, examples: int) -> None:
    """Spoilt anywhere, head or body, then the connection is closed."""
    usual = {"file": _answer(200, PDF, "application/pdf"), "zip": _answer(200, ARCHIVE, "application/zip")}

    def read(data: bytes) -> None:
        async def main() -> None:
            async with serving(Reply(data, "close")) as stub:
                chosen = rf.Settings(app_key=KEY, base_url=stub.origin)
                async with Client(chosen, timeout=2.0, sync_timeout=2.0) as client:
                    value = await CALLS[call](client)
                if isinstance(value, Accepted) and not isinstance(value, Delivered):
                    assert value.request_id or any(file.file_id for file in value.files)
                assert len(stub.requests) == 1

        asyncio.run(main())

    fuzzed(read, examples, {**ANSWERS, **usual}[call])


@examples
def test_mapping_headers(examples: int) -> None:
    from reportflow_pandas.api.responses import files_from_mapping  # noqa: PLC0415 - here alone

    def read(data: bytes) -> None:
        for file in files_from_mapping(data.decode("latin-1")):
            assert isinstance(file.file_id, str)

    fuzzed(read, examples, MAPPING.encode(), b"%5B%7B%22fileId%22%3A%22T4%22%7D%5D", found=(DEEP,))


@examples
def test_zips(examples: int, tmp_path: Path) -> None:
    """What is saved is what the ZIP holds under this name, in the folder and nowhere else."""
    names = ["Person 0", "Person 1", "見積書"]
    folder = tmp_path / "pdfs"

    def read(data: bytes) -> None:
        seen = []
        for place, pdf in pdfs_of(io.BytesIO(data), names):
            assert pdf.startswith(b"%PDF-")
            path = PdfFolder(folder).save(f"Q7/{place}", names[place], pdf)
            assert folder in path.parents
            seen.append(place)
        assert len(seen) == len(set(seen)) <= len(names)
        assert {path.name for path in tmp_path.iterdir()} <= {"pdfs"}

    hostile = _zip("../../Person 0.pdf", "/etc/Person 1.pdf", "C:\\見積書.pdf", "Person 0.pdf")
    nameless = ARCHIVE.replace(b"Person 1.pdf", b"\0" * 12)
    fuzzed(read, examples, ARCHIVE, hostile, found=(nameless,))


# -- what we wrote ourselves -----------------------------------------------------------------------------------


@examples
def test_journals(examples: int, service: LocalService, tmp_path: Path) -> None:
    """A damaged ledger is refused, or tells what it told; nothing is sent because of it."""
    runs = tmp_path / "runs"
    people(6).reportflow.generate(**plain(), run="november", endpoint="async/single")
    people(3).reportflow.generate(**{**plain(), "file_name": "n{index}"}, run="november", again=[0])
    path = path_of(runs, "november")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    whole = path.read_bytes()
    rows = len(rf.load("november"))
    accepted = len(service.documents)

    def read(data: bytes) -> None:
        for left in runs.glob("november*"):
            left.unlink()
        path.write_bytes(data)
        table = rf.runs()
        assert table["run"].tolist() in (["november"], [])
        results = rf.load("november")
        assert results["status"].tolist() == ["accepted"] * rows
        assert results["row"].tolist() == list(range(rows))

    lost = bytearray(whole)
    lost[16370] ^= ord("d")  # the rowid of a document: SQLite reads on, and the row looked unsent
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'design_id'", [DEEP.decode()])
    connection.close()
    fuzzed(read, examples, whole, found=(bytes(lost), path.read_bytes()))
    assert len(service.documents) == accepted


@examples
def test_review_workbooks(examples: int, tmp_path: Path) -> None:
    """A decision that is read is one that a person can have typed."""
    rows = pd.DataFrame({"name": ["Ann", "Bob", "Eve"]}, index=["a", "b", "c"])
    with rf.use_local(render=False):
        results = rows.reportflow.generate(**plain())
    path = tmp_path / "review.xlsx"
    results.reportflow.to_excel(path)
    book = openpyxl.load_workbook(path)
    sheet = book["Results"]
    column = next(cell.column for cell in sheet[1] if cell.value == "decision")
    sheet.cell(2, column, "redo")
    book.save(path)
    book.close()
    plainly = io.BytesIO()  # so that a damage is not only a checksum that fails
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(plainly, "w") as stored:
        for name in archive.namelist():
            stored.writestr(name, archive.read(name))
    assert rf.read_review(path)["decision"].tolist()[0] == "redo"

    def read(data: bytes) -> None:
        (tmp_path / "spoilt.xlsx").write_bytes(data)
        decisions = rf.read_review(tmp_path / "spoilt.xlsx")
        assert len(decisions) <= 3
        assert set(decisions["decision"].dropna()) <= {"approve", "redo", "reject"}

    fuzzed(read, examples, path.read_bytes(), plainly.getvalue())


# -- what others wrote -----------------------------------------------------------------------------------------

ROWS = pd.DataFrame({"Number": ["00171", "00172"], "Name": ["山田", "Zoë"], "Total": [1.5, 2.25]})


def _file(kind: str, path: Path) -> bytes:
    if kind in ("csv", "txt"):
        ROWS.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "parquet":
        ROWS.to_parquet(path)
    elif kind == "xlsb":
        rows = [list(ROWS), *ROWS.astype(object).to_numpy().tolist()]
        xlsb_file(path, rows, hidden=[4], merged=[(1, 2, 0, 0)], formats={(1, 2): "0.00", (2, 2): "yyyy-mm-dd"})
    elif kind == "xls":
        import xlwt  # noqa: PLC0415 - of the tests

        book = xlwt.Workbook()
        sheet = book.add_sheet("rows")
        for across, name in enumerate(ROWS):
            for down, value in enumerate([name, *ROWS[name].tolist()]):
                sheet.write(down, across, value)
        book.save(str(path))
    else:
        ROWS.to_excel(str(path), index=False)  # of a Path pandas takes no suffix but .xlsx
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["csv", "txt", "xlsx", "ods", "xls", "xlsb", "parquet"])
@examples
def test_files_of_rows(kind: str, examples: int, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    whole = _file(kind, path)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        assert isinstance(rf.read_rows(path), pd.DataFrame)

    fuzzed(read, examples, whole)


PARTS = [
    ("xlsx", "xl/workbook.xml"),
    ("xlsx", "xl/styles.xml"),
    ("xlsx", "xl/worksheets/sheet1.xml"),
    ("ods", "content.xml"),
    ("xlsb", "xl/workbook.bin"),
    ("xlsb", "xl/styles.bin"),
    ("xlsb", "xl/worksheets/sheet1.bin"),
]


@pytest.mark.parametrize(("kind", "part"), PARTS)
@examples
def test_parts_of_workbooks(kind: str, part: str, examples: int, tmp_path: Path) -> None:
    """The damage is inside the ZIP, whose checksums are right: the readers see it."""
    path, seed = tmp_path / f"rows.{kind}", tmp_path / f"seed.{kind}"
    _file(kind, seed)
    with zipfile.ZipFile(seed) as archive:
        whole = archive.read(part)

    def read(data: bytes) -> None:
        rewritten(seed, path, lambda name, content: data if name == part else content)
        assert isinstance(rf.read_rows(path), pd.DataFrame)

    fuzzed(read, examples, whole)


DESIGN = b"""label = "Badge"
[params]
Name = { type = "text", description = "who" }
Total = { type = "number" }
[params.Lines]
type = "array"
columns = { Track = { type = "text" } }
"""


@pytest.mark.parametrize("part", ["design.toml", "sample.json"])
@examples
def test_design_folders(part: str, examples: int, tmp_path: Path) -> None:
    home = tmp_path / "badge"
    home.mkdir()
    files = {"design.toml": DESIGN, "sample.json": json.dumps({"Name": "Ada", "Lines": [{"Track": "x"}]}).encode()}
    (home / "template.typ").write_text("hello", "utf-8")
    for name, content in files.items():
        (home / name).write_bytes(content)

    def read(data: bytes) -> None:
        (home / part).write_bytes(data)
        assert set(load_designs(tmp_path)) <= {"badge"}

    deep = {"design.toml": b"label = " + DEEP, "sample.json": DEEP}
    fuzzed(read, examples, files[part], found=(deep[part],))


EVENT = {
    "event": "file.completed",
    "requestId": "Q7",
    "files": [{"fileId": "T4", "fileName": "a.pdf", "passthrough": {"rf": "0123456789abcdef"}}],
}


@examples
def test_bodies_of_webhooks(examples: int) -> None:
    def read(data: bytes) -> None:
        try:
            event = Event.read(data)
        except ValueError:
            return
        assert event is None or (event.request_id and event.files)

    fuzzed(read, examples, orjson.dumps(EVENT), found=(DEEP, b'{"requestId":"\\ud800"}'))


def test_a_webhook_answers_whatever_it_is_sent(service: LocalService) -> None:
    """Over the wire, requests that are none too; then it still takes an event."""
    seeds = orjson.dumps(EVENT)
    request = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(seeds) + seeds

    with Webhook(port=0) as webhook:

        def read(data: bytes) -> None:
            async def main() -> bytes:
                reader, writer = await asyncio.open_connection("127.0.0.1", webhook._port)
                writer.write(data)
                writer.write_eof()
                said = await reader.read()
                writer.close()
                return said

            assert not asyncio.run(main()).startswith(b"HTTP/1.1 5")

        fuzzed(read, FEW, request)
        assert webhook.seen["foreign"] >= 1
