"""Every error this package raises.

::

    ReportFlowError
    ├── ConfigurationError      the call or the settings cannot work; nothing was sent          (ValueError)
    ├── InvalidRows             rows or columns of the frame cannot become documents            (ValueError)
    ├── ApiError                the service refused: .status, .messages, .request_id
    │   ├── AuthError           401, 403, 412
    │   ├── NotFoundError       404 for a design, a version, a request or a file
    │   └── RateLimited         429 that did not go away: probably the plan is used up
    ├── ConnectionFailed        nothing reached the service
    ├── OutcomeUnknown          the request went out, no readable answer came back
    ├── JournalError            the run's journal can no longer be written; the run stops
    └── NotReady                a document was not ready within ``wait=``

    KeyboardInterrupt
    └── RunInterrupted          Ctrl-C or "Interrupt kernel": .results is the frame so far

    UserWarning
    └── CheckWarning            what looks odd in the rows, told before the first document is sent

    asyncio.CancelledError
    └── RunCancelled            raised no more: a cancelled ``await`` raises what was thrown in, with .results

An error that ends a run after documents were sent carries ``.results``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ApiError",
    "AuthError",
    "CheckWarning",
    "ConfigurationError",
    "ConnectionFailed",
    "InvalidRows",
    "JournalError",
    "NotFoundError",
    "NotReady",
    "OutcomeUnknown",
    "RateLimited",
    "ReportFlowError",
    "RunCancelled",
    "RunInterrupted",
    "api_error",
]


_TRACEBACK_MODES = ("Plain", "Verbose", "Docs")
"""IPython's modes in which an error is shown with its traceback; in the default one its message stands alone."""


