"""The same verbs from a shell: ``reportflow-pandas``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from tqdm import tqdm

from reportflow_pandas import __version__
from reportflow_pandas.cli import archive, check, demo, generate, listing, mailing, runs, serve, worker
from reportflow_pandas.cli.output import INTERRUPTED, REFUSED, complain
from reportflow_pandas.cli.parser import Parser
from reportflow_pandas.cli.shell_words import in_a_shell, painted
from reportflow_pandas.cli.streams import standing_alone
from reportflow_pandas.errors import CheckWarning, ReportFlowError
from reportflow_pandas.notebook.bar import progress_log
from reportflow_pandas.printable import printable
from reportflow_pandas.reading.reading_options import HIDDEN

__all__ = ["main"]

Verb = Callable[[argparse.Namespace], int]

EXAMPLES = """\
examples:
  reportflow-pandas demo
  reportflow-pandas serve --port 8787
  reportflow-pandas designs
  reportflow-pandas generate orders.csv --design Zk3PpV0aNq8sUe5J --download pdfs
  reportflow-pandas generate --options job.toml --run november
  reportflow-pandas runs
  reportflow-pandas resume november

environment:
  REPORT_FLOW_APP_KEY      the workspace's key (or REPORTFLOW_CLIENT_ID and REPORTFLOW_CLIENT_SECRET)
  REPORTFLOW_API_BASE_URL  another address than Report Flow's own, such as that of `serve`
  REPORTFLOW_RUNS          folder of the runs' journals, default ./.reportflow/runs; where machines come and go, a
                           volume that stays
  REPORTFLOW_WORKSPACE     the workspace's name: its runs go on when the key is renewed
  REPORTFLOW_PLAIN_HTTP    hosts that may be spoken to without TLS, such as that of a docker compose network
  HTTPS_PROXY, NO_PROXY    a proxy on the way, and what is reached without it
  REQUESTS_CA_BUNDLE       file of certificate authorities that are trusted as well, such as a company's

exit codes:
  0    all rows accepted, and their PDFs saved where --download asks for them
  1    some rows failed, are unknown, were not sent or could not be saved (with --verify: need a look, or could not
       be read back); the workbook tells which
  2    refused before anything was sent: input, options, key, address
  130  interrupted by Ctrl-C, SIGTERM or SIGHUP; what was done until then is in the workbook
