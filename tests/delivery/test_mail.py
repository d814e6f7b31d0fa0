"""Each document to its person, once: counted at a real mail server."""

from __future__ import annotations

import asyncio
import email.policy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import trustme
from aiosmtpd.smtp import SMTP
from support.mail_server import MailServer, accepting, mail_server, scripted_server

import reportflow_pandas as rf
from reportflow_pandas.delivery.release import DeliveryWarning
from reportflow_pandas.journal.mails import mails_of
from reportflow_pandas.settings import current

pytestmark = pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning")

PEOPLE = 8


@pytest.fixture
def orders() -> pd.DataFrame:
    frame, _ = rf.example_orders()
    frame = frame.head(PEOPLE)
    return frame.assign(Email=[f"person{at}@example.com" for at in range(PEOPLE)])


@pytest.fixture
def results(orders: pd.DataFrame, tmp_path: Path) -> Iterator[pd.DataFrame]:
    """Downloaded placeholders of a run in a folder of its own."""
    with rf.use_local(render=False):
        rf.configure(runs=tmp_path / "runs")
        yield orders.reportflow.generate(
            "invoice",
            check="warn",
            run="november",
            download=tmp_path / "pdfs",
            params=["InvoiceId"],
            progress=False,
        )


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        rf.configure(smtp=running.address, sender="Billing <billing@example.com>")
        yield running


def mailed(results: pd.DataFrame, orders: pd.DataFrame, **more: Any) -> pd.DataFrame:
    arguments: dict[str, Any] = {
        "to": "Email",
        "subject": "Invoice {InvoiceId}",
        "body": "Dear {CustomerName},\nyour invoice.",
        "source": orders,
        "progress": False,
    }
    return results.reportflow.mail(**arguments | more)


def once_each(orders: pd.DataFrame) -> dict[str, int]:
    return dict.fromkeys(orders["Email"], 1)


