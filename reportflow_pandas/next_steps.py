"""What to do next: the sentences with which results, errors and messages tell a person how to go on.

A run is told of by what its results know of it (``results.attrs["reportflow"]``, plain strings).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

__all__ = [
    "APPROVE_OR_VERIFY",
    "ASK_AGAIN",
    "CHANGED",
    "DOWNLOAD_FIRST",
    "FETCH_WHAT_IS_THERE",
    "GENERATE_AGAIN_OR_NAME_IT",
    "GENERATE_OR_GIVE_THE_ROWS",
    "HAND_OVER_AGAIN",
    "LOOK_IT_UP",
    "MAIL_AGAIN",
    "MAIL_AGAIN_WHEN_IT_CAN_BE_WRITTEN",
    "MAKE_IT_AGAIN",
    "MAKE_THEM_AGAIN",
    "NOT_SENT_AGAIN",
    "NO_PDF_FOR_GOOD",
    "PAID_AND_LEFT",
    "PAID_AND_THERE",
    "READ_THIS_RUNS_WORKBOOK",
    "READ_WORKBOOK_WITH_THESE",
    "REST_NOT_FETCHED",
    "REST_NOT_SENT",
    "SAVED_SO_FAR",
    "STATUS_IN_WORDS",
    "VERIFY_FIRST",
    "VERIFY_GOES_ON",
    "VERIFY_TRIES_AGAIN",
    "after_equal_refusals",
    "at_a_prompt",
    "by_the_newest",
    "cut_short",
    "elsewhere",
    "goes_on",
    "hand_over_when_it_has_ended",
    "if_the_same_workspace",
    "in_brief",
    "interrupted",
    "line_that_goes_on",
    "read_with_its_own_run",
    "resumable",
    "when_it_can_be_written",
    "while_another_sends",
    "with_a_renewed_key",
    "with_its_rows",
]

LOOK_IT_UP = (
    "the service may or may not have accepted it. Look in the web app, then results.reportflow.settle(rows) if it "
    "is there, or .retry(unknown=True) if it is not"
)
"""About a document whose answer got lost."""

NOT_SENT_AGAIN = (
    "this document was accepted before; it was to be sent again and was not: again=[label] sends it, and "
    "rf.resume(run) all that are left"
)
"""About a document of which an earlier one is shown."""

CHANGED = (
    "this document was accepted with other content than the row has now, and is not sent again by itself; "
    "again=[label] sends it"
)
"""About a document whose row was edited after it was accepted, in a run with a key."""

REST_NOT_SENT = "the rest was not sent. When it is back, .results.reportflow.retry() or rf.resume(run) sends it"
"""What an outage leaves of a run that generates."""

REST_NOT_FETCHED = (
    "the PDFs that are left were not asked for. When it is back, results.reportflow.download(folder) fetches "
    "them, at no cost"
)
"""What an outage leaves of a download."""

SAVED_SO_FAR = (
    "What was saved so far is whole; results.reportflow.download(folder) goes on with the rest, at no cost"
)
"""What a full disk leaves of a download."""

FETCH_WHAT_IS_THERE = "results.reportflow.download(folder) fetches what is there, at no cost"
"""Where no row has a PDF on disk that a verb could use."""

ASK_AGAIN = "It stays accepted: results.reportflow.download(folder) asks again and costs nothing"
"""About a document whose PDF was not ready in time."""

MAKE_IT_AGAIN = "If the PDF is needed, make it again: generate(…, again=…)"
"""About a document that the embedded service no longer keeps."""

NO_PDF_FOR_GOOD = (
    "It is not asked for again, and retry() does not send it. Correct what the service names (a character, a "
    "picture, the design), then make the document again with generate(…, again=…); it is billed again"
)
"""About an accepted document whose PDF can never be made."""

MAKE_THEM_AGAIN = (
    "What their column error names has to be corrected first (a character, a picture, the design); then "
    'generate(…, again=results["error_kind"] == "no_pdf") makes them once more, and they are billed again'
)
"""About all such documents of a run, whose rows `retry` passes over."""

GENERATE_OR_GIVE_THE_ROWS = (
    "Generate again when the cause is gone, or give the rows: results.reportflow.retry(source=df)"
)
"""About a run that ended before anything of it was written down."""

GENERATE_AGAIN_OR_NAME_IT = "Generate again, or name the run: run='november'"
"""Where two processes began a run of one name in the same moment."""

DOWNLOAD_FIRST = "First results = results.reportflow.download('pdfs')"
"""Where `verify` finds no PDF on disk."""

VERIFY_FIRST = (
    "First results = df.reportflow.verify(results), with the params= and tables= of the generation; or "
    "df.reportflow.generate(…, download='pdfs', verify=True)"
)
"""Where a verb tells what `verify` found, and it has not looked yet."""

VERIFY_GOES_ON = "The same line goes on; the results are in this exception's .results, as they were"
"""What Ctrl-C leaves of `verify`."""

VERIFY_TRIES_AGAIN = "df.reportflow.verify(results) tries it again"
"""Where the PDFs of a run that generated could not be read back."""

APPROVE_OR_VERIFY = (
    "Give the reviewed workbook, decisions=results.reportflow.read_review('review.xlsx'), or verify the PDFs "
    "first: results = df.reportflow.verify(results)"
)
"""Where nothing tells which documents may leave."""

READ_THIS_RUNS_WORKBOOK = "Read the workbook of this run: results.reportflow.read_review(path)"
"""Where the decisions are about another run."""

READ_WORKBOOK_WITH_THESE = "Read the workbook with these results: results.reportflow.read_review(path)"
"""Where index labels that occur twice don't tell whose a decision is."""

