"""``df.reportflow``: a table of contents. Each verb is bound to the documented function of its topic.

``reportflow_pandas/__init__.py`` puts it on `pandas.DataFrame`, and imports this module when it is asked for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, Unpack, overload

import pandas as pd

from reportflow_pandas import generation, jobs, plan as planning, preview as previewing, result_verbs as verbs
from reportflow_pandas.delivery.combine import combine as combine_pdfs
from reportflow_pandas.delivery.hand_over import hand_over as hand_over_documents
from reportflow_pandas.delivery.mail_preview import MailPreview
from reportflow_pandas.jobs import Job
from reportflow_pandas.mail import MailArguments, mail as mail_documents
from reportflow_pandas.results import display
from reportflow_pandas.results.results_frame import is_results
from reportflow_pandas.run_verbs import retry as retry_rows, settle as settle_rows
from reportflow_pandas.verification import verify as verify_results
from reportflow_pandas.verify.spot_check import spot_check as spot_check_of
from reportflow_pandas.verify.verified_results import findings as findings_of

__all__ = ["DataFrame", "ReportFlowAccessor", "with_verbs"]

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:

    class DataFrame(pd.DataFrame):
        """``pandas.DataFrame``, of which editors and type checkers know ``reportflow``."""

        @property
        def reportflow(self) -> ReportFlowAccessor:
            """The verbs of this package."""
else:
    DataFrame = pd.DataFrame


@overload
def _bound(
    function: Callable[Concatenate[pd.DataFrame, P], pd.DataFrame],
) -> Callable[Concatenate[ReportFlowAccessor, P], DataFrame]: ...
@overload
def _bound(
    function: Callable[Concatenate[pd.DataFrame, P], Coroutine[Any, Any, pd.DataFrame]],
) -> Callable[Concatenate[ReportFlowAccessor, P], Coroutine[Any, Any, DataFrame]]: ...
@overload
def _bound(
    function: Callable[Concatenate[pd.DataFrame, P], T],
) -> Callable[Concatenate[ReportFlowAccessor, P], T]: ...


def _bound(
    function: Callable[Concatenate[pd.DataFrame, P], Any],
) -> Callable[Concatenate[ReportFlowAccessor, P], Any]:
    """Return a method that calls the function with the accessor's frame."""

    @functools.wraps(function)
    def method(self: ReportFlowAccessor, /, *args: P.args, **arguments: P.kwargs) -> Any:
        return function(self._frame, *args, **arguments)

    signature = inspect.signature(function)
    own = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY), *list(signature.parameters.values())[1:]]
    method.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    return method


@overload
def with_verbs(function: Callable[P, pd.DataFrame]) -> Callable[P, DataFrame]: ...
@overload
def with_verbs(
    function: Callable[P, tuple[pd.DataFrame, pd.DataFrame]],
) -> Callable[P, tuple[DataFrame, DataFrame]]: ...


def with_verbs(function: Callable[P, Any]) -> Callable[P, Any]:
    """Return the function itself; type checkers learn that its frames have the verbs."""
    return function


_failed_of = _bound(verbs.failed_of)
_unknown_of = _bound(verbs.unknown_of)


class ReportFlowAccessor:
    """``df.reportflow`` on a frame of rows, ``results.reportflow`` on a results frame.

    pandas 3 makes a new one each time, so nothing is kept here but the frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __repr__(self) -> str:
        """Name the verbs of this kind of frame."""
        kind = "results" if is_results(self._frame) else "rows"
        return f"<reportflow of a frame of {len(self._frame):,} {kind}: {', '.join(self.__dir__())}>"

    def __dir__(self) -> list[str]:
        """Return the verbs of this kind of frame, in the order in which they are used."""
        verbs_here = [name for name in vars(type(self)) if not name.startswith("_")]
        first_of_results = verbs_here.index("summary")
        return verbs_here[first_of_results:] if is_results(self._frame) else verbs_here[:first_of_results]

    # on a frame of rows
    generate = _bound(generation.generate)
    agenerate = _bound(generation.agenerate)

    submit = _bound(jobs.submit)
    plan = _bound(planning.plan)
    check = _bound(planning.check)
    preview = _bound(previewing.preview)
    verify = _bound(verify_results)

    # on a results frame
    _repr_html_ = _bound(display.overview_html)
    summary = _bound(verbs.summary)

    @property
    def failed(self) -> DataFrame:
        """The rows that failed."""
        return _failed_of(self)

    @property
    def unknown(self) -> DataFrame:
        """The rows whose outcome is not known: sent, but no answer came back."""
        return _unknown_of(self)

    retry = _bound(retry_rows)
    settle = _bound(settle_rows)
    download = _bound(verbs.download)
    findings = _bound(findings_of)
    spot_check = _bound(spot_check_of)
    if TYPE_CHECKING:  # an argument decides what they return, which _bound cannot say

        @overload
        def combine(
            self,
            path: str | Path,
            by: None = None,
            source: pd.DataFrame | None = None,
            *,
            first: Hashable | None = None,
            last: Hashable | None = None,
        ) -> Path: ...
        @overload
        def combine(
            self,
            path: str | Path,
            by: str,
            source: pd.DataFrame | None = None,
            *,
            first: Hashable | None = None,
            last: Hashable | None = None,
        ) -> dict[Hashable, Path]: ...
        def combine(self, *args: Any, **arguments: Any) -> Any:
            """Put the PDFs into one, or with ``by`` into one for each value."""
    else:
        combine = _bound(combine_pdfs)
    hand_over = _bound(hand_over_documents)
    if TYPE_CHECKING:

        @overload
        def mail(
            self,
            *,
            to: Hashable,
            subject: str,
            body: str,
            preview: Literal[False] = False,
            background: Literal[False] = False,
            **arguments: Unpack[MailArguments],
        ) -> DataFrame: ...
        @overload
        def mail(
            self,
            *,
            to: Hashable,
            subject: str,
            body: str,
            preview: Literal[True],
            background: bool = False,
            **arguments: Unpack[MailArguments],
        ) -> MailPreview: ...
        @overload
        def mail(
            self,
            *,
            to: Hashable,
            subject: str,
            body: str,
            preview: Literal[False] = False,
            background: Literal[True],
            **arguments: Unpack[MailArguments],
        ) -> Job: ...
        def mail(self, **arguments: Any) -> Any:
            """Mail each document to its person, show the first message, or do it in the background."""
    else:
        mail = _bound(mail_documents)
    to_csv = _bound(verbs.to_csv)
    to_excel = _bound(verbs.to_excel)
    read_review = _bound(verbs.read_review)
