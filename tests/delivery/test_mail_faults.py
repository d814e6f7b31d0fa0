"""What a mail server, a disk and a keyboard can do in the middle of mailing; counted at a real server."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from support.mail_server import mail_server, scripted_server
from support.mailed_runs import PEOPLE, mailed

import reportflow_pandas as rf
from reportflow_pandas.delivery.smtp import MailConnection, smtp_address
from reportflow_pandas.journal.mails import MailLedger, mails_of
from reportflow_pandas.settings import current

pytestmark = pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning")


def test_a_server_that_takes_one_connection_only_gets_all_mails_over_it(results: pd.DataFrame) -> None:
    open_now, taken = [0], [0]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if open_now[0]:
            writer.write(b"421 too many connections\r\n")
            await writer.drain()
            writer.close()
            return
        open_now[0] += 1
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                taken[0] += 1
            writer.write(b"250 OK\r\n")
        open_now[0] -= 1

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        assert mailed(results)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert taken[0] == PEOPLE


def test_a_server_that_goes_away_in_the_middle_ends_the_call_with_what_was_sent(results: pd.DataFrame) -> None:
    connections = [0]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[0] += 1
        if connections[0] > 1:
            writer.transport.abort()
            return
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
                await writer.drain()
                writer.close()
                return
            writer.write(b"250 OK\r\n")

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        with pytest.raises(rf.ConnectionFailed) as ended:
            mailed(results)
    assert sorted(ended.value.results["mail_status"]) == ["not_sent"] * (PEOPLE - 1) + ["sent"]
    with mail_server() as server:
        rf.configure(smtp=server.address)
        assert mailed(results)["mail_status"].tolist() == ["sent"] * PEOPLE
        assert sum(server.recipients.values()) == PEOPLE - 1


def test_a_full_disk_ends_the_call_before_anything_is_sent(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reportflow_pandas.journal.mails._INTENT", "INSERT INTO nowhere VALUES (?,?,?,?,?,?)")
    with mail_server() as server:
        rf.configure(smtp=server.address)
        with pytest.raises(rf.JournalError, match="call mail again") as ended:
            mailed(results)
        assert ended.value.results["mail_status"].tolist() == ["not_sent"] * PEOPLE
        assert not server.taken


def test_an_outcome_that_cannot_be_written_down_is_in_doubt(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise rf.JournalError("full")

    with mail_server() as server:
        rf.configure(smtp=server.address)
        with monkeypatch.context() as patch:
            patch.setattr(MailLedger, "record", full)
            with pytest.raises(rf.JournalError) as ended:
                mailed(results)
        shown = ended.value.results["mail_status"].eq("unknown").tolist()
        assert [f"person{at}@example.com" in server.recipients for at in range(PEOPLE)] == shown
        mailed(results)
        assert max(server.recipients.values()) == 1


def test_a_refusal_of_the_second_mail_leaves_the_first_one_in_doubt(results: pd.DataFrame) -> None:
    one = results.iloc[[0]]

    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            writer.write(b"354 go\r\n" if line.upper().startswith(b"DATA") else b"250 OK\r\n")
            if line.upper().startswith(b"DATA"):
                await reader.readuntil(b"\r\n.\r\n")
                writer.transport.abort()

    with scripted_server(dying) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        assert mailed(one)["mail_status"].tolist() == ["unknown"]
    with mail_server() as server:
        rf.configure(smtp=server.address)
        server.refusals["*"] = ["550 no"]
        assert mailed(one, unknown=True)["mail_status"].tolist() == ["unknown"]
        server.answers = ["554 no"]
        assert mailed(one, unknown=True)["mail_status"].tolist() == ["unknown"]
        assert mailed(one)["mail_status"].tolist() == ["unknown"]
        assert not server.taken


def test_a_row_that_stands_twice_in_the_results_is_mailed_once(results: pd.DataFrame) -> None:
    twice = pd.concat([results, results])
    twice.attrs = results.attrs
    with mail_server() as server:
        rf.configure(smtp=server.address)
        assert mailed(twice)["mail_status"].tolist() == ["sent"] * 2 * PEOPLE
        assert set(server.recipients.values()) == {1}


def test_capitals_make_no_other_person(results: pd.DataFrame) -> None:
    with mail_server() as server:
        rf.configure(smtp=server.address)
        mailed(results)
        assert mailed(results.assign(Email=results["Email"].str.title()))["mail_status"].eq("sent").all()
        assert len(server.taken) == PEOPLE


def test_a_pdf_that_vanishes_in_the_middle_leaves_its_row_alone_unsent(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, gone = MailConnection.open, Path(results["path"].iloc[5])

    async def vanish(self: MailConnection) -> None:
        gone.unlink(missing_ok=True)  # noqa: ASYNC240 - as another program would
        await opened(self)

    monkeypatch.setattr(MailConnection, "open", vanish)
    with mail_server() as server:
        rf.configure(smtp=server.address)
        made = mailed(results)
    assert made["mail_status"].tolist() == ["sent"] * 5 + ["not_sent"] + ["sent"] * 2
    assert "cannot be read" in made["mail_error"].iloc[5]


@pytest.mark.parametrize(("silent_after", "what"), [("354", "later"), ("end", "unknown")])
def test_a_server_that_falls_silent_is_left_after_a_time_out(
    results: pd.DataFrame, silent_after: str, what: str
) -> None:
    """40 MB do not fit into the sockets: the message's end cannot be sent to a server that stopped reading."""
    size = 40_000_000 if silent_after == "354" else 10

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        try:
            while line := await reader.readline():
                if line.upper().startswith(b"DATA"):
                    writer.write(b"354 go\r\n")
                    if silent_after == "end":
                        await reader.readuntil(b"\r\n.\r\n")
                    await asyncio.Event().wait()
                writer.write(b"250 OK\r\n")
        finally:
            writer.transport.abort()

    async def intend() -> None:
        return

    async def tried(port: int) -> str:
        connection = MailConnection(
            smtp_address(f"smtp://127.0.0.1:{port}"), None, current().clock,
            command_seconds=0.3, final_answer_seconds=0.3,
        )  # fmt: skip
        await connection.open()
        made = await connection.send(b"x" * size, "a@example.com", ["b@example.com"], intend)
        await connection.close()
        return made.what

    with scripted_server(script) as port:
        assert asyncio.run(tried(port)) == what