HAND_OVER_AGAIN = (
    "What is in the folder is whole; call hand_over again when the cause is gone, it goes on with the rest"
)
"""What a full disk leaves of an archive."""

MAIL_AGAIN = "Call mail again with the same arguments: it sends what is missing, and no mail twice"
"""What Ctrl-C or a mail server's outage leaves."""

MAIL_AGAIN_WHEN_IT_CAN_BE_WRITTEN = (
    "Free the disk (or make it writable) and call mail again with the same arguments: it sends what is missing"
)
"""Where no mail's intent can be written down."""

PAID_AND_LEFT = "they are paid for, and nothing sends them again by itself"
"""About accepted documents whose PDFs can never be made."""

PAID_AND_THERE = "they are paid for: do not send them again"
"""About accepted documents whose PDFs were not saved."""

STATUS_IN_WORDS = {
    "failed": "not generated, not billed",
    "unknown": "sent without an answer: they may exist. Look in the web app before you send them again",
    "not_sent": "nothing was sent for them",
}
"""What a status means for what a person does about its rows."""


def resumable(run: Mapping[str, str]) -> bool:
    """Tell whether a run goes on by its name alone: all its rows are written down."""
    return bool(run.get("planned", "yes"))


def line_that_goes_on(run: Mapping[str, str]) -> str:
    """Return the line that sends the rest of a run, as far as it has come."""
    name = repr(run["run"]) if run.get("run") else "run"
    if resumable(run):
        return f"rf.resume({name})"
    return f"df.reportflow.generate({run['design_id']!r}, run={name}, …)"


def goes_on(run: Mapping[str, str]) -> str:
    """Return how to go on with what was not sent, as far as the run has come."""
    if not run["frame"]:
        return "nothing was sent or written down: generate again"
    return f"{line_that_goes_on(run)} goes on"


def with_its_rows(run: str, design_id: str) -> str:
    """Return the line that goes on with a run where its rows have to be given."""
    return f"df.reportflow.generate(design_id={design_id!r}, run={run!r}, …)"


def by_the_newest(run: str, verb: str) -> str:
    """Return what to do with results of rows that were given again since: the verb is for the newest ones."""
    return f"{verb} the newest results: rf.load({run!r})"


def when_it_can_be_written(run: str, elsewhere: str) -> str:
    """Return how a run goes on whose journal took no record; ``elsewhere`` is how another folder is chosen."""
    return (
        f"Free the disk (or make it writable), then rf.resume({run!r}) goes on; if the run ended before all its "
        f"rows were written down, df.reportflow.generate(…, run={run!r}) does. Or {elsewhere}"
    )


def while_another_sends(run: str) -> str:
    """Return what to do while another process carries a run out."""
    return f"Wait for it to end, or stop it; rf.load({run!r}) shows meanwhile how far it is"


