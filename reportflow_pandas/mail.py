"""Each document to its person, once: intent on the disk, then the message, then what came of it."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from email.headerregistry import Address
from typing import Literal, TypedDict

import pandas as pd

from reportflow_pandas.delivery.mail_preview import MailPreview
from reportflow_pandas.delivery.mail_run import MailRun
from reportflow_pandas.delivery.message import Letters, addresses_in, letters
from reportflow_pandas.delivery.release import DeliveryWarning, release
from reportflow_pandas.delivery.smtp import smtp_address
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.execution.background import Background
from reportflow_pandas.execution.work import watched
from reportflow_pandas.export.source_columns import documents_of
from reportflow_pandas.jobs import Job, started
from reportflow_pandas.journal.runs import at_home
from reportflow_pandas.network import is_loopback
from reportflow_pandas.results.results_frame import provenance
from reportflow_pandas.settings import Settings, current

__all__ = ["MailArguments", "mail"]


class MailArguments(TypedDict, total=False):
    """The keyword arguments of `mail` that leave its answer's type as it is, for type checkers."""

    source: pd.DataFrame | None
    decisions: pd.DataFrame | None
    attach: bool
    unknown: bool
    html: str | None
    cc: Hashable | None
    reply_to: str | None
    language: Literal["en", "ja"] | None
    per_minute: float | None
    progress: bool | Literal["auto"]
    settings: Settings | None


