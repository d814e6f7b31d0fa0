"""What to do next: the sentences with which results, errors and messages tell a person how to go on.

A run is told of by what its results know of it (``results.attrs["reportflow"]``, plain strings).

Sentences are Python's: so they stand in ledgers, frames and errors. What a shell says otherwise is a `Step`, which
has both; the command line finds the steps of a message by their Python when it prints it (`cli.shell_words`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

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
    "ONLY_IN_PYTHON",
    "PAID_AND_LEFT",
    "PAID_AND_THERE",
    "READ_THIS_RUNS_WORKBOOK",
    "READ_WORKBOOK_WITH_THESE",
    "REST_NOT_FETCHED",
    "REST_NOT_SENT",
    "SAVED_SO_FAR",
    "STATUS_IN_WORDS",
    "STEPS",
    "VERIFY_FIRST",
    "VERIFY_GOES_ON",
    "VERIFY_TRIES_AGAIN",
    "Step",
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
    "with_any_rows",
    "with_its_rows",
]

_IN_A_JOB_FILE = "in a job file (--options job.toml)"


class Step(NamedTuple):
    """What to do, as Python says it and as it is typed in a shell.

    Both are templates. In Python's, ``{run!r}`` is a value as Python writes it, ``{path}`` any code. In the
    shell's, ``{run}`` is the same value as a shell quotes it, ``{run:toml}`` as a job file does.
    """

    python: str
    shell: str

    def __call__(self, **values: str) -> str:
        """Return it in Python."""
        return self.python.format(**values)


STEPS: list[Step] = []
"""All steps."""


def _step(python: str, shell: str) -> Step:
    STEPS.append(Step(python, shell))
    return STEPS[-1]


_RESUME = _step("rf.resume({run!r})", "`reportflow-pandas resume {run}`")
_RESUME_ANY = _step("rf.resume(run)", "`reportflow-pandas resume RUN`")
_RESUME_SAME = _step(
    "rf.resume({run!r}, same_workspace=True)", "`reportflow-pandas resume {run} --same-workspace`"
)
_COLLECT = _step("rf.job({run!r})", "`reportflow-pandas resume {run}`")
_COLLECT_FROM = _step("rf.job({run!r}, queue='redis://…')", "`reportflow-pandas resume {run}`")
_LOAD = _step("rf.load({run!r})", "`reportflow-pandas runs`")
_GIVE_ROWS = _step("df.reportflow.generate({design!r}, run={run!r}, …)", "the same command with --run {run}")
_GIVE_ROWS_OF = _step(
    "df.reportflow.generate(design_id={design!r}, run={run!r}, …)", "the same command with --run {run}"
)
_GIVE_ROWS_TO = _step("df.reportflow.generate(…, run={run!r})", "the same command with --run {run}")
_BEGIN = _step("generate(run={run!r}, …)", "the same command with --run {run}")
_RUN_IS = _step("run={run!r}", "--run {run}")
_RETRY = _step("results.reportflow.retry()", "the same command with --run RUN")
_RETRY_OR_RESUME = _step("results.reportflow.retry() or rf.resume(run)", _RESUME_ANY.shell)
_RETRY_ROWS = _step("results.reportflow.retry(source=df)", "the same command, with --run RUN")
_AGAIN = _step("again=[label]", f"again = [label] {_IN_A_JOB_FILE}")
_GENERATE_AGAIN = _step("generate(…, again=…)", _AGAIN.shell)
_GENERATE_NO_PDF = _step('generate(…, again=results["error_kind"] == "no_pdf")', _AGAIN.shell)
_IN_BATCHES = _step("endpoint='async/multiple'", f'endpoint = "async/multiple" {_IN_A_JOB_FILE}')
_DOWNLOAD = _step("results.reportflow.download(folder)", "`reportflow-pandas resume RUN --download FOLDER`")
_READ_REVIEW = _step("results.reportflow.read_review({path})", "--review FILE")
_FOUND_SO_FAR = _step("The frame so far is in this exception's .results; ", "")
_SET_KEY = _step("rf.configure(app_key={key})", "export REPORT_FLOW_APP_KEY=ak_…")

ONLY_IN_PYTHON = {
    "HAND_OVER_AGAIN": "no command hands documents over",
    "hand_over_when_it_has_ended": "no command hands documents over",
}
"""Sentences that no shell says, and why."""

_SETTLE_OR_RETRY = _step(
    "then results.reportflow.settle(rows) if it is there, or .retry(unknown=True) if it is not",
    f"and if it is not there, {_AGAIN.shell} sends it once more",
)
LOOK_IT_UP = f"the service may or may not have accepted it. Look in the web app, {_SETTLE_OR_RETRY()}"
"""About a document whose answer got lost."""

NOT_SENT_AGAIN = (
    f"this document was accepted before; it was to be sent again and was not: {_AGAIN()} sends it, and "
    f"{_RESUME_ANY()} all that are left"
)
"""About a document of which an earlier one is shown."""

CHANGED = (
    "this document was accepted with other content than the row has now, and is not sent again by itself; "
    f"{_AGAIN()} sends it"
)
"""About a document whose row was edited after it was accepted, in a run with a key."""

REST_NOT_SENT = f"the rest was not sent. When it is back, .{_RETRY_OR_RESUME()} sends it"
"""What an outage leaves of a run that generates."""

REST_NOT_FETCHED = (
    f"the PDFs that are left were not asked for. When it is back, {_DOWNLOAD()} fetches them, at no cost"
)
"""What an outage leaves of a download."""

SAVED_SO_FAR = f"What was saved so far is whole; {_DOWNLOAD()} goes on with the rest, at no cost"
"""What a full disk leaves of a download."""

FETCH_WHAT_IS_THERE = f"{_DOWNLOAD()} fetches what is there, at no cost"
"""Where no row has a PDF on disk that a verb could use."""

ASK_AGAIN = f"It stays accepted: {_DOWNLOAD()} asks again and costs nothing"
"""About a document whose PDF was not ready in time."""

MAKE_IT_AGAIN = f"If the PDF is needed, make it again: {_GENERATE_AGAIN()}"
"""About a document that the embedded service no longer keeps."""

_NO_RETRY = _step("and retry() does not send it", "and the same command does not send it")
NO_PDF_FOR_GOOD = (
    f"It is not asked for again, {_NO_RETRY()}. Correct what the service names (a character, a picture, the "
    f"design), then make the document again with {_GENERATE_AGAIN()}; it is billed again"
)
"""About an accepted document whose PDF can never be made."""

MAKE_THEM_AGAIN = (
    "What their column error names has to be corrected first (a character, a picture, the design); then "
    f"{_GENERATE_NO_PDF()} makes them once more, and they are billed again"
)
"""About all such documents of a run, whose rows `retry` passes over."""

GENERATE_OR_GIVE_THE_ROWS = f"Generate again when the cause is gone, or give the rows: {_RETRY_ROWS()}"
"""About a run that ended before anything of it was written down."""

GENERATE_AGAIN_OR_NAME_IT = f"Generate again, or name the run: {_RUN_IS(run='november')}"
"""Where two processes began a run of one name in the same moment."""

_DOWNLOAD_HERE = _step("First results = results.reportflow.download('pdfs')", "Give --download pdfs too")
DOWNLOAD_FIRST = _DOWNLOAD_HERE()
"""Where `verify` finds no PDF on disk."""

_VERIFY_RESULTS = _step(
    "First results = df.reportflow.verify(results), with the params= and tables= of the generation; or "
    "df.reportflow.generate(…, download='pdfs', verify=True)",
    "Generate with --download pdfs --verify",
)
VERIFY_FIRST = _VERIFY_RESULTS()
"""Where a verb tells what `verify` found, and it has not looked yet."""

_SAME_LINE = _step(
    "The same line goes on; the results are in this exception's .results, as they were",
    "The same command, with --run RUN, goes on",
)
VERIFY_GOES_ON = _SAME_LINE()
"""What Ctrl-C leaves of `verify`."""

_VERIFY = _step("df.reportflow.verify(results)", "`reportflow-pandas generate` with --verify")
VERIFY_TRIES_AGAIN = f"{_VERIFY()} tries it again"
"""Where the PDFs of a run that generated could not be read back."""

_REVIEW_OR_VERIFY = _step(
    "decisions=results.reportflow.read_review('review.xlsx'), or verify the PDFs first: "
    "results = df.reportflow.verify(results)",
    "--review review.xlsx, or generate with --verify",
)
APPROVE_OR_VERIFY = f"Give the reviewed workbook, {_REVIEW_OR_VERIFY()}"
"""Where nothing tells which documents may leave."""

READ_THIS_RUNS_WORKBOOK = f"Read the workbook of this run: {_READ_REVIEW(path='path')}"
"""Where the decisions are about another run."""

READ_WORKBOOK_WITH_THESE = f"Read the workbook with these results: {_READ_REVIEW(path='path')}"
"""Where index labels that occur twice don't tell whose a decision is."""

