"""The workbook in English."""

from __future__ import annotations

from reportflow_pandas.export.cells import Trap
from reportflow_pandas.export.words import Words

__all__ = ["ENGLISH"]

ENGLISH = Words(
    headings={
        "index": "index",
        "file_name": "document",
        "pdf": "PDF on disk",
        "web": "web page",
        "status": "status",
        "decision": "decision",
        "comment": "comment",
        "advice": "what to do",
        "error": "what happened",
        "error_kind": "kind",
        "http_status": "HTTP status",
        "attempts": "tries",
        "elapsed": "seconds",
        "accepted_at": "accepted (UTC)",
        "file_id": "file id",
        "request_id": "request id",
    },
    statuses={
        "ready": "ready",
        "accepted": "accepted",
        "failed": "failed",
        "unknown": "unknown",
        "not_sent": "not sent",
    },
    decisions={"approve": "approve", "redo": "redo", "reject": "reject"},
    decision_meanings={
        "approve": "The document is good. Nothing more happens to it.",
        "redo": "Make the document once more. The next run generates it anew, and it is billed again.",
        "reject": "Do not use the document. Reject deletes nothing: the PDF and its web page stay where they are.",
    },
    status_meanings={
        "ready": "The PDF exists.",
        "accepted": "The service has taken the order. That does not mean yet that the PDF exists.",
        "failed": "The service or the connection refused. No document was made. See the sheet Failed.",
        "unknown": "Sent, but the answer was lost: the document may exist or not. See the sheet Failed.",
        "not_sent": "Never sent, so not billed. See the sheet Failed.",
    },
    kinds={
        "invalid": "values refused",
        "auth": "key refused",
        "not_found": "not found",
        "rate_limited": "too many calls",
        "too_large": "too large",
        "server": "problem at the service",
        "network": "no connection",
        "unknown_outcome": "answer lost",
        "not_ready": "PDF not ready in time",
        "expired": "PDF no longer kept",
        "changed": "content changed",
        "cancelled": "run stopped",
    },
    advice={
        "invalid": "Correct the values of this row in the source, then results.reportflow.retry(source).",
        "auth": "Have the key checked (it is missing, wrong or may not do this), then {retry}.",
        "not_found": "Check the design id and the version, or whether the file has expired. Then retry.",
        "rate_limited": (
            "The service had too many calls, or the plan's pages are used up. Check the plan; retry later."
        ),
        "too_large": (
            "Make this row's pictures or texts smaller (50 MB in all), then results.reportflow.retry(source)."
        ),
        "server": "The service had a problem. Try once more: {retry}.",
        "network": "There was no connection to the service. Check it, then {retry}.",
        "unknown_outcome": (
            "Look in the Report Flow web app whether the document is there. If so: "
            "results.reportflow.settle(rows). "
            "If not: results.reportflow.retry(unknown=True). Sending blindly may bill it twice."
        ),
        "not_ready": "Accepted, but the PDF was not ready in time. Later: results.reportflow.download(folder).",
        "expired": "The service no longer keeps this PDF. If it is needed, decide redo: it is billed again.",
        "changed": (
            "Its content changed after it was accepted, so it was not sent by itself. "
            "If the new content is right, generate it again with again=."
        ),
        "cancelled": "The run was stopped before this document's turn. {resume} goes on with it.",
        "not_sent": "Never sent, nothing billed.",
        "retry": "{retry} sends it.",
        "other": "Read what happened, correct it, then {retry}.",
    },
    traps={
        Trap.SHORTENED: "{n} texts were shortened to the 32,767 characters of an Excel cell; each ends in […].",
        Trap.CONTROL: "{n} texts held control characters; they are shown as \ufffd.",
        Trap.SURROGATE: "{n} texts held broken characters; they are shown as \ufffd.",
        Trap.FORMULA: "{n} texts look like a formula or an Excel error; they are kept as plain text.",
        Trap.ZONE: "{n} times had a time zone; they are shown in UTC.",
        Trap.MISSING: "{n} values are missing in the source; their cells are empty.",
        Trap.INFINITE: "{n} numbers are infinite; they are written as text.",
        Trap.LONG_NUMBER: (
            "{n} numbers have more than 15 digits; they are written as text so that no digit is lost."
        ),
        Trap.NESTED: "{n} lists or records are written as JSON text.",
        Trap.OTHER: "{n} values of other kinds are written as text.",
        Trap.OLD_DATE: "{n} dates lie outside Excel's calendar (1900-03-01 to 9999); they are written as text.",
        Trap.LINKS_TOO_MANY: "{n} links are plain text, since a sheet can hold 65,530 links.",
        Trap.LINK_TOO_LONG: "{n} links are plain text, since they are longer than Excel's 2,079 characters.",
        Trap.LINK_ODD: "{n} addresses are not web addresses; they are plain text.",
        Trap.COLUMNS: "{n} columns of the source did not fit; a sheet has 16,384 columns.",
        Trap.ROWS: "The rows did not fit on one sheet; they go on in {n} more.",
    },
    says={
        "title": "PDF documents",
        "overview": "Result",
        "documents": "documents",
        "share": "share",
        "meaning": "meaning",
        "total": "all documents",
        "success": "success (ready + accepted)",
        "headline_good": "All {total} documents were accepted by the service.",
        "headline_mixed": "{success} of {total} documents were accepted by the service; {rest} need a look.",
        "headline_none": "This workbook holds no documents.",
        "part": "This workbook shows {rows} of the run's {all} documents.",
        "pdfs": "Where the PDFs are",
        "on_disk": "saved on disk",
        "folder": "folder",
        "on_web": "with a web page only",
        "nowhere": ("Not downloaded. The column “{web}” leads to each document's page; signing in may be needed."),
        "none": "There are no PDFs yet.",
        "relative": "The links in “{pdf}” work as long as the workbook and the folder are moved together.",
        "time": "Time",
        "started": "started (UTC)",
        "finished": "finished (UTC)",
        "duration": "duration",
        "calls": "calls to the service",
        "typical": "seconds a call took, typically",
        "slowest": "slowest call, seconds",
        "reasons": "What went wrong",
        "decisions": "What the decisions mean",
        "decide": (
            "On the sheet Results, choose a word in the column “{decision}”, and write what you like under "
            "“{comment}”."
        ),
        "so_far": "typed so far",
        "back": "Sorting, filtering and extra columns do no harm. Then, in Python:",
        "about": "About this workbook",
        "untouched": "Every value is shown as it is.",
        "kept": "{n} rows keep the decision or comment that was already typed here.",
        "outdated": (
            "{n} decisions were about an earlier version of the document and were taken out; the comments "
            "are kept."
        ),
        "written": "Written {at} UTC by reportflow-pandas.",
        "open_pdf": "open PDF",
        "open_web": "open page",
        "prompt_title": "Decision",
        "prompt": "approve, redo or reject. Empty: not decided yet.",
        "refusal_title": "Unknown word",
        "refusal": "Please choose one of: {words}. Or leave the cell empty.",
        "field": "about the run",
        "value": "value",
    },
    run={
        "run": "run",
        "design": "design",
        "design_id": "design id",
        "version": "version",
        "base_url": "service",
        "endpoint": "endpoint",
        "started_at": "started (UTC)",
        "finished_at": "finished (UTC)",
        "download": "PDFs saved in",
        "rows": "documents in the run",
        "shown": "documents in this workbook",
        "calls": "calls to the service",
        "written": "workbook written (UTC)",
        "by": "written by",
    },
)