def _rebuilt(kind: type[BaseException], arguments: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Return an error as it was, without calling its constructor, whose arguments are other ones."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class _Whole(BaseException):
    """Is copied and pickled with its text and all its attributes: an error may come out of another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


class ReportFlowError(_Whole, Exception):
    """The root of all errors of this package.

    Attributes
    ----------
    results : pandas.DataFrame or None
        The results frame so far, where a run had begun; else None.

    Notes
    -----
    In a notebook or IPython the message stands alone. ``%tb Plain`` then shows the whole traceback, and
    ``%xmode Plain`` (or ``Verbose``) that of every error to come.
    """

    results: pd.DataFrame | None = None

    def _render_traceback_(self) -> list[str]:
        """Show the message in IPython without a traceback, unless a mode is chosen that asks for one."""
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        painter: Any = getattr(shell, "InteractiveTB", None)
        if getattr(painter, "mode", "") in _TRACEBACK_MODES:
            whole: list[str] = painter.structured_traceback(type(self), self, self.__traceback__)
            return whole
        message = f"{type(self).__name__}: {self}"
        apart = "\n" if "\n" in message else "  "
        return [f"{message}{apart}(%tb Plain shows the traceback)"]


class ConfigurationError(ReportFlowError, ValueError):
    """The call or the settings cannot work as they are. Nothing was sent."""


class InvalidRows(ReportFlowError, ValueError):  # noqa: N818 - the public name says what is invalid
    """Rows or columns of the frame cannot become documents. Nothing was sent.

    Attributes
    ----------
    rows : list
        Index labels of the rows concerned, in the frame's order; empty when a whole column is meant.
    problems : pandas.DataFrame or None
        What ``df.reportflow.check()`` returns, where the check refused.
    """

    def __init__(self, message: str, rows: Sequence[Hashable] = (), problems: pd.DataFrame | None = None) -> None:
        super().__init__(message)
        self.rows = list(rows)
        self.problems = problems


class ApiError(ReportFlowError):
    """The service answered with an error.

    Attributes
    ----------
    status : int
        HTTP status.
    messages : list of str
        The service's own words, one or several, often Japanese, never translated.
    request_id : str or None
        The request it is about, if one is known.
    retry_after : float or None
        Seconds the service asked to wait.
    """

    def __init__(
        self,
        status: int,
        messages: Sequence[str] = (),
        *,
        request_id: str | None = None,
        retry_after: float | None = None,
        hint: str = "",
    ) -> None:
        self.status = status
        self.messages = list(messages)
        self.request_id = request_id
        self.retry_after = retry_after
        said = "; ".join(self.messages) or "no message"
        stop = " " if said.endswith((".", "。", "!", "?")) else ". "
        super().__init__(f"the service answered {status}: {said}" + (f"{stop}{hint}" if hint else ""))

    @property
    def text(self) -> str:
        """The service's own words on one line."""
        return "; ".join(" ".join(message.split()) for message in self.messages) or f"HTTP {self.status}"


class AuthError(ApiError):
    """The key or token was refused (401, 403) or missing (412)."""


class NotFoundError(ApiError):
    """The design, version, request or file does not exist in this workspace (404)."""


class RateLimited(ApiError):  # noqa: N818 - the public name
    """The service kept refusing for too many requests (429), also after a full window."""


class ConnectionFailed(ReportFlowError):  # noqa: N818 - says what happened
    """Nothing reached the service: no address, no connection, no TLS. Sending again is safe."""


class OutcomeUnknown(ReportFlowError):  # noqa: N818 - the public name
    """The request went out and no readable answer came back: it may or may not have been accepted.

    Attributes
    ----------
    status : int or None
        HTTP status, when a gateway answered in the service's place.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class JournalError(ReportFlowError):
    """The journal of a run can no longer be written or read: the disk is full, read-only or gone.

    The run stops: nothing is sent without a recorded intent. What is recorded stays, and the run can be resumed.
    """


class NotReady(ReportFlowError):  # noqa: N818 - the public name
    """A document is not ready yet.

    Attributes
    ----------
    status : int or None
        The last status that the service gave for it.
    gone : {"", "file", "request"}
        What the service said that it has no more, so that asking again helps nothing. Only the embedded service
        says so.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        retry_after: float | None = None,
        *,
        gone: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.gone = gone


class CheckWarning(UserWarning):
    """What ``check`` finds and the service would take all the same, told before the first document is sent.

    ``warnings.simplefilter("error", rf.CheckWarning)`` makes an error of it: then nothing is sent.
    """


class RunInterrupted(_Whole, KeyboardInterrupt):
    """A run was interrupted from the keyboard.

    Attributes
    ----------
    results : pandas.DataFrame
        The results frame so far.
    """

    def __init__(self, message: str, results: pd.DataFrame) -> None:
        super().__init__(message)
        self.results = results

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: who interrupts has made no mistake to be traced."""
        return [f"{type(self).__name__}: {self}"]


class RunCancelled(_Whole, asyncio.CancelledError):
    """An awaited run was cancelled: kept for programs that name it, and raised no more.

    A cancelled `agenerate` raises the `asyncio.CancelledError` that was thrown in, with ``.results``.

    Attributes
    ----------
    results : pandas.DataFrame
        The results frame so far.
    """

    def __init__(self, message: str, results: pd.DataFrame) -> None:
        super().__init__(message)
        self.results = results

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: who interrupts has made no mistake to be traced."""
        return [f"{type(self).__name__}: {self}"]


def api_error(
    status: int,
    messages: Sequence[str],
    *,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> ApiError:
    """Return the error for a status: the one place where statuses become classes."""
    hints = {
        401: "Check the key: rf.configure(app_key=...) or REPORT_FLOW_APP_KEY",
        403: "This key or token may not do that; an OAuth client needs the scope pdf:generate",
        412: "No key was sent: rf.configure(app_key=...) or REPORT_FLOW_APP_KEY",
    }
    kinds: dict[int, type[ApiError]] = {
        401: AuthError,
        403: AuthError,
        412: AuthError,
        404: NotFoundError,
        429: RateLimited,
    }
    return kinds.get(status, ApiError)(
        status, messages, request_id=request_id, retry_after=retry_after, hint=hints.get(status, "")
    )
