"""The messages of a frame: addresses, subject and text from templates, the PDF attached or linked."""

from __future__ import annotations

import hashlib
import html as markup
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, getaddresses
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import idna
import pandas as pd

from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import opens_in_browser, without_pdf
from reportflow_pandas.errors import ConfigurationError, InvalidRows
from reportflow_pandas.export.source_columns import beside
from reportflow_pandas.network import is_loopback
from reportflow_pandas.rows.input_frame import called, rows_phrase
from reportflow_pandas.rows.templates import filled, texts_of

__all__ = ["Letter", "Letters", "addresses_in", "letters"]

_ATOM = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]"
_LABEL = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f.]"
_BARE = re.compile(rf"{_ATOM}+@{_LABEL}+(\.{_LABEL}+)*")
_LINE_BREAK = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x00\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
"""Half of a pair, as cut texts have it: no encoding can say it."""

_LINK = {"en": "Your document: {url}", "ja": "書類はこちらです：{url}"}  # noqa: RUF001 - Japanese punctuation


@dataclass(frozen=True)
class Letter:
    """One message before it is written: to one address, about one document."""

    position: int
    document: str
    address: Address
    subject: str
    text: str
    html: str | None
    cc: tuple[Address, ...]
    path: Path
    name: str

    @property
    def recipients(self) -> list[str]:
        """Bare addresses of all who get it, each once."""
        return list(dict.fromkeys(mailbox.addr_spec for mailbox in (self.address, *self.cc)))


@dataclass(frozen=True)
class Letters:
    """How the messages of one call are written."""

    sender: Address
    reply_to: tuple[Address, ...]
    attach: bool
    language: Literal["en", "ja"]
    run: str

    def message_id(self, letter: Letter) -> str:
        """Return the same id for the same document and address, so that mail programs know a twin."""
        parts = f"{self.run}\n{letter.document}\n{letter.address.addr_spec}"
        digest = hashlib.sha256(parts.encode()).hexdigest()[:32]
        return f"<{digest}@{self.sender.domain or 'localhost'}>"

    def written(self, letter: Letter, clock: Clock, pdf: bytes | None) -> EmailMessage:
        """Return a message as it is sent; ``pdf``: what is attached."""
        # a letter such as ö before the @ can only be said by a server and in headers of SMTPUTF8; everything else
        # goes as seven bits, which any server passes on
        ascii_only = "".join([self.sender.username, *letter.recipients]).isascii()
        message = EmailMessage(policy=(SMTP if ascii_only else SMTPUTF8).clone(cte_type="7bit"))
        message["From"] = self.sender
        message["To"] = letter.address
        if letter.cc:
            message["Cc"] = letter.cc
        if self.reply_to:
            message["Reply-To"] = self.reply_to
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(clock.now())
        message["Message-ID"] = self.message_id(letter)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        if letter.html is not None:
            message.add_alternative(letter.html, subtype="html")
        if pdf is not None:
            name = f"{letter.name}.pdf"
            message.add_attachment(pdf, maintype="application", subtype="pdf", filename=name)
            attached = list(message.iter_attachments())[-1]
            del attached["Content-Type"]
            attached.set_raw("Content-Type", _named_type(name))
        message["Content-Language"] = self.language  # last: whatever sets the content removes it
        return message


def _named_type(name: str) -> str:
    """Return the attachment's content type with its name as RFC 2047 encodes words.

    RFC 2231, in which ``Content-Disposition`` has the name, is what a parameter asks for; Outlook and the programs
    that read the name from here know encoded words only. `email` would make RFC 2231 of it here, too.
    """
    plain = name.isascii() and len(name) <= 50 and not set(name) & set('"\\=?')
    written = name if plain else Header(name, "utf-8", maxlinelen=70, header_name=" name=").encode(linesep="\r\n")
    return f'application/pdf;\r\n name="{written}"'


def letters(  # noqa: PLR0917 - what a mail is made of
    results: pd.DataFrame,
    positions: Sequence[int],
    to: Hashable,
    subject: str,
    body: str,
    html: str | None,
    cc: Hashable | None,
    source: pd.DataFrame | None,
    *,
    attach: bool,
    language: Literal["en", "ja"],
    stays_here: bool,
) -> list[Letter]:
    """Return a letter for each of these rows and each of its addresses, all checked.

    Where the mail ``stays_here``, with a mail server of this machine, a link may lead to this machine, too.

    Raises
    ------
    ConfigurationError
        A template names a column that is not there.
    InvalidRows
        An address that is missing or none, a line break in a subject, a missing value, a link that its reader
        could not open.
    """
    frame = _frame(results, source).iloc[list(positions)]
    if not attach and "{url" not in body:
        body = f"{body.rstrip()}\n\n{_LINK[language]}\n"
    if html is not None and not attach and "{url" not in html:
        link = _LINK[language].replace("{url}", '<a href="{url}">{url}</a>')
        html = f"{html.rstrip()}\n<p>{link}</p>\n"
    is_own = source is None or called(source, "url") is None
    if is_own and any("{url" in template for template in (body, html or "")):
        _refuse_dead_links(results.iloc[list(positions)]["url"], stays_here=stays_here)
    addresses = _addresses(frame, to, "to")
    copies = [()] * len(frame) if cc is None else _addresses(frame, cc, "cc", may_be_missing=True)
    subjects = _subjects(frame, subject)
    texts = filled(frame, body, argument="body")
    pages = None if html is None else filled(frame, html, argument="html", convert=markup.escape)
    for argument, written in (("subject", subjects), ("body", texts), ("html", pages)):
        if written is not None:
            _refuse_with(_HALF_CHARACTER, frame, written, argument, "half a character (a text that was cut?)")
    found = []
    for at, position in enumerate(positions):
        row = results.iloc[position]
        file_id = row["file_id"]
        document = file_id if isinstance(file_id, str) else f"{row['request_id']}/{row['file_name']}"
        path = Path(row["path"])
        name = row["file_name"] if isinstance(row["file_name"], str) else path.name
        found += [
            Letter(
                position,
                document,
                address,
                subjects[at],
                texts[at],
                None if pages is None else pages[at],
                # who gets a copy gets one of a document, however many addresses the document goes to
                tuple(copies[at]) if address is addresses[at][0] else (),
                path,
                _CONTROL.sub("_", without_pdf(name)).strip() or "document",
            )
            for address in addresses[at]
        ]
    return found