def test_each_person_gets_one_mail_with_their_own_document(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    made = mailed(results, orders)
    assert made["mail_status"].tolist() == ["sent"] * PEOPLE
    assert made["mailed_at"].notna().all()
    assert server.recipients == once_each(orders)
    for recipient, message in server.taken:
        at = orders["Email"].tolist().index(recipient)
        assert message["Subject"] == f"Invoice {orders['InvoiceId'].iloc[at]}"
        body = message.get_body(("plain",))
        assert body is not None
        assert orders["CustomerName"].iloc[at] in body.get_content()
        [attached] = message.iter_attachments()
        assert attached.get_filename() == results["file_name"].iloc[at]
        assert attached.get_content() == Path(results["path"].iloc[at]).read_bytes()
    assert server.most_at_once <= 4
    assert server.connections <= 4


def test_a_second_call_mails_nobody_twice(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    first = mailed(results, orders)
    again = mailed(rf.load("november"), orders)
    assert server.recipients == once_each(orders)
    assert again["mail_status"].tolist() == ["sent"] * PEOPLE
    assert again["mailed_at"].tolist() == first["mailed_at"].tolist()


def test_a_second_call_sends_what_is_missing(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    server.refusals["person2@example.com"] = ["550 no such user"]
    first = mailed(results, orders)
    assert first["mail_status"].tolist() == ["sent", "sent", "failed", *["sent"] * (PEOPLE - 3)]
    assert first["mail_error"].iloc[2] == "550 no such user"
    corrected = orders.assign(Email=orders["Email"].replace("person2@example.com", "right@example.com"))
    second = mailed(results, corrected)
    assert second["mail_status"].tolist() == ["sent"] * PEOPLE
    assert server.recipients == once_each(corrected)


@pytest.mark.parametrize("refusal", ["451 greylisted, come back later", "421 closing"])
def test_what_is_refused_for_now_is_tried_again(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer, refusal: str
) -> None:
    server.refusals["person1@example.com"] = [refusal]
    server.answers = ["452 out of space"]
    made = mailed(results, orders, settings=quick())
    assert made["mail_status"].tolist() == ["sent"] * PEOPLE
    assert server.recipients == once_each(orders)


def test_what_is_refused_for_now_again_and_again_is_left_for_the_next_call(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    server.refusals["person1@example.com"] = ["451 later"] * 3
    made = mailed(results, orders, settings=quick())
    assert made["mail_status"].iloc[1] == "not_sent"
    assert made["mail_error"].iloc[1] == "451 later"
    assert mailed(results, orders)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert server.recipients == once_each(orders)


def test_four_then_five_then_success(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    one = results.iloc[[0]], orders.iloc[[0]]
    server.answers = ["451 later", "554 no"]
    assert mailed(*one, settings=quick())["mail_status"].tolist() == ["failed"]
    assert mailed(*one, settings=quick())["mail_status"].tolist() == ["sent"]
    assert server.recipients == {"person0@example.com": 1}


def test_only_what_was_approved_is_mailed(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    decided = pd.DataFrame({"decision": ["approve", "reject", "redo", None] * 2}, index=results.index)
    with pytest.warns(DeliveryWarning, match="the decision is reject"):
        made = mailed(results.assign(verdict="look"), orders, decisions=decided)
    assert sorted(server.recipients) == ["person0@example.com", "person4@example.com"]
    assert made["mail_error"].iloc[1] == "the decision is reject"


def test_with_a_verdict_only_ok_is_mailed(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    mailed(results.assign(verdict=["ok", "look", "unread", "ok"] * 2), orders)
    assert sorted(server.recipients) == [f"person{at}@example.com" for at in (0, 3, 4, 7)]


def test_a_row_without_a_pdf_gets_no_mail(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    Path(results["path"].iloc[0]).unlink()
    made = mailed(results, orders)
    assert made["mail_status"].iloc[0] == "not_sent"
    assert made["mail_error"].iloc[0] == "no PDF on this disk"
    assert "person0@example.com" not in server.recipients


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"to": "Mail"}, "neither a column nor a mail address"),
        ({"subject": "Invoice {Number}"}, "no column 'Number'"),
        ({"body": "Dear {Name}"}, "no column 'Name'"),
        ({"html": "<b>{Name}</b>"}, "no column 'Name'"),
        ({"reply_to": "nobody"}, "no mail address"),
    ],
)
def test_a_mistake_is_found_before_the_first_mail(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(rf.ConfigurationError, match=problem):
        mailed(results, orders, **change)
    assert not server.taken


@pytest.mark.parametrize(
    "address",
    ["", None, "ann at example.com", "a@b@c.com", "a@x.com\nBcc: spy@x.com", "ann@", "@x.com", "a b@x.com"],
)
def test_an_address_that_is_none_is_refused_with_its_row(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer, address: str | None
) -> None:
    orders["Email"] = [*orders["Email"][:-1], address]
    with pytest.raises(rf.InvalidRows) as refused:
        mailed(results, orders)
    assert refused.value.rows == [results.index[-1]]
    assert not server.taken


def test_a_line_break_in_a_subject_is_refused(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    orders["CustomerName"] = [*orders["CustomerName"][:-1], "Ann\r\nBcc: spy@example.com"]
    with pytest.raises(rf.InvalidRows, match="line break"):
        mailed(results, orders, subject="For {CustomerName}")
    assert not server.taken


def test_japanese_subjects_names_and_files_arrive_as_they_are(
    orders: pd.DataFrame, tmp_path: Path, server: MailServer
) -> None:
    orders = orders.head(1).assign(CustomerName="株式会社山田商店 経理部御中" * 3)
    with rf.use_local(render=False):
        rf.configure(runs=tmp_path / "runs")
        made = orders.reportflow.generate(
            "invoice", check="warn", params=["InvoiceId"], file_name="請求書-{InvoiceId}", download=tmp_path / "p"
        )
        mailed(made, orders, subject="請求書 {CustomerName}", language="ja", html="<p>{CustomerName} 様</p>")
    [(_, message)] = server.taken
    assert message["Subject"] == f"請求書 {'株式会社山田商店 経理部御中' * 3}"
    [attached] = message.iter_attachments()
    assert attached.get_filename() == "請求書-1.pdf"
    assert all(byte < 128 for byte in message.as_bytes(policy=email.policy.SMTP).split(b"\r\n\r\n")[0])


def test_values_in_html_are_no_markup(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    orders["CustomerName"] = "<script>alert(1)</script>"
    mailed(results, orders, html="<p>Dear {CustomerName}</p>")
    page = server.taken[0][1].get_body(("html",))
    assert page is not None
    assert page.get_content().strip() == "<p>Dear &lt;script&gt;alert(1)&lt;/script&gt;</p>"


def test_several_addresses_in_a_cell_get_a_message_each(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    orders["Email"] = ["a@example.com; Bob <b@example.com>", *orders["Email"][1:]]
    mailed(results, orders)
    assert server.recipients["a@example.com"] == server.recipients["b@example.com"] == 1


def test_a_link_goes_in_place_of_the_file(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    mailed(results, orders, attach=False, html="<p>Hello</p>")
    message = server.taken[0][1]
    assert not list(message.iter_attachments())
    at = orders["Email"].tolist().index(server.taken[0][0])
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert page is not None
    assert results["url"].iloc[at] in text.get_content()
    assert f'<a href="{results["url"].iloc[at]}">' in page.get_content()


@pytest.mark.parametrize("closed", ["https://api.re-port-flow.com/v1/file/download/Q7mW2xkP9tLr4BzE", None])
def test_a_link_that_only_the_key_opens_is_sent_to_nobody(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer, closed: str | None
) -> None:
    results.loc[results.index[1], "url"] = closed
    with pytest.raises(rf.InvalidRows, match=r"only the key opens, in row 1; no mail was sent\. Attach the PDF"):
        mailed(results, orders, body="See {url}")
    assert not server.taken


def test_a_link_to_this_machine_is_not_sent_through_a_mail_server_elsewhere(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    rf.configure(smtp="smtps://mail.example.com")
    with pytest.raises(rf.InvalidRows, match="leads to this machine"):
        mailed(results, orders, attach=False)
    assert mailed(results, orders, attach=False, preview=True).message["To"] == "person0@example.com"
    assert not server.taken


def test_a_dry_run_sends_nothing_and_shows_the_first_message(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    shown = mailed(results, orders, preview=True, html="<p>{CustomerName}</p>")
    assert not server.taken
    assert shown.message["To"] == "person0@example.com"
    assert "Invoice-" in str(shown)
    assert "nothing was sent" in shown._repr_html_()


def test_a_document_that_was_made_again_is_a_second_mail_and_is_said_so(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer, tmp_path: Path
) -> None:
    mailed(results, orders)
    made_again = orders.reportflow.generate(
        "invoice",
        check="warn",
        run="november",
        download=tmp_path / "pdfs",
        params=["InvoiceId"],
        progress=False,
        again=[orders.index[3]],
    )
    with pytest.warns(DeliveryWarning, match=r"a second mail.*row 3"):
        mailed(made_again, orders)
    assert server.recipients == once_each(orders) | {"person3@example.com": 2}


# -- what a server can do -----------------------------------------------------------------------------------


def quick() -> rf.Settings:
    """Return settings whose pauses take no time."""
    from dataclasses import replace  # noqa: PLC0415 - here alone

    class Hasty(type(current().clock)):  # type: ignore[misc]
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0)

    return replace(current(), clock=Hasty())


async def _until_data(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, greeting: bytes = b"220 hi\r\n"
) -> None:
    """Answer everything until DATA was announced."""
    writer.write(greeting)
    while line := await reader.readline():
        word = line[:4].upper()
        if word == b"EHLO":
            writer.write(b"250-here\r\n250 8BITMIME\r\n")
        elif word == b"DATA":
            return
        else:
            writer.write(b"250 OK\r\n")


def test_a_connection_lost_between_the_message_and_its_answer_is_unknown_and_never_sent_again_by_itself(
    results: pd.DataFrame, orders: pd.DataFrame
) -> None:
    whole: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _until_data(reader, writer)
        writer.write(b"354 go\r\n")
        whole.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.transport.abort()

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}", sender="billing@example.com")
        made = mailed(results, orders, settings=quick())
        assert made["mail_status"].tolist() == ["unknown"] * PEOPLE
        assert len(whole) == PEOPLE
        assert mailed(results, orders, settings=quick())["mail_status"].tolist() == ["unknown"] * PEOPLE
        assert len(whole) == PEOPLE
        mailed(results, orders, settings=quick(), unknown=True)
        assert len(whole) == 2 * PEOPLE


@pytest.mark.parametrize("after", [b"", b"354 go\r\n"])
def test_a_connection_lost_before_the_end_of_the_message_took_nothing(
    results: pd.DataFrame, orders: pd.DataFrame, after: bytes
) -> None:
    """The message is larger than what the sockets hold, so its end was not sent."""
    Path(results["path"].iloc[0]).write_bytes(b"%PDF-1.7 " + bytes(range(256)) * 80_000)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _until_data(reader, writer)
        if after:
            writer.write(after)
            await reader.read(10)
        writer.transport.abort()

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}", sender="billing@example.com")
        made = mailed(results.iloc[[0]], orders.iloc[[0]], settings=quick())
    assert made["mail_status"].tolist() == ["not_sent"]
    with mail_server() as server:
        rf.configure(smtp=server.address)
        assert mailed(results.iloc[[0]], orders.iloc[[0]])["mail_status"].tolist() == ["sent"]


def test_a_server_that_closes_after_each_message_costs_no_attempts(
    results: pd.DataFrame, orders: pd.DataFrame
) -> None:
    taken: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _until_data(reader, writer)
        writer.write(b"354 go\r\n")
        taken.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 taken\r\n")
        await writer.drain()
        writer.close()

    with scripted_server(script) as port:
        rf.configure(smtp=f"smtp://127.0.0.1:{port}", sender="billing@example.com")
        made = mailed(results, orders, settings=quick())
    assert made["mail_status"].tolist() == ["sent"] * PEOPLE
    assert len(taken) == PEOPLE


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_is_needed_and_a_wrong_one_is_refused_without_being_shown(
    results: pd.DataFrame, orders: pd.DataFrame
) -> None:
    secret = "p@ss/w:rd#?"
    with mail_server(authenticator=accepting("ann", secret), auth_required=True, auth_require_tls=False) as server:
        rf.configure(smtp=f"smtp://ann:wrong{secret}@127.0.0.1:{server.port}", sender="billing@example.com")
        with pytest.raises(rf.AuthError) as refused:
            mailed(results, orders)
        assert secret not in str(refused.value)
        assert refused.value.results["mail_status"].tolist() == ["not_sent"] * PEOPLE
        assert not server.taken
        rf.configure(smtp=f"smtp://ann:{secret}@127.0.0.1:{server.port}")
        assert secret not in repr(current())
        assert mailed(results, orders)["mail_status"].tolist() == ["sent"] * PEOPLE
        assert server.recipients == once_each(orders)


def test_tls_is_spoken_and_an_untrusted_certificate_is_refused_with_the_way_out(
    results: pd.DataFrame, orders: pd.DataFrame, tmp_path: Path
) -> None:
    import ssl  # noqa: PLC0415 - here alone

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "company.pem"))
    with mail_server(ssl_context=context) as server:
        rf.configure(smtp=f"smtps://127.0.0.1:{server.port}", sender="billing@example.com")
        with pytest.raises(rf.ConnectionFailed, match="ca_bundle"):
            mailed(results, orders)
        rf.configure(ca_bundle=tmp_path / "company.pem")
        assert mailed(results, orders)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert server.recipients == once_each(orders)


def test_elsewhere_than_on_this_machine_a_server_without_tls_gets_nothing(
    results: pd.DataFrame, orders: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reportflow_pandas.delivery.smtp.is_loopback", lambda _host: False)
    seen: list[str] = []

    class Listening(SMTP):
        async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
            seen.append(arg)

    with mail_server() as server:
        rf.configure(smtp=f"smtp://ann:secret@127.0.0.1:{server.port}", sender="billing@example.com")
        with pytest.raises(rf.ConfigurationError, match="STARTTLS"):
            mailed(results, orders)
        assert not server.taken
    assert not seen


@pytest.mark.parametrize(
    "text",
    ["mail.example.com", "http://x", "smtp://", "smtp://a:secret@", "smtp://a@h:1:2", "smtps://:secret@host"],
)
def test_an_impossible_address_of_a_server_is_refused_without_showing_it(
    results: pd.DataFrame, orders: pd.DataFrame, text: str
) -> None:
    rf.configure(smtp=text, sender="billing@example.com")
    with pytest.raises(rf.ConfigurationError) as refused:
        mailed(results, orders)
    assert "secret" not in str(refused.value)


def test_without_a_server_the_error_says_how_one_is_set(results: pd.DataFrame, orders: pd.DataFrame) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"sender=.*rf.configure"):
        mailed(results, orders)
    rf.configure(sender="billing@example.com")
    with pytest.raises(rf.ConfigurationError, match="REPORTFLOW_SMTP"):
        mailed(results, orders)


def test_the_ledger_holds_each_mail_with_the_hash_of_what_was_attached(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    import hashlib  # noqa: PLC0415 - here alone

    mailed(results, orders)
    kept = {mail.address: mail for mail in mails_of(current().runs, "november")}
    assert {mail.state for mail in kept.values()} == {"sent"}
    for at, address in enumerate(orders["Email"]):
        assert kept[address].sha256 == hashlib.sha256(Path(results["path"].iloc[at]).read_bytes()).hexdigest()


def test_a_second_process_that_mails_the_same_run_is_refused(
    results: pd.DataFrame, orders: pd.DataFrame, server: MailServer
) -> None:
    from reportflow_pandas.journal.mails import MailLedger  # noqa: PLC0415 - here alone

    with MailLedger(current().runs, "november", current().clock), pytest.raises(rf.ConfigurationError):
        mailed(results, orders)
    assert not server.taken


def test_no_more_than_per_minute_leave(results: pd.DataFrame, orders: pd.DataFrame, server: MailServer) -> None:
    from dataclasses import replace  # noqa: PLC0415 - here alone

    slept: list[float] = []

    class Noting(type(current().clock)):  # type: ignore[misc]
        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            await asyncio.sleep(0)

        def monotonic(self) -> float:
            return 0.0

    mailed(results, orders, per_minute=30, settings=replace(current(), clock=Noting()))
    assert sorted(pause for pause in slept if pause >= 1) == [2.0 * at for at in range(1, PEOPLE)]
