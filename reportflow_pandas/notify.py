"""Telling people that a run has ended: by mail, Slack, Teams, or another of Apprise's addresses."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportflow_pandas.engine.outcomes import ACCEPTED, NOT_ACCEPTED
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.lru import LruDict
from reportflow_pandas.next_steps import in_brief

__all__ = ["Message", "Notifier", "ended", "workbook_of", "workbook_written"]

_EXAMPLE = "notify='mailto://user:password@example.com' or 'slack://…', see https://github.com/caronc/apprise"


@dataclass(frozen=True)
class Message:
    """What is told.

    Attributes
    ----------
    title, text : str
        Counts, names and places; never the content of a document, an answer of the service, or a secret.
    failed : bool
        Whether a person should look.
    """

    title: str
    text: str
    failed: bool


class Notifier:
    """One or several addresses of Apprise's.

    An address may hold a password: it is shown nowhere.

    Parameters
    ----------
    addresses : str or list of str or None
        ``"mailto://user:password@example.com"``, ``"slack://…"``, ``"json://localhost:8080"``, and a hundred more.

    Raises
    ------
    ConfigurationError
        Apprise is not installed, or does not understand an address.

    Examples
    --------
    >>> Notifier(["json://localhost:8080", "mailto://me:secret@example.com"])
    Notifier('json://…', 'mailto://…')
    >>> bool(Notifier(None))
    False
    """

    def __init__(self, addresses: Any) -> None:
        listed = [addresses] if isinstance(addresses, str) else list(addresses or ())
        self._targets = [_target(address) for address in listed]

    def __bool__(self) -> bool:
        return bool(self._targets)

    def __repr__(self) -> str:
        """Show the kinds of address and nothing more."""
        return f"Notifier({', '.join(repr(kind) for kind, _ in self._targets)})"

    def tell(self, message: Message) -> list[str]:
        """Tell them all, one after the other, and return for each that was not reached what to do."""
        problems = []
        for kind, target in self._targets:
            try:
                reached = target.notify(
                    title=message.title,
                    body=message.text,
                    notify_type="warning" if message.failed else "success",
                )
                reason = ""
            except Exception as error:  # noqa: BLE001 - a hundred services' clients: none of them may end a run
                reached, reason = False, f" ({type(error).__name__})"
            if not reached:
                problems.append(f"the notification to {kind} was not delivered{reason}: check address and network")
        return problems


def _target(address: Any) -> tuple[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about what Apprise itself imports
            import apprise  # noqa: PLC0415 - an extra

            apprise.Apprise.instantiate("json://localhost")
    except ImportError:
        raise ConfigurationError(
            'notify= needs Apprise: pip install "reportflow-pandas[notify]". Nothing was sent'
        ) from None
    shown = re.match(r"[\w+.-]{1,30}://", address) if isinstance(address, str) else None
    target = apprise.Apprise.instantiate(address, suppress_exceptions=True) if shown else None
    if shown is None or target is None:
        # the address may hold a password, so it is not repeated
        if shown:
            said = f"an address that begins with {shown[0]}"
        else:
            said = (
                "a text without a service and ://" if isinstance(address, str) else f"a {type(address).__name__}"
            )
        raise ConfigurationError(
            f"notify: {said} is no address that Apprise understands: {_EXAMPLE}. Nothing was sent"
        )
    return f"{shown[0]}…", target


def ended(
    run: str,
    counts: Mapping[str, int],
    *,
    design: str = "",
    saved: int = 0,
    folder: str = "",
    workbook: Path | None = None,
    stopped: str = "",
    way_on: str = "",
) -> Message:
    """Return what is told of a run that has ended.

    Parameters
    ----------
    run : str
        Its name.
    counts : mapping
        ``total`` and rows by status.
    design : str
        The design's label or id.
    saved : int
        PDFs in ``folder``.
    folder : str
        Where they are.
    workbook : Path, optional
        The review workbook, if there is one.
    stopped : str
        Why it ended early: a word, not a message of the service's.
    way_on : str
        How to send what was not sent; by default, that the run can be resumed.

    Examples
    --------
    >>> print(ended("november", {"total": 3, "accepted": 2, "failed": 1}).title)
    november: 2 of 3 accepted, 1 failed
    """
    total = counts.get("total", 0)
    good = sum(counts.get(word, 0) for word in ACCEPTED)
    parts = [f"{good:,} of {total:,} accepted"]
    parts += [f"{counts[word]:,} {word.replace('_', ' ')}" for word in NOT_ACCEPTED if counts.get(word)]
    lines = [f"Run: {run}"]
    if design:
        lines.append(f"Design: {design}")
    lines.append(f"Documents: {', '.join(parts)}")
    if folder:
        lines.append(f"PDFs: {saved:,} in {folder}")
    if workbook is not None:
        lines.append(f"Workbook: {workbook}")
    if stopped:
        lines.append(f"It ended early: {stopped}")
    if advice := in_brief(run, counts, way_on):
        lines.append(advice)
    return Message(f"{run}: {', '.join(parts)}", "\n".join(lines), good < total or bool(stopped))


_workbooks: LruDict[tuple[str, ...], Path] = LruDict(100)
_FACTS = ("workspace", "run", "frame", "started_at")


def workbook_written(attrs: Mapping[str, str], path: Path) -> None:
    """Note where the workbook of these results is; ``attrs`` are what the results know of their run."""
    _workbooks[_key(attrs)] = path


def workbook_of(attrs: Mapping[str, str]) -> Path | None:
    """Return where the workbook of these results is, if this process wrote one."""
    return _workbooks.get(_key(attrs))


def _key(attrs: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(attrs.get(name, "") for name in _FACTS)
