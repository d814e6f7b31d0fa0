"""The documents that a person should look at first, as a grid of pages in a notebook or in a file."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import pandas as pd

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.printable import counted
from reportflow_pandas.settings import absolute_path
from reportflow_pandas.verify import spot_check_page
from reportflow_pandas.verify.first_looks import PIXELS_ACROSS, Look, first_looks, with_pictures
from reportflow_pandas.verify.verified_results import notes_of

__all__ = ["SpotCheck", "spot_check"]


class SpotCheck:
    """Documents to look at first, as pictures with what was found marked.

    Displays in a notebook as a grid of pages that can be filtered, without a kernel too, light or dark.

    Attributes
    ----------
    looks : list of Look
        The documents, in order.
    pages : int
        Pictures in all.
    not_judged : dict
        What `verify` did not judge, and why.

    Examples
    --------
    >>> import tempfile
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> orders, tables = orders.head(4), {"Lines": rf.Table(lines, on="InvoiceId")}
    >>> with rf.use_local(), tempfile.TemporaryDirectory() as folder:
    ...     results = orders.reportflow.generate("invoice", tables=tables, download=folder)
    ...     results = orders.reportflow.verify(results, tables=tables)
    ...     look = results.reportflow.spot_check(n=2)
    >>> look
    <SpotCheck of 2 documents: 0 with findings, 1 extreme, 1 at random>
    """

    def __init__(self, looks: Sequence[Look], *, documents: int, not_judged: dict[str, str]) -> None:
        self.looks = list(looks)
        self.documents = documents
        self.not_judged = dict(not_judged)

    @property
    def rows(self) -> list[Hashable]:
        """Labels of the documents, in order."""
        return [look.label for look in self.looks]

    @property
    def pages(self) -> int:
        """How many pictures there are."""
        return sum(len(look.pictures) for look in self.looks)

    def __repr__(self) -> str:
        """Say how many there are, and why."""
        counts = [sum(look.why == why for look in self.looks) for why in ("findings", "extreme", "random")]
        return (
            f"<SpotCheck of {counted(len(self.looks), 'document')}: {counts[0]:,} with findings, "
            f"{counts[1]:,} extreme, {counts[2]:,} at random>"
        )

    def _repr_html_(self) -> str:
        return self._part(Path())

    def save(self, path: str | Path) -> Path:
        """Write one file that shows everything, also without a network and without Python.

        Parameters
        ----------
        path : str or path
            Ends in ``.html``.

        Returns
        -------
        Path
            The file.
        """
        target = absolute_path(path, "path")
        if target.suffix.lower() not in (".html", ".htm"):
            raise ConfigurationError(f"save({str(path)!r}): the file is a page, so its name ends in .html")
        target.write_text(spot_check_page.whole(self._part(target.resolve().parent)), encoding="utf-8")
        return target

    def _part(self, folder: Path) -> str:
        # names of its own: several of them may stand in one notebook
        name = f"rf-look-{id(self):x}"
        return spot_check_page.part(name, self.looks, self.documents, self.not_judged, folder)


def spot_check(results: pd.DataFrame, n: int = 20) -> SpotCheck:
    """Return the documents that a person should look at first, as pictures.

    Parameters
    ----------
    n : int
        How many, default 20: first those with findings, the most suspicious first; then extremes (the most text,
        the most lines, the largest amount); then a few at random, always the same ones.

    Returns
    -------
    SpotCheck
        Shown in a notebook; ``.rows``; ``.save("look.html")``.

    Raises
    ------
    ConfigurationError
        Results that were not verified; n below 1.

    Examples
    --------
    >>> results.reportflow.spot_check(n=20).save("look.html")          # doctest: +SKIP
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ConfigurationError(f"n={n!r}: how many documents should be shown? A whole number from 1")
    looks = with_pictures(first_looks(results, n, "spot_check"), PIXELS_ACROSS)
    return SpotCheck(looks, documents=len(results), not_judged=notes_of(results))