def if_the_same_workspace(run: str) -> str:
    """Return the line for a run that was begun with another key, or under another name, of one workspace."""
    return f"rf.resume({run!r}, same_workspace=True)"


def with_a_renewed_key(way_on: str) -> str:
    """Return how to go on after a refused key; ``way_on`` is the run's own line."""
    return f"If the key was renewed: rf.configure(app_key='ak_…'), then {way_on}"


def read_with_its_own_run(run: str) -> str:
    """Return what to do with a workbook that is about a run other than the results'."""
    return f"Read it with results of its own run (rf.load({run!r})), or alone: rf.read_review(path)"


def hand_over_when_it_has_ended(lock: str) -> str:
    """Return what to do while another process hands documents over to the same folder."""
    return f"Call hand_over again when it has ended (its lock is {lock})"


def cut_short(run: str) -> str:
    """Return what is known of a run that the end of the program did not wait for."""
    return f"it did not end in time; rf.load({run!r}) shows what was sent"


def at_a_prompt(run: Mapping[str, str]) -> str:
    """Return the command that sends the rest of a run."""
    name = shlex.quote(run["run"])
    if resumable(run):
        return f"reportflow-pandas resume {name} goes on"
    return f"The same command with --run {name} goes on: not all rows were written down yet"


def in_brief(run: str, counts: Mapping[str, int], way_on: str = "") -> str:
    """Return the line for a message about a run that has ended; nothing where all is well.

    ``way_on`` is how to send what was not sent, by default that the run can be resumed.
    """
    if counts.get("not_sent"):
        return way_on or f"rf.resume({run!r}) goes on"
    return f"rf.load({run!r}) shows which" if counts.get("failed") or counts.get("unknown") else ""


def interrupted(run: Mapping[str, str], summary: str, unknown: int, *, raised: bool = True) -> str:
    """Return what a person should know who interrupted a run; ``raised``: in an exception that has the results."""
    left = f"; {unknown:,} were in flight and are unknown, they may have been accepted" if unknown else ""
    results = "The frame so far is in this exception's .results; " if raised else ""
    return f"interrupted: {summary}{left}. Nothing more is being sent. {results}{goes_on(run)}"


def elsewhere(
    run: Mapping[str, str], counts: Mapping[str, int], *, awaited: int, fed: bool, password: bool
) -> str:
    """Return what goes on at other machines without this process, and how to come back to it.

    Parameters
    ----------
    run : mapping
        What is known of it.
    counts : mapping
        Its rows: ``total``, ``done``.
    awaited : int
        Rows in the queue.
    fed : bool
        Whether all calls are there.
    password : bool
        Whether the queue's address has one, which no journal holds.
    """
    name = run["run"]
    said = f"{counts['done']:,} of {counts['total']:,} rows have their outcome"
    if awaited:
        said += f", and workers go on with {awaited:,} that are in the queue"
    if fed:
        queue = ", queue='redis://…'" if password else ""
        return f"{said}. rf.job({name!r}{queue}) collects what they do"
    if run["planned"]:
        return f"{said}. rf.resume({name!r}) puts the rest into the queue"
    return f"{said}. Submit the rows again with run={name!r}: what is in the queue is not sent twice"


def after_equal_refusals(refusals: int, not_sent: int, *, by_the_rows: bool, left_here: bool = True) -> str:
    """Return why equal refusals ended a run, and what to do with the rows that were not sent.

    ``by_the_rows``: what was refused may be the rows' own fault. ``left_here``: calls left this machine at all.
    """
    left = "all were sent" if left_here else "nothing reached the service"
    if not_sent:
        left = f"{not_sent:,} {'row was' if not_sent == 1 else 'rows were'} not sent"
    said = (
        f"{refusals} documents in a row were refused in these words and none was accepted, so the run was ended: "
        f"{left}. "
    )
    if by_the_rows:
        return (
            f"{said}If it is the rows, correct them and send them with .results.reportflow.retry(source=df); if "
            "it is only the first ones, endpoint='async/multiple' sends the others and leaves these out"
        )
    return f"{said}When the cause is gone, .results.reportflow.retry() sends them"
