"""Mailing a run's documents from a shell: ``reportflow-pandas mail RUN --to COLUMN``."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import cast

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.cli.output import ACCEPTED, INTERRUPTED, SOME_FAILED, complain, say
from reportflow_pandas.cli.shell_words import in_a_shell
from reportflow_pandas.delivery.mail_preview import MailPreview
from reportflow_pandas.delivery.release import DeliveryWarning, is_left_out
from reportflow_pandas.errors import ConfigurationError, ReportFlowError, RunInterrupted
from reportflow_pandas.mail import mail as mail_documents
from reportflow_pandas.printable import counted
from reportflow_pandas.results.summary import without_mail
from reportflow_pandas.rows.input_frame import rows_phrase
from reportflow_pandas.settings import configure, current

__all__ = ["add_arguments", "mail"]

MAIL = """\
the mail server:
  REPORTFLOW_SMTP    smtps://USER:PASSWORD@mail.example.com, so that no password is typed or seen by ps
  --sender           billing@example.com

example:
  reportflow-pandas mail november --to Email --source orders.xlsx --review review.xlsx \\
      --subject "Invoice {InvoiceId}" --body letter.txt --preview
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.epilog = MAIL
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", metavar="RUN", help="its name; `reportflow-pandas runs` lists them")
    parser.add_argument("--to", required=True, metavar="COLUMN", help="column of the addresses, or one address")
    parser.add_argument(
        "--subject", required=True, metavar="TEXT", help="braces hold columns: 'Invoice {InvoiceId}'"
    )
    parser.add_argument("--body", required=True, type=Path, metavar="FILE", help="text of the mail, a template")
    parser.add_argument("--html", type=Path, metavar="FILE", help="the same as HTML, beside the text")
    parser.add_argument("--source", type=Path, metavar="FILE", help="the file that the run came from")
    parser.add_argument("--review", type=Path, metavar="FILE", help="reviewed workbook: only what was approved")
    parser.add_argument("--sender", metavar="ADDRESS", help="who sends")
    parser.add_argument("--cc", metavar="COLUMN", help="who gets a copy")
    parser.add_argument("--reply-to", metavar="ADDRESS", help="where answers go")
    parser.add_argument("--link", action="store_true", help="a link in place of the attached PDF")
    parser.add_argument("--language", choices=["en", "ja"], help="of the link's line")
    parser.add_argument("--per-minute", type=float, metavar="N", help="at most so many messages a minute")
    parser.add_argument(
        "--unknown", action="store_true", help="send those again of which it is not known whether they arrived"
    )
    parser.add_argument("--preview", action="store_true", help="send nothing, show the first message")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="a bar on stderr; default in a terminal"
    )


def mail(arguments: argparse.Namespace) -> int:
    """Mail the documents of a run; 0: each one that may leave is sent, 1: some are not."""
    if arguments.sender:
        configure(sender=arguments.sender)
    results = rf.load(arguments.run)
    decisions = None
    if arguments.review is not None:
        decisions = results.reportflow.read_review(arguments.review)
    begun = pd.Timestamp(current().clock.now())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", DeliveryWarning)
        made, stopped, code = _mailed(results, decisions, arguments)
    if isinstance(made, MailPreview):
        say(str(made))
        return ACCEPTED
    _say_counts(made, begun)
    for warning in told:
        complain(str(warning.message))
    if stopped:
        complain(stopped)
    if code is not None:
        return code
    wanted = made["mail_status"].isin(["failed", "unknown"]) | (
        made["mail_status"].eq("not_sent") & ~made["mail_error"].map(is_left_out).astype("bool")
    )
    if wanted.any():
        say(f"\n{counted(int(wanted.sum()), 'mail')} did not leave; call again to send what is missing")
    return SOME_FAILED if wanted.any() else ACCEPTED


def _mailed(
    results: pd.DataFrame, decisions: pd.DataFrame | None, arguments: argparse.Namespace
) -> tuple[pd.DataFrame | MailPreview, str, int | None]:
    """Return the results or the preview, why it ended early, and the exit code that follows from that."""
    try:
        made = mail_documents(
            results,
            to=arguments.to,
            subject=arguments.subject,
            body=_text(arguments.body, "--body"),
            html=None if arguments.html is None else _text(arguments.html, "--html"),
            source=None if arguments.source is None else rf.read_rows(arguments.source),
            decisions=decisions,
            attach=not arguments.link,
            unknown=arguments.unknown,
            cc=arguments.cc,
            reply_to=arguments.reply_to,
            language=arguments.language,
            per_minute=arguments.per_minute,
            preview=arguments.preview,
            progress="auto" if arguments.progress is None else arguments.progress,
        )
    except RunInterrupted as interrupted:
        return interrupted.results, str(interrupted), INTERRUPTED
    except ReportFlowError as error:
        if error.results is None or not error.results["mail_status"].eq("sent").any():
            raise
        return error.results, str(error), SOME_FAILED
    return cast("pd.DataFrame | MailPreview", made), "", None  # no job: it runs in the foreground


def _say_counts(made: pd.DataFrame, begun: pd.Timestamp) -> None:
    """Say what became of the documents, and for which there was no mail and why."""
    counts = made["mail_status"].value_counts()
    before = int((made["mailed_at"] < begun).sum())
    for state in ("sent", "failed", "unknown", "not_sent"):
        if counts.get(state):
            note = f", {before:,} of them by an earlier call" if state == "sent" and before else ""
            say(f"{int(counts[state]):>7,} {state.replace('_', ' ')}{note}")
    for reason, labels in without_mail(made).items():
        say(in_a_shell(f"        no mail for {rows_phrase(labels)}: {reason}"))


def _text(path: Path, option: str) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as reason:
        raise ConfigurationError(f"{option} {path}: it cannot be read ({reason}); nothing was sent") from None