def mail(
    results: pd.DataFrame,
    *,
    to: Hashable,
    subject: str,
    body: str,
    source: pd.DataFrame | None = None,
    decisions: pd.DataFrame | None = None,
    attach: bool = True,
    unknown: bool = False,
    html: str | None = None,
    cc: Hashable | None = None,
    reply_to: str | None = None,
    language: Literal["en", "ja"] | None = None,
    per_minute: float | None = None,
    preview: bool = False,
    background: bool = False,
    progress: bool | Literal["auto"] = "auto",
    settings: Settings | None = None,
) -> pd.DataFrame | MailPreview | Job:
    r"""Mail each document to its person, once.

    One message for each document and address. Only rows whose PDF was downloaded get one; with ``decisions`` only
    those that were approved, whatever their verdict; without, where the results have a ``verdict``, only ``ok``.
    What was sent is kept in the run's ledger: a second call sends what is missing and never the same again, also
    after the process was killed. A message of which it is not known whether the server took it is ``unknown``, and
    is not sent again by itself. Bounces come back by mail and are not seen here.

    Parameters
    ----------
    to : column or str
        The column of addresses (several in a cell are parted by a comma or semicolon), or one address for all.
    subject, body : str
        Templates such as ``"Invoice {InvoiceId}"``: braces hold a column of ``source`` or of the results, or
        ``index``.
    source : pandas.DataFrame, optional
        The frame that the run came from. ``None``: only the results' own columns.
    decisions : pandas.DataFrame, optional
        ``results.reportflow.read_review(path)``.
    attach : bool
        Attach the PDF under its name. ``False``: the body links to ``{url}``, the document's page. Who may open it
        is decided by ``generate(share=…)``: with ``"workspace"``, the default, only people of the workspace.
    unknown : bool
        Send ``unknown`` ones again, too. Their persons may get them twice.
    html : str, optional
        Template of an HTML body beside the text; values are escaped.
    cc : column or str, optional
        Who gets a copy.
    reply_to : str, optional
        Address for answers.
    language : {"en", "ja"}, optional
        Language of the link's line and of the header; default that of ``rf.configure(language=…)``.
    per_minute : float, optional
        At most so many messages a minute, evenly spaced.
    preview : bool
        Send nothing, return the first message as it would arrive.
    background : bool
        Return a `Job` at once: ``.progress`` counts messages, ``.result()`` is the frame.
    progress : bool or "auto"
        A bar.
    settings : Settings, optional
        In place of the process's: ``smtp``, ``sender``, ``ca_bundle``, ``runs``.

    Returns
    -------
    pandas.DataFrame
        These results with ``mail_status`` (``sent``, ``failed``, ``unknown``, ``not_sent``), ``mail_error``
        (why; for a row that got none, too; of several addresses, which) and ``mailed_at`` (UTC). With ``preview``
        a `MailPreview`, with ``background`` a `Job`.

    Raises
    ------
    ConfigurationError
        No mail server is set, it offers no TLS elsewhere than on this machine, a template names no column, another
        process mails or sends on this run. Nothing was sent.
    InvalidRows
        An address that is missing or none, a line break in a subject, a link that its reader could not open (the
        API's own, or one to this machine); before the first mail.
    AuthError, ConnectionFailed
        The server refuses the password, or none answers (any more); ``.results`` is the frame so far.
        With ``background`` this and the next two are raised by the job's ``.result()``.
    JournalError
        The disk is full: no mail is sent whose intent cannot be written down; ``.results`` is the frame so far.
    RunInterrupted
        Ctrl-C; ``.results`` is the frame so far.

    Warns
    -----
    DeliveryWarning
        Who got none and why; whose document was made again, so that this is their second mail.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.head(2).reportflow.generate(
    ...         "invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")}, download=folder
    ...     )
    ...     first = results.reportflow.mail(
    ...         to="Email",
    ...         subject="Invoice {InvoiceId}",
    ...         body="Dear {CustomerName},\nyour invoice is attached.",
    ...         source=orders.head(2).assign(Email="customer@example.com"),
    ...         preview=True,
    ...     )
    >>> first.message["Subject"]
    'Invoice 1'
    """
    attrs = provenance(results, "mail")
    if per_minute is not None and not per_minute > 0:
        raise ConfigurationError(f"per_minute={per_minute!r} is no number of mails above 0; nothing was sent")
    source = documents_of(results, source)
    chosen = at_home(settings or current(), attrs["run"])
    spoken: Literal["en", "ja"] = language or ("ja" if chosen.language == "ja" else "en")
    released = release(results, decisions, verb="mail", required=False)
    sender = _one_address(chosen.sender, "sender", needed=not preview)
    address = None if preview else smtp_address(chosen.smtp)
    planned = letters(
        results,
        released.positions,
        to,
        subject,
        body,
        html,
        cc,
        source,
        attach=attach,
        language=spoken,
        stays_here=address is None or is_loopback(address.host),
    )
    style = Letters(
        sender,
        () if reply_to is None else (_one_address(reply_to, "reply_to", needed=True),),
        attach,
        spoken,
        attrs["run"],
    )
    if address is None:
        if not planned:
            raise ConfigurationError(f"no row would get a mail: {released.told(results.index)}")
        first = planned[0]
        return MailPreview(
            style.written(first, chosen.clock, first.path.read_bytes() if attach else None), len(planned)
        )
    _require_aiosmtplib()
    work = MailRun(
        results,
        planned,
        released,
        style,
        chosen,
        address,
        decisions=decisions,
        per_minute=per_minute,
        unknown=unknown,
        progress_shown=progress,
    )
    if background:
        return started(Background(work))
    made = watched(work)
    if told := work.closing_words():
        warnings.warn(told, DeliveryWarning, stacklevel=3)
    return made


def _one_address(text: str | None, argument: str, *, needed: bool) -> Address:
    if not text and not needed:
        return Address("", "sender", "example.com")
    found = addresses_in(text) if text else None
    if found is None or len(found) != 1:
        told = "is missing" if not text else f"{text!r} is no mail address"
        way = (
            "rf.configure(sender='billing@example.com')" if argument == "sender" else f"{argument}='a@example.com'"
        )
        raise ConfigurationError(f"{argument}= {told}: {way}. Nothing was sent")
    return found[0]


def _require_aiosmtplib() -> None:
    try:
        import aiosmtplib  # noqa: F401, PLC0415 - an extra
    except ImportError as missing:
        raise ConfigurationError(
            f"mailing needs the package {missing.name!r}: pip install 'reportflow-pandas[mail]'. Nothing was sent"
        ) from missing
