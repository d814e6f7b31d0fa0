"""A results frame in a few counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.printable import counted

__all__ = ["accepted", "checked_results", "in_one_line", "summary", "without_mail", "without_pdf_for_good"]

_NEEDED = ("row", "status")

MOST_REASONS = 10
"""Reasons for which there was no mail that are told one by one: servers word their refusals for each person."""


def checked_results(results: pd.DataFrame) -> pd.DataFrame:
    """Return the frame if it is a results frame.

    Raises
    ------
    ConfigurationError
        The columns ``row`` and ``status`` are not there.
    """
    missing = [name for name in _NEEDED if name not in getattr(results, "columns", ())]
    if missing:
        raise ConfigurationError(
            f"this is not a results frame: the column {' and '.join(map(repr, missing))} is missing. "
            "Results come from df.reportflow.generate(...), rf.load(run) or job.result()"
        )
    return results


def accepted(results: pd.DataFrame) -> pd.Series[bool]:
    """Return which documents the service took, with their PDFs or without."""
    return results["status"].isin(ACCEPTED)


def without_pdf_for_good(results: pd.DataFrame) -> pd.Series[bool]:
    """Return which documents were accepted although their PDFs can never be made."""
    if "error_kind" not in results.columns:
        return pd.Series(False, index=results.index)
    return results["status"].eq("accepted") & (results["error_kind"] == "no_pdf").fillna(value=False)


def summary(results: pd.DataFrame) -> pd.Series[int]:
    """Count the documents of a results frame.

    Parameters
    ----------
    results : pandas.DataFrame
        A results frame or a part of one: columns ``status`` and ``error_kind``.

    Returns
    -------
    pandas.Series
        int64, named ``documents``, with the index ``total``, ``success`` (accepted + ready, without those whose
        PDF can never be made), ``failed``, ``unknown``, ``not_sent``; ``no_pdf``, where there are any, for those;
        then, most frequent first, ``"kind: invalid"`` and so on for each ``error_kind`` there is. A kind counts
        accepted documents too whose download failed, so the kinds need not add up to the failures. After ``mail``
        also ``"mail: sent"`` and so on, and why the others got none: ``"no mail: the decision is reject"``.

    Raises
    ------
    ConfigurationError
        It is not a results frame.

    Examples
    --------
    >>> results = pd.DataFrame(
    ...     {"row": [0, 1, 2], "status": ["accepted", "failed", "ready"], "error_kind": [None, "invalid", None]}
    ... )
    >>> summary(results)
    total            3
    success          2
    failed           1
    unknown          0
    not_sent         0
    kind: invalid    1
    Name: documents, dtype: int64
    """
    status, never = checked_results(results)["status"], without_pdf_for_good(results)
    counts = {
        "total": len(results),
        "success": int((accepted(results) & ~never).sum()),
        **{word: int((status == word).sum()) for word in NOT_ACCEPTED},
    }
    if never.any():
        counts["no_pdf"] = int(never.sum())
    if "error_kind" in results.columns:
        kinds = results["error_kind"].dropna().astype(object).value_counts()
        counts |= {f"kind: {kind}": int(n) for kind, n in kinds.items()}
    if "mail_status" in results.columns:
        mails = results["mail_status"].dropna().astype(object).value_counts()
        counts |= {f"mail: {state}": int(n) for state, n in mails.items()}
        counts |= {f"no mail: {reason}": len(labels) for reason, labels in without_mail(results).items()}
    return pd.Series(counts, dtype="int64", name="documents")


def without_mail(results: pd.DataFrame) -> dict[str, list[Any]]:
    """Return why rows got no mail, the commonest reason first, and which rows: their index labels.

    Examples
    --------
    >>> mailed = {"mail_status": ["sent", "failed"], "mail_error": [None, "550 no such user"]}
    >>> without_mail(pd.DataFrame(mailed, index=["a", "b"]))
    {'550 no such user': ['b']}
    """
    if not {"mail_status", "mail_error"} <= set(results.columns):
        return {}
    found: dict[str, list[Any]] = {}
    for label, state, reason in zip(results.index, results["mail_status"], results["mail_error"], strict=True):
        if isinstance(state, str) and state != "sent":
            found.setdefault(reason if isinstance(reason, str) else "none was asked for", []).append(label)
    ordered = sorted(found.items(), key=lambda reason: -len(reason[1]))
    kept, rest = ordered[:MOST_REASONS], ordered[MOST_REASONS:]
    return dict(kept) | (
        {"another reason, see mail_error": [at for _, some in rest for at in some]} if rest else {}
    )


def in_one_line(counts: Mapping[str, int], *, saved: int = 0, folder: Path | None = None) -> str:
    """Return the counts of a run by status as one line, with the PDFs saved where a ``folder`` was given.

    Examples
    --------
    >>> in_one_line({"accepted": 2, "ready": 0, "failed": 1, "unknown": 0, "not_sent": 0})
    '2 of 3 accepted, 1 failed'
    """
    good = sum(counts[word] for word in ACCEPTED)
    parts = [f"{good:,} of {sum(counts.values()):,} accepted"]
    parts += [f"{counts[word]:,} {word.replace('_', ' ')}" for word in NOT_ACCEPTED if counts[word]]
    if folder is not None:
        here = Path.cwd()
        shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
        parts.append(f"{counted(saved, 'PDF')} in {shown}")
    return ", ".join(parts)