"""

GENERATE = """\
how a file is read:
  What it is is told by its content. In text files a column becomes numbers, dates (2026-11-05) or booleans
  (true, TRUE, True) only if each of its values says so beyond doubt: 0171, +81 3 1234, 1e5 and numbers of more
  than 15 digits stay text, 10.50 prints 10.50, and 1.234,50 is a number where the whole column is written so.
  --text COLUMN keeps any column as it stands. An empty field is missing; NA, NaN and null are missing among
  numbers and dates, which is said, and texts elsewhere. In workbooks and Parquet files the cells have types
  already, and keep them; --as-shown keeps what a sheet shows instead. What can't be known is refused with its
  cell or line: errors (#N/A), formulas that were never worked out, hidden rows, open quotes, lines of another
  length.

the job file (--options), all of it optional; paths are relative to it; what is typed wins:
  file = "orders.csv"
  design = "Zk3PpV0aNq8sUe5J"
  version = 3
  file_name = "INV-{InvoiceId}"
  download = "pdfs"
  out = "review.xlsx"
  show = ["InvoiceId", "CustomerName", "Total"]
  limits = { async_calls = 50 }

  [params]                                 # parameter = column
  Customer = "CustomerName"
  Currency = { constant = "EUR" }
  Note = { blank = true }

  [tables.Lines]
  file = "lines.csv"
  on = "InvoiceId"

  # or, where each line of the file is one of several of a document:
  group_by = "InvoiceId"
  tables.Lines = ["Track", "Quantity", "UnitPrice"]

  Every argument of df.reportflow.generate() is possible; share and passcode may be { column = "Share" }.

examples:
  reportflow-pandas generate orders.csv --design invoice --local --download pdfs
  reportflow-pandas generate orders.xlsx --sheet November --design Zk3PpV0aNq8sUe5J --text BillingPostalCode
  reportflow-pandas generate --options job.toml --out november.xlsx
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; None: those it was called with.

    Returns
    -------
    int
        0 all accepted, 1 rows failed or unknown, 2 refused before anything was sent, 130 interrupted.

    Examples
    --------
    >>> main(["--version"])                                        # doctest: +ELLIPSIS
    reportflow-pandas ...
    0
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else REFUSED
    verb: Verb = arguments.verb
    as_json = vars(arguments).get("json", False)
    with (
        standing_alone(patient=verb in _LISTS),
        _logging_to_stderr(arguments.log_level, as_json=as_json),
        _warnings_as_lines(),
        _terminated_as_interrupted(),
    ):
        try:
            return verb(arguments)
        except ReportFlowError as error:
            complain(f"reportflow-pandas: {error}", colour="red")
            return REFUSED
        except KeyboardInterrupt:
            complain("Interrupted.")
            return INTERRUPTED


_LISTS = (listing.designs, listing.parameters, runs.runs)
"""Commands whose output is all they do: they wait for its reader (``| less``)."""


def _parser() -> Parser:
    parser = Parser(
        prog="reportflow-pandas",
        description="One row, one PDF: Report Flow documents from a file of rows.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reportflow-pandas {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = _verb(verbs, "demo", demo.demo, "the example's 412 invoices on this machine: no account, no network")
    command.add_argument(
        "--out",
        type=Path,
        default=Path("reportflow-demo"),
        metavar="DIR",
        help="folder; default ./reportflow-demo",
    )
    command.add_argument("--rows", type=int, metavar="N", help="only the first N orders")
    command.add_argument("--no-progress", dest="progress", action="store_false", help="no bars")

    command = _verb(
        verbs, "check", check.check, "what is wrong, or looks wrong, with a file's rows; sends nothing billed"
    )
    _add_check(command)

    command = _verb(
        verbs, "generate", generate.generate, "a document for each row of a file, and the review workbook"
    )
    command.epilog = GENERATE
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    _add_generate(command)

    command = _verb(verbs, "serve", serve.serve, "the embedded service, until Ctrl-C")
    command.add_argument("--port", type=_port, default=8787, help="default 8787; 0: any free one")
    command.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where it listens; default this machine only, 0.0.0.0 for containers and other machines, without TLS",
    )
    command.add_argument(
        "--designs", action="append", metavar="DIR", help="folder of designs beside the packaged ones; repeatable"
    )
    command.add_argument(
        "--limits", action="store_true", help="enforce the documented limits: 100 calls a minute, sync 30"
    )
    command.add_argument(
        "--latency", type=worker.seconds_or_more, default=0.0, metavar="S", help="seconds before each answer"
    )
    command.add_argument(
        "--render-delay",
        type=worker.seconds_or_more,
        default=0.0,
        metavar="S",
        help="seconds before a PDF may be ready",
    )

    command = _verb(verbs, "runs", runs.runs, "the runs that this machine has, and how far each is")

    command = _verb(
        verbs, "resume", runs.resume, "go on with a run: send what is missing, fetch the PDFs that are"
    )
    command.add_argument("run", metavar="RUN", help="its name; `reportflow-pandas runs` lists them")
    command.add_argument("--out", type=Path, metavar="FILE", help="review workbook; default review.xlsx")
    command.add_argument(
        "--download", type=Path, metavar="DIR", help="folder of the PDFs; default that of the run"
    )
    command.add_argument(
        "--same-workspace",
        action="store_true",
        help="the key was renewed: it is another one of the workspace that the run belongs to",
    )
    command.add_argument(
        "--max-documents", type=_count, metavar="N", help="refuse if more documents than this would be sent"
    )
    command.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="bars on stderr; default in a terminal"
    )

    command = _verb(verbs, "mail", mailing.mail, "mail each document of a run to its person, once")
    mailing.add_arguments(command)

    command = _verb(verbs, "archive", archive.archive, "hold a folder that was handed over against its index")
    command.add_argument("folder", type=Path, metavar="DIR", help="folder that results.reportflow.hand_over wrote")
    command.add_argument(
        "--check", action="store_true", required=True, help="tell files that were changed, lost or added"
    )

    command = _verb(verbs, "webhook", runs.webhook, "receive the service's file.completed events, until Ctrl-C")
    command.add_argument("--port", type=_port, default=8788, help="default 8788; 0: any free one")
    command.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where it listens; default this machine only"
    )
    command.add_argument(
        "--notify",
        action="append",
        metavar="URL",
        help="told when a run is complete: mailto://…, slack://…; repeatable",
    )

    command = _verb(
        verbs, "worker", worker.work, "carry out what submit(queue=…) puts into a Redis, until SIGTERM"
    )
    worker.add_arguments(command)

    command = _verb(verbs, "designs", listing.designs, "the workspace's designs")
    _add_local(command)

    command = _verb(
        verbs, "parameters", listing.parameters, "what a design takes: the names that columns must have"
    )
    command.add_argument("design", metavar="DESIGN", help="its id")
    command.add_argument("--version", type=_version, default="latest", metavar="N", help="default: the latest")
    _add_local(command)
    return parser


def _verb(verbs: argparse._SubParsersAction[Parser], name: str, verb: Verb, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=what, description=what[0].upper() + what[1:] + "."
    )
    parser.set_defaults(verb=verb, parser=parser)
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="what goes to stderr; default %(default)s (warning: retries, throttling, failed rows)",
    )
    return parser