HAND_OVER_AGAIN = (
    "What is in the folder is whole; call hand_over again when the cause is gone, it goes on with the rest"
)
"""What a full disk leaves of an archive."""

_MAIL_AGAIN = _step("Call mail again with the same arguments", "Give the same command again")
MAIL_AGAIN = f"{_MAIL_AGAIN()}: it sends what is missing, and no mail twice"
"""What Ctrl-C or a mail server's outage leaves."""

_AND_MAIL_AGAIN = _step("and call mail again with the same arguments", "and give the same command again")
MAIL_AGAIN_WHEN_IT_CAN_BE_WRITTEN = (
    f"Free the disk (or make it writable) {_AND_MAIL_AGAIN()}: it sends what is missing"
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
    if not resumable(run):
        return _GIVE_ROWS(design=run["design_id"], run=run["run"])
    return _RESUME(run=run["run"]) if run.get("run") else _RESUME_ANY()


def goes_on(run: Mapping[str, str]) -> str:
    """Return how to go on with what was not sent, as far as the run has come."""
    if not run["frame"]:
        return "nothing was sent or written down: generate again"
    return f"{line_that_goes_on(run)} goes on"


def with_its_rows(run: str, design_id: str) -> str:
    """Return the line that goes on with a run where its rows have to be given."""
    return _GIVE_ROWS_OF(design=design_id, run=run)


def with_any_rows(run: str) -> str:
    """Return the line that begins a run."""
    return _BEGIN(run=run)


def by_the_newest(run: str, verb: str) -> str:
    """Return what to do with results of rows that were given again since: the verb is for the newest ones."""
    return f"{verb} the newest results: {_LOAD(run=run)}"


def when_it_can_be_written(run: str, elsewhere: str) -> str:
    """Return how a run goes on whose journal took no record; ``elsewhere`` is how another folder is chosen."""
    return (
        f"Free the disk (or make it writable), then {_RESUME(run=run)} goes on; if the run ended before all its "
        f"rows were written down, {_GIVE_ROWS_TO(run=run)} does. Or {elsewhere}"
    )


def while_another_sends(run: str) -> str:
    """Return what to do while another process carries a run out."""
    return f"Wait for it to end, or stop it; {_LOAD(run=run)} shows meanwhile how far it is"


def if_the_same_workspace(run: str) -> str:
    """Return the line for a run that was begun with another key, or under another name, of one workspace."""
    return _RESUME_SAME(run=run)


def with_a_renewed_key(way_on: str) -> str:
    """Return how to go on after a refused key; ``way_on`` is the run's own line."""
    key = _SET_KEY(key="'ak_…'")
    return f"If the key was renewed: {key}, then {way_on}"


_READ_ALONE = _step(
    "Read it with results of its own run (rf.load({run!r})), or alone: rf.read_review(path)",
    "Give the command the run that it is of: {run}",
)


def read_with_its_own_run(run: str) -> str:
    """Return what to do with a workbook that is about a run other than the results'."""
    return _READ_ALONE(run=run)


def hand_over_when_it_has_ended(lock: str) -> str:
    """Return what to do while another process hands documents over to the same folder."""
    return f"Call hand_over again when it has ended (its lock is {lock})"


def cut_short(run: str) -> str:
    """Return what is known of a run that the end of the program did not wait for."""
    return f"it did not end in time; {_LOAD(run=run)} shows what was sent"


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
        return way_on or f"{_RESUME(run=run)} goes on"
    return f"{_LOAD(run=run)} shows which" if counts.get("failed") or counts.get("unknown") else ""


def interrupted(run: Mapping[str, str], summary: str, unknown: int, *, raised: bool = True) -> str:
    """Return what a person should know who interrupted a run; ``raised``: in an exception that has the results."""
    left = f"; {unknown:,} were in flight and are unknown, they may have been accepted" if unknown else ""
    results = _FOUND_SO_FAR() if raised else ""
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
        return f"{said}. {(_COLLECT_FROM if password else _COLLECT)(run=name)} collects what they do"
    if run["planned"]:
        return f"{said}. {_RESUME(run=name)} puts the rest into the queue"
    return f"{said}. Submit the rows again with {_RUN_IS(run=name)}: what is in the queue is not sent twice"


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
            f"{said}If it is the rows, correct them and send them with .{_RETRY_ROWS()}; if it is only the first "
            f"ones, {_IN_BATCHES()} sends the others and leaves these out"
        )
    return f"{said}When the cause is gone, .{_RETRY()} sends them"
