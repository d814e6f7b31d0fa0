"""A message holds exactly what was given, whatever that is."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from reportflow_pandas.delivery.message import Letter, Letters, addresses_in
from reportflow_pandas.settings import current

HEADERS = [
    "Auto-Submitted", "Content-Language", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject",
    "To",
]  # fmt: skip

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=120).map(
    lambda text: text.strip() or "x"
)
bodies = st.text(st.characters(exclude_categories=("Cs",)), max_size=400)


def arrived(letter: Letter, language: str = "en") -> tuple[bytes, EmailMessage]:
    [sender] = addresses_in("Billing <billing@example.com>") or []
    style = Letters(sender, (), attach=True, language="ja" if language == "ja" else "en", run="november")
    raw = style.written(letter, current().clock, b"%PDF-1.7").as_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return raw, message


def letter_to(address: str, subject: str = "Invoice", body: str = "Here.", name: str = "INV-1") -> Letter:
    [person] = addresses_in(address) or []
    return Letter(0, "document", person, subject, body, None, (), Path("a.pdf"), name)


def lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


@settings(deadline=None, max_examples=150)
@given(subject=words, body=bodies, name=words)
def test_whatever_the_values_a_mail_arrives_with_its_subject_text_file_name_and_no_header_more(
    subject: str, body: str, name: str
) -> None:
    raw, message = arrived(letter_to("Ann <ann@example.com>", subject, body, name))
    assert sorted(message.keys()) == HEADERS
    assert message["Subject"] == subject
    [attached] = message.iter_attachments()
    assert attached.get_filename() == f"{name}.pdf"
    assert attached.get_content() == b"%PDF-1.7"
    text = message.get_body(("plain",))
    assert text is not None
    assert lines(text.get_content()) == lines(body)
    assert raw.isascii(), "a server without 8BITMIME would spoil it"


def test_the_language_is_said() -> None:
    assert arrived(letter_to("ann@example.com"), "ja")[1]["Content-Language"] == "ja"


@pytest.mark.parametrize(
    ("domain", "encoded"),
    [
        ("straße.de", "xn--strae-oqa.de"),
        ("例え.jp", "xn--r8jz45g.jp"),
        ("Bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_domain_of_any_letters_is_the_one_that_browsers_open(domain: str, encoded: str) -> None:
    """The older rules make strasse.de of straße.de, which belongs to other people."""
    assert [one.domain for one in addresses_in(f"ann@{domain}") or []] == [encoded]


def test_an_address_with_other_letters_stands_in_its_header_as_it_is() -> None:
    raw, _ = arrived(letter_to("jörg@example.com"))
    assert "To: jörg@example.com".encode() in raw


@pytest.mark.parametrize("name", ["INV-1", "請求書_山田商店", "請求書-" * 12, 'a "b" \\ c', "x" * 120])
def test_programs_that_know_encoded_words_only_read_the_name_from_the_content_type(name: str) -> None:
    """Outlook among them; everything else reads RFC 2231 from Content-Disposition."""
    raw, message = arrived(letter_to("ann@example.com", name=name))
    [attached] = message.iter_attachments()
    assert attached.get_filename() == f"{name}.pdf"
    as_of_old = email.message_from_bytes(raw).get_payload()[1]
    assert isinstance(as_of_old, email.message.Message)
    assert as_of_old.get_content_type() == "application/pdf"
    written = as_of_old.get_param("name")
    assert isinstance(written, str), "RFC 2231 would be parts of a tuple"
    assert str(make_header(decode_header(written))) == f"{name}.pdf"
    assert max(map(len, raw.split(b"\r\n"))) <= 100