def _add_rows(parser: argparse.ArgumentParser) -> None:
    """Add what `check` and `generate` have in common: the rows, the design, how they meet."""
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help=".csv, .tsv, .txt, .xlsx, .xlsm, .xls, .xlsb, .ods or .parquet, or a folder of Parquet files",
    )
    parser.add_argument("--design", metavar="ID", help="the design; `reportflow-pandas designs` lists yours")
    parser.add_argument("--version", type=_version, metavar="N", help="its version; default: the latest")
    parser.add_argument(
        "--group-by",
        action="append",
        metavar="COLUMN",
        help="the file has several lines to a document, and this column names it; repeatable",
    )
    parser.add_argument("--options", type=Path, metavar="TOML", help="job file with any argument, see below")
    parser.add_argument(
        "--file-name", metavar="TEMPLATE", help="a column, or a template such as 'INV-{InvoiceId}'"
    )
    parser.add_argument("--sheet", metavar="NAME", help="of a workbook; default the first visible one")
    parser.add_argument(
        "--header", type=_line, metavar="LINE", help="line of the headings, from 1; default the first not empty"
    )
    parser.add_argument(
        "--text", action="append", metavar="COLUMN", help="column that stays text as it stands; repeatable"
    )
    parser.add_argument(
        "--as-shown", action="store_true", help="cells as the sheet shows them: 00171, 19%%, Nov-26"
    )
    parser.add_argument(
        "--hidden",
        choices=HIDDEN,
        help="rows that the sheet hides: refuse (the default), leave them out, or make documents of them too",
    )
    parser.add_argument(
        "--totals",
        choices=HIDDEN,
        help="lines that add up others, such as a sum at the foot: refuse (the default), leave them out, or keep",
    )
    parser.add_argument(
        "--decimal", choices=(".", ","), help="decimal sign of numbers; default found out where a column agrees"
    )
    parser.add_argument("--thousands", metavar="CHAR", help="what groups the digits of numbers")
    parser.add_argument("--encoding", help="of a text file; default UTF-8, or what its first bytes say")
    parser.add_argument("--separator", metavar="CHAR", help="of a text file; default found out; TAB for a tab")


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_rows(parser)
    parser.set_defaults(progress=None)
    _add_local(parser)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    _add_rows(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="review workbook; default review.xlsx")
    parser.add_argument("--download", type=Path, metavar="DIR", help="wait for the PDFs and save them there")
    parser.add_argument(
        "--verify",
        action="store_true",
        default=None,
        help="with --download: read every PDF back and hold it against its row",
    )
    parser.add_argument("--run", metavar="NAME", help="durable run: what it has is not sent again")
    parser.add_argument(
        "--max-documents",
        type=_count,
        metavar="N",
        help="refuse before anything is sent if more documents than this would be paid for",
    )
    parser.add_argument(
        "--check",
        choices=("on", "warn", "off"),
        help="compare the columns with the design's parameters first: refuse (on, the default), go on with a "
        "warning, or look nothing up",
    )
    parser.add_argument(
        "--show", action="append", metavar="COLUMN", help="column beside the results in the workbook; default all"
    )
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="bars on stderr; default in a terminal"
    )
    _add_local(parser)


def _add_local(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--local", action="store_true", help="on an embedded service of its own: no account needed"
    )


def _version(word: str) -> int | Literal["latest"]:
    if word == "latest":
        return "latest"
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r}: 'latest' or a whole number from 1")
    return int(word)


def _line(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r}: the number of a line, from 1")
    return int(word)


def _count(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r}: a whole number of documents")
    return int(word)


def _port(word: str) -> int:
    if not word.isdecimal() or int(word) > 65535:
        raise argparse.ArgumentTypeError(f"{word!r}: a whole number from 0 to 65535")
    return int(word)


class _BesideBars(logging.Handler):
    """Writes each record on a line of its own, above a bar that is being drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(printable(self.format(record)), file=sys.stderr)
        except Exception:  # noqa: BLE001 - logging's own way: a log that fails ends nothing
            self.handleError(record)


@contextlib.contextmanager
def _logging_to_stderr(level: str, *, as_json: bool = False) -> Iterator[None]:
    """Send the package's log to stderr as long as the command runs."""
    log = logging.getLogger("reportflow_pandas")
    handler, before = _BesideBars(), log.level
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(worker.JsonLines() if as_json else plain)
    if level == "warning" and not as_json:
        # the command itself says why it ended, once
        handler.addFilter(lambda record: not str(record.msg).startswith("run %s ended early"))
    log.addHandler(handler)
    log.setLevel(level.upper())
    progress_log.setLevel(min(log.level, logging.INFO))
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        progress_log.setLevel(logging.NOTSET)


@contextlib.contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Write what looks odd in the rows to stderr as it is, without the line of code that asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", CheckWarning)
        before = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, CheckWarning):
                lead = painted("Warning:", "yellow", sys.stderr)
                tqdm.write(f"{lead} {in_a_shell(str(message))}", file=sys.stderr)
            else:
                before(message, category, *where, **more)

        warnings.showwarning = show
        yield


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP (a terminal that is closed) act like Ctrl-C: what was done is still written down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # one that is ignored stays so: nohup
    before = {number: signal.getsignal(number) for number in signals if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
