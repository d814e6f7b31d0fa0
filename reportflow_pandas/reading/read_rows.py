"""`read_rows`: a file as people have it becomes the frame for ``df.reportflow``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Literal

import pandas as pd

from reportflow_pandas.cycle_collector import without_cycle_collector
from reportflow_pandas.reading.doubts import Doubts, refused_for_all
from reportflow_pandas.reading.file_kinds import kind_of
from reportflow_pandas.reading.reading_options import Reading
from reportflow_pandas.reading.text_files import read_text
from reportflow_pandas.settings import absolute_path

__all__ = ["read_file", "read_rows"]


def read_rows(
    path: str | PathLike[str],
    *,
    sheet: str | None = None,
    header: int | None = None,
    text: str | Sequence[str] | None = None,
    decimal: Literal[".", ","] | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    as_shown: bool = False,
    hidden: Literal["refuse", "skip", "keep"] = "refuse",
    totals: Literal["refuse", "skip", "keep"] = "refuse",
) -> pd.DataFrame:
    r"""Read a file of rows, so that no value is lost or changed on its way to a document without being said.

    Parameters
    ----------
    path : str or path
        A ``.csv``, ``.tsv``, ``.txt``, ``.xlsx``, ``.xlsm``, ``.xls``, ``.xlsb``, ``.ods`` or ``.parquet`` file,
        or a folder of Parquet files. What it is is told by its content.
    sheet : str, optional
        Of a workbook; default the first visible one.
    header : int, optional
        Line of the headings, counted from 1 as the sheet counts; default the first line that is not empty.
    text : str or sequence of str, optional
        Columns that stay as they stand in the file, such as postal codes.
    decimal : str, optional
        ``"."`` or ``","``, for numbers that are texts; default found out where every value of a column agrees.
    thousands : str, optional
        What groups the digits of such numbers.
    encoding : str, optional
        Of a text file; default UTF-8, or what its first bytes say.
    separator : str, optional
        Of a text file; default the sign by which every line has as many fields.
    as_shown : bool
        Keep cells as the sheet shows them: ``00171``, ``19%``, ``Nov-26``. A number parameter still gets the
        number.
    hidden : str
        Rows that a filter or a person hid: ``"refuse"`` says how many there are, ``"skip"`` leaves them out,
        ``"keep"`` takes them.
    totals : str
        Lines that add up others, such as one at the foot that begins with ``Total`` or ``合計`` and leaves cells
        empty that every row fills: ``"refuse"`` names them, ``"skip"`` leaves them out, ``"keep"`` takes them.

    Returns
    -------
    pandas.DataFrame
        One line for each row that is not empty, labelled 0, 1, 2 …; headings are texts. Its ``attrs`` know the
        cell or line of each value, for ``check()`` and errors.

    Raises
    ------
    ConfigurationError
        A value that can't be known (an error cell, a formula that was never worked out, an open quote), rows that
        may not be meant, another kind of file, a damaged or protected one. The message names cells or lines and
        what to do: all that is in doubt, and one line of code with a choice for each.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "orders.csv"
    >>> _ = path.write_text("Id;Amount\n0171;1.234,50\n")
    >>> read_rows(path).to_dict("records")
    [{'Id': '0171', 'Amount': Decimal('1234.50')}]
    """
    reading = Reading(
        sheet=sheet,
        header=header,
        text=[text] if isinstance(text, str) else [str(name) for name in text or ()],
        decimal=decimal,
        thousands=thousands,
        encoding=encoding,
        separator=separator,
        as_shown=as_shown,
        hidden=hidden,
        totals=totals,
    )
    return read_file(absolute_path(path, "path"), reading)


def read_file(path: Path, reading: Reading) -> pd.DataFrame:
    """Return the rows of a file; see `read_rows`."""
    kind = kind_of(path)
    with without_cycle_collector():  # cells make no cycles, and a million of them cost it a quarter of the time
        try:
            return _read(path, kind, reading)
        except Doubts as first:
            raise refused_for_all(first, path, reading, partial(_read, path, kind)) from None


def _read(path: Path, kind: str, reading: Reading) -> pd.DataFrame:
    if kind == "text":
        return read_text(path, reading)
    if kind in ("parquet", "folder"):
        from reportflow_pandas.reading.parquet_files import read_parquet  # noqa: PLC0415 - of the extra `files`

        return read_parquet(path, reading)
    if kind == "xlsx":
        from reportflow_pandas.reading.xlsx_files import read_xlsx  # noqa: PLC0415 - openpyxl only where it is needed

        return read_xlsx(path, reading)
    from reportflow_pandas.reading.other_workbooks import read_other  # noqa: PLC0415 - of the extra `files`

    return read_other(path, kind, reading)
