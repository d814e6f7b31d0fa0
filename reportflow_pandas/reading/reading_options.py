"""How a file is read: the arguments of `read_rows` as one value."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportflow_pandas.errors import ConfigurationError

__all__ = ["HIDDEN", "Reading", "listed", "nearest_name", "refusal"]

HIDDEN = ("refuse", "skip", "keep")
"""What can become of rows that may not be meant."""

NAMES_SHOWN = 20
"""Columns or sheets that a message lists."""

_log = logging.getLogger("reportflow_pandas")


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Parameters
    ----------
    sheet : str, optional
        Of a workbook; None: the first visible one.
    header : int, optional
        Line of the headings, from 1; None: the first line that is not empty.
    text : sequence of str
        Columns that stay as they stand in the file.
    decimal, thousands : str, optional
        Signs of numbers in texts; None: found out where every value of a column agrees.
    encoding, separator : str, optional
        Of a text file; None: found out.
    as_shown : bool
        Whether cells are texts as the sheet shows them.
    hidden : str
        What becomes of hidden rows: ``"refuse"``, ``"skip"``, ``"keep"``.
    totals : str
        The same of lines that look like sums of others.
    keep_unknown : bool
        Whether cells whose value is not known stay in the frame until a document needs them; else the file is
        refused.
    say : callable
        Told what people should know; None: the log.
    """

    sheet: str | None = None
    header: int | None = None
    text: Sequence[str] = ()
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    separator: str | None = None
    as_shown: bool = False
    hidden: str = "refuse"
    totals: str = "refuse"
    keep_unknown: bool = False
    say: Callable[[str], None] = _log.info

    def __post_init__(self) -> None:
        for name in ("decimal", "thousands", "encoding", "separator"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, str):
                raise ConfigurationError(f"{name}={given!r}: a text, such as ','")
        self._check_choices()
        if self.header is not None and (
            isinstance(self.header, bool) or not isinstance(self.header, int) or self.header < 1
        ):
            raise ConfigurationError(f"header={self.header!r}: the line of the headings, a whole number from 1")
        if self.decimal not in (None, ".", ","):
            raise ConfigurationError(f"decimal={self.decimal!r}: it is '.' or ','")
        if self.thousands is not None and (len(self.thousands) != 1 or self.thousands.isalnum()):
            raise ConfigurationError(f"thousands={self.thousands!r}: one sign, such as '.', ',' or a space")
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            other = "." if self.thousands == "," else ","
            raise ConfigurationError(
                f"thousands={self.thousands!r} is the decimal sign as well; add decimal={other!r}"
            )
        if self.separator is not None and len(self.separator) != 1:
            raise ConfigurationError(f"separator={self.separator!r}: one character, such as ';'")

    def _check_choices(self) -> None:
        """Refuse words that are no choice."""
        if not isinstance(self.as_shown, bool):
            raise ConfigurationError(f"as_shown={self.as_shown!r}: True or False")
        for name in ("hidden", "totals"):
            if (given := getattr(self, name)) not in HIDDEN:
                raise ConfigurationError(f"{name}={given!r}: it is one of {', '.join(map(repr, HIDDEN))}")


def refusal(path: Path, text: str) -> ConfigurationError:
    """Return the error of a file that is not read as it is."""
    return ConfigurationError(f"{str(path)!r} {text}")


def listed(names: Iterable[Any]) -> str:
    """Return names for a message, in quotes."""
    shown = list(names)
    return ", ".join(map(repr, shown[:NAMES_SHOWN])) + (", …" if len(shown) > NAMES_SHOWN else "")


def nearest_name(name: str, names: Sequence[str]) -> str:
    """Return ``. Did you mean 'Orders'?`` where a name is like another one."""
    plain = {other.strip().casefold(): other for other in names}
    near = difflib.get_close_matches(name.strip().casefold(), list(plain), 1)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""
