"""Certificates and TLS of mail servers: what is refused, and the advice."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pandas as pd
import pytest
import trustme
from support.mail_server import mail_server, scripted_server
from support.mailed_runs import PEOPLE, mailed

import reportflow_pandas as rf

YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


def certified(folder: Path, name: str = "127.0.0.1", **more: dt.datetime) -> ssl.SSLContext:
    """Return a server's context with a certificate of a company's own authority, which it writes beside."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, **more).configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "company.pem"))
    return context


@pytest.fixture(params=["smtps", "starttls"])
def scheme(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """TLS from the first byte, or STARTTLS as elsewhere than on this machine."""
    monkeypatch.setattr("reportflow_pandas.delivery.smtp.is_loopback", lambda _host: False)
    return str(request.param)


def run_by(scheme: str, context: ssl.SSLContext) -> dict[str, object]:
    return {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}


@pytest.mark.parametrize(
    ("name", "more", "bundle", "advice"),
    [
        ("127.0.0.1", {}, False, "ca_bundle"),
        ("mail.example.com", {}, True, "another name"),
        ("127.0.0.1", {"not_after": YESTERDAY}, True, "renewed"),
    ],
    ids=["own authority", "other name", "expired"],
)
def test_a_certificate_that_is_no_good_is_refused_with_what_helps(
    results: pd.DataFrame,
    tmp_path: Path,
    scheme: str,
    name: str,
    more: dict[str, dt.datetime],
    bundle: bool,
    advice: str,
) -> None:
    with mail_server(**run_by(scheme, certified(tmp_path, name, **more))) as server:
        word = "smtps" if scheme == "smtps" else "smtp"
        rf.configure(smtp=f"{word}://ann:secret@127.0.0.1:{server.port}")
        if bundle:
            rf.configure(ca_bundle=tmp_path / "company.pem")
        with pytest.raises(rf.ConnectionFailed, match=f"certificate.*{advice}.*Nothing was sent") as refused:
            mailed(results)
    assert not server.taken
    assert "secret" not in str(refused.value)
    assert refused.value.results["mail_status"].tolist() == ["not_sent"] * PEOPLE


def test_mails_go_by_a_certificate_of_the_companys_own_authority(
    results: pd.DataFrame, tmp_path: Path, scheme: str
) -> None:
    with mail_server(**run_by(scheme, certified(tmp_path))) as server:
        rf.configure(
            smtp=f"{'smtps' if scheme == 'smtps' else 'smtp'}://127.0.0.1:{server.port}",
            ca_bundle=tmp_path / "company.pem",
        )
        assert mailed(results)["mail_status"].tolist() == ["sent"] * PEOPLE
    assert set(server.recipients.values()) == {1}


def answering(
    answers: dict[bytes, bytes], otherwise: bytes, heard: list[bytes]
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return the script of a server that answers by the first four letters of a line, and notes them."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            heard.append(line[:4].upper())
            writer.write(answers.get(heard[-1], otherwise))

    return script


def test_where_starttls_was_stripped_no_password_and_no_document_is_sent(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reportflow_pandas.delivery.smtp.is_loopback", lambda _host: False)
    heard: list[bytes] = []
    # what some firewalls make of STARTTLS
    with scripted_server(answering({b"EHLO": b"250-here\r\n250 XXXXXXXA\r\n"}, b"250 OK\r\n", heard)) as port:
        rf.configure(smtp=f"smtp://ann:secret@127.0.0.1:{port}")
        with pytest.raises(rf.ConfigurationError, match=r"may have removed the offer.*smtps://.*Nothing was sent"):
            mailed(results)
    assert set(heard) <= {b"EHLO", b"QUIT"}


def test_starttls_that_is_offered_and_refused_sends_nothing_in_the_clear(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reportflow_pandas.delivery.smtp.is_loopback", lambda _host: False)
    heard: list[bytes] = []
    refusal = {b"STAR": b"454 TLS not available\r\n"}
    with scripted_server(answering(refusal, b"250-here\r\n250 STARTTLS\r\n", heard)) as port:
        rf.configure(smtp=f"smtp://ann:secret@127.0.0.1:{port}")
        with pytest.raises(rf.ConnectionFailed, match=r"TLS not available.*Nothing was sent"):
            mailed(results)
    assert set(heard) <= {b"EHLO", b"STAR", b"QUIT"}


def test_a_port_that_does_not_speak_tls_at_once_is_told_from_one_that_is_away(results: pd.DataFrame) -> None:
    with mail_server() as server:
        rf.configure(smtp=f"smtps://127.0.0.1:{server.port}")
        with pytest.raises(rf.ConnectionFailed, match=r"STARTTLS, its address is smtp://.*Nothing was sent"):
            mailed(results)
    rf.configure(smtp=f"smtps://127.0.0.1:{server.port}")
    with pytest.raises(rf.ConnectionFailed, match="can be reached"):
        mailed(results)
