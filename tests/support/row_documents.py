"""Documents made of a frame without a service: what the tests of this folder share."""

from __future__ import annotations

from typing import Any

import orjson
import pandas as pd

from reportflow_pandas.api.models import Parameter
from reportflow_pandas.options import Options
from reportflow_pandas.rows.checks import Problem, compare, refuse_unsayable
from reportflow_pandas.rows.documents import Documents
from reportflow_pandas.rows.file_names import file_names
from reportflow_pandas.rows.input_frame import check_frame
from reportflow_pandas.rows.mapping import bind

LINES = (Parameter("Track", "text", "Track"), Parameter("Price", "number", "Price"))


def parameters_of(**kinds: str) -> list[Parameter]:
    """Return parameters by their types; an array has the fields Track and Price."""
    return [Parameter(name, kind, name, None, LINES if kind == "array" else ()) for name, kind in kinds.items()]


def texts_for(frame: pd.DataFrame) -> list[Parameter]:
    """Return parameters of no known type, one a column: every value as it is."""
    return [Parameter(str(name), "unknown", str(name)) for name in frame.columns]


def made(
    frame: pd.DataFrame, parameters: list[Parameter] | None = None, run: str = "run", **arguments: Any
) -> Documents:
    """Make the documents, with everything that is refused on the way."""
    check_frame(frame)
    if parameters is None and "params" not in arguments:
        parameters = texts_for(frame)
    options = Options.of("design", {"check": parameters is not None, **arguments})
    sources = bind(frame, options, parameters)
    names = file_names(frame, options.file_name, "Invoice")
    refuse_unsayable(frame, sources)
    return Documents(frame, options, sources, names, run)


def params_of(frame: pd.DataFrame, parameters: list[Parameter] | None = None, **arguments: Any) -> list[Any]:
    """Return each document's params as the service reads them."""
    return [content["params"] for content in contents_of(frame, parameters, **arguments)]


def contents_of(frame: pd.DataFrame, parameters: list[Parameter] | None = None, **arguments: Any) -> list[Any]:
    """Return each document as the service reads it."""
    return [orjson.loads(document.content) for document in made(frame, parameters, **arguments)]


def problems_of(frame: pd.DataFrame, parameters: list[Parameter], **arguments: Any) -> list[Problem]:
    """Return what the check finds."""
    options = Options.of("design", arguments)
    sources = bind(frame, options, parameters)
    return compare(frame, options, sources, parameters, file_names(frame, options.file_name, "Invoice"))