def test_an_intent_is_on_the_disk_before_the_content_is_announced(results: pd.DataFrame) -> None:
    path = current().runs / "november.sqlite"
    seen: list[str] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                connection = sqlite3.connect(path)
                seen.extend(state for (state,) in connection.execute("SELECT state FROM mails"))
                connection.close()
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 OK\r\n")

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        mailed(results.iloc[[0]])
    assert seen == ["intent"]
    assert [mail.state for mail in mails_of(current().runs, "november")] == ["sent"]


async def spoken(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, messages: int, greeting_after: float = 0
) -> int:
    """Speak as a mail server does, take so many messages, and hang up; returns how many were taken."""
    await asyncio.sleep(greeting_after)
    writer.write(b"220 hi\r\n")
    taken = 0
    while taken < messages and (line := await reader.readline()):
        if line.upper().startswith(b"DATA"):
            writer.write(b"354 go\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            taken += 1
        writer.write(b"250 OK\r\n")
    await writer.drain()
    return taken


@pytest.mark.parametrize("messages", [1, 3])
def test_a_server_that_closes_after_n_messages_gets_each_once(results: pd.DataFrame, messages: int) -> None:
    taken: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await spoken(reader, writer, messages=messages))

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        assert mailed(results)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert sum(taken) == PEOPLE


def test_a_server_that_greets_slowly_is_waited_for(results: pd.DataFrame) -> None:
    taken: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await spoken(reader, writer, messages=PEOPLE, greeting_after=0.1))

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        assert mailed(results)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert sum(taken) == PEOPLE


def test_a_server_that_never_greets_is_left_with_what_may_be_wrong(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        MailConnection.__init__, "__kwdefaults__", {"command_seconds": 0.2, "final_answer_seconds": 1}
    )

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}")
        with pytest.raises(rf.ConnectionFailed, match=r"smtps://.*Nothing was sent"):
            mailed(results)


def test_a_password_that_is_refused_in_the_middle_ends_the_call_and_is_not_tried_again_and_again(
    results: pd.DataFrame,
) -> None:
    logins, taken = [0], [0]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one message a connection, and three logins; then the account is locked."""
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"EHLO":
                writer.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif word == b"AUTH":
                logins[0] += 1
                writer.write(b"235 in\r\n" if logins[0] <= 3 else b"535 locked\r\n")
            elif word == b"DATA":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                taken[0] += 1
                writer.write(b"250 taken\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"250 OK\r\n")

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://ann:secret@127.0.0.1:{port}")
        with pytest.raises(rf.AuthError, match=r"locked.*3 of 8 mails are sent.*Call mail again") as ended:
            mailed(results)
    assert "secret" not in str(ended.value)
    assert ended.value.results["mail_status"].value_counts().to_dict() == {"not_sent": PEOPLE - 3, "sent": 3}
    assert taken[0] == 3
    assert logins[0] <= 3 + 4, "each connection is refused once"


def test_of_two_addresses_in_a_cell_the_refused_one_alone_is_tried_again_and_named(results: pd.DataFrame) -> None:
    results["Email"] = ["a@example.com; b@example.com", *results["Email"][1:]]
    with mail_server() as server:
        rf.configure(smtp=server.address)
        server.refusals["b@example.com"] = ["550 no such user"]
        first = mailed(results)
        assert first["mail_status"].iloc[0] == "failed"
        assert first["mail_error"].iloc[0] == "b@example.com: failed, 550 no such user (1 of 2 addresses: sent)"
        second = mailed(results)
        assert second["mail_status"].tolist() == ["sent"] * PEOPLE
        assert second["mail_error"].isna().all()
        assert set(server.recipients.values()) == {1}