def _refuse_dead_links(urls: pd.Series, *, stays_here: bool) -> None:
    """Refuse the rows whose link its reader could not open: it asks for the key, or leads to this machine."""
    way = "Attach the PDF instead (attach=True, and no {url} in the text)"
    closed = [not opens_in_browser(url) for url in urls]
    _refuse(urls, closed, "the link is missing, or the API's own, which only the key opens,", way)
    here = [not stays_here and is_loopback(urlsplit(url).hostname) for url in urls]
    _refuse(
        urls, here, "the link leads to this machine (the embedded service), where its reader can't open it,", way
    )


def _subjects(frame: pd.DataFrame, subject: str) -> list[str]:
    """Return the subject of each row, one line of visible characters."""
    subjects = [text.replace("\t", " ").strip(" ") for text in filled(frame, subject, argument="subject")]
    _refuse_with(_LINE_BREAK, frame, subjects, "subject", "a line break")
    _refuse_with(_CONTROL, frame, subjects, "subject", "a control character")
    _refuse(frame, [not text.strip() for text in subjects], "subject= gives no text")
    return subjects


def addresses_in(text: str) -> list[Address] | None:
    """Return the mail addresses in a text (``ann@example.com; Bob <bob@example.com>``), None if one is none.

    Examples
    --------
    >>> [address.addr_spec for address in addresses_in("ann@example.com; Bob <bob@example.com>")]
    ['ann@example.com', 'bob@example.com']
    >>> addresses_in("ann at example.com") is None
    True
    """
    if _LINE_BREAK.search(text):
        return None
    found = getaddresses([text.replace(";", ",")])
    addresses = []
    for name, bare in found:
        if not _BARE.fullmatch(bare):
            return None
        user, _, domain = bare.rpartition("@")
        try:
            domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
            addresses.append(Address(display_name=name, username=user, domain=domain))
        except (ValueError, UnicodeError):
            return None
    once = {address.addr_spec.casefold(): address for address in addresses}
    return list(once.values()) or None


def _frame(results: pd.DataFrame, source: pd.DataFrame | None) -> pd.DataFrame:
    """Return the columns that templates may name: the source's, then the results' own."""
    if source is None:
        frame = results.copy(deep=False)
        frame.attrs = {}
        return frame
    held = beside(results, source)
    frame = held.frame.set_axis(held.names, axis=1).set_axis(results.index)
    more = [name for name in results.columns if called(frame, str(name)) is None]
    return pd.concat([frame, results[more].set_axis(results.index)], axis=1)


def _addresses(
    frame: pd.DataFrame, column: Hashable, argument: str, *, may_be_missing: bool = False
) -> list[list[Address]]:
    if isinstance(column, str) and called(frame, column) is None:
        constant = addresses_in(column) if "@" in column else None
        if constant is None:
            raise ConfigurationError(
                f"{argument}={column!r} is neither a column nor a mail address. Columns: "
                + ", ".join(str(name) for name in list(frame.columns)[:20])
                + ". Columns of the frame that the run came from: source=df"
            )
        return [constant] * len(frame)
    texts = texts_of(frame, column, argument=argument, blank=True)
    missing = [not text.strip() for text in texts]
    if not may_be_missing:
        _refuse(frame, missing, f"{argument}={column!r} has no mail address")
    found = [[] if gone else addresses_in(text.strip()) for text, gone in zip(texts, missing, strict=True)]
    wrong = [parsed is None for parsed in found]
    example = next((text for text, bad in zip(texts, wrong, strict=True) if bad), "")
    _refuse(frame, wrong, f"{argument}={column!r} is no mail address (such as {example[:60]!r})")
    return [parsed or [] for parsed in found]


def _refuse_with(
    sign: re.Pattern[str], frame: pd.DataFrame, texts: Sequence[str], argument: str, what: str
) -> None:
    """Refuse the rows in whose texts a sign is found."""
    _refuse(frame, [bool(sign.search(text)) for text in texts], f"{argument}= gives a text with {what}")


def _refuse(
    rows: pd.DataFrame | pd.Series, bad: Sequence[bool], problem: str, way: str = "Correct the column"
) -> None:
    labels = [label for label, wrong in zip(rows.index, bad, strict=True) if wrong]
    if labels:
        raise InvalidRows(
            f"{problem} in {rows_phrase(labels)}; no mail was sent. {way}, or leave these rows "
            "out: results.drop(…).reportflow.mail(…)",
            labels,
        )
