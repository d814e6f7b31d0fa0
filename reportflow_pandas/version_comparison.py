"""The same rows in two versions of a design, side by side, before the new version is used for all."""

from __future__ import annotations

import base64
import difflib
import html
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.api.models import Parameter
from reportflow_pandas.design_lookup import parameters_of
from reportflow_pandas.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    InvalidRows,
    NotFoundError,
    OutcomeUnknown,
    RateLimited,
    ReportFlowError,
)
from reportflow_pandas.execution.preparation import connected, documents_of
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.preview import preview
from reportflow_pandas.settings import absolute_path

__all__ = ["PagePair", "VersionComparison", "compare_versions"]

CELL_PIXELS = 12
"""Side of the squares in which two pictures are compared."""
LEAST_DIFFERENCE = 40
"""Of 255, in one pixel: less is a rounding of edges."""
MARK = (204, 41, 41)
MOST_LINES = 8
"""Of text that is shown of a page."""


@dataclass(frozen=True)
class PagePair:
    """One page in both versions.

    Attributes
    ----------
    label
        Of the row.
    page : int
        From 1.
    old, new : bytes
        PNG, what differs framed in the new one; empty where a version has no such page.
    share : float
        Of the page's squares, those that differ: 0 for none, 1 for all.
    lost, gained : tuple of str
        Lines of text that only the old, and only the new version has; the page's size where it differs; why a
        version could not print the row.
    """

    label: Any
    page: int
    old: bytes = field(repr=False)
    new: bytes = field(repr=False)
    share: float
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()


class VersionComparison:
    """What two versions of a design make of the same rows.

    Displays in a notebook as its pages side by side.

    Attributes
    ----------
    parameters : pandas.DataFrame
        Parameters that differ: ``name``, ``old`` and ``new`` (their types, missing where there is none).
    pages : list of PagePair
        Every page of every row that was printed.
    """

    def __init__(
        self, design_id: str, old: int, new: int, parameters: pd.DataFrame, pages: Sequence[PagePair]
    ) -> None:
        self.design_id = design_id
        self.old = old
        self.new = new
        self.parameters = parameters
        self.pages = list(pages)

    @property
    def differences(self) -> pd.DataFrame:
        """Pages that differ: ``label``, ``page``, ``share`` (of the page's area), ``lost``, ``gained`` (text)."""
        lines = [
            (page.label, page.page, page.share, "; ".join(page.lost) or None, "; ".join(page.gained) or None)
            for page in self.pages
            if page.share or page.lost or page.gained
        ]
        return pd.DataFrame(lines, columns=["label", "page", "share", "lost", "gained"])

    def __repr__(self) -> str:
        """Say how much differs."""
        rows = len({repr(page.label) for page in self.pages})
        told = "1 row" if rows == 1 else f"{rows} rows"
        return (
            f"<VersionComparison of {self.design_id}, versions {self.old} and {self.new}: {told}, "
            f"{len(self.differences)} of {len(self.pages)} pages differ, {len(self.parameters)} parameters differ>"
        )

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(repr(self)[1:-1])}</b></p>"]
        if len(self.parameters):
            parts.append(self.parameters.to_html(index=False, na_rep="not there"))
        parts += [self._pair(page) for page in self.pages]
        return f'<div style="font:13px/1.45 system-ui,sans-serif">{"".join(parts)}</div>'

    def _pair(self, page: PagePair) -> str:
        style = "width:48%;border:1px solid #c8ccd2;background:#fff;vertical-align:top"
        pictures = "".join(
            f'<img alt="version {version}" style="{style}" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}"> '
            if png
            else f'<span style="display:inline-block;{style}">no such page in version {version}</span> '
            for version, png in ((self.old, page.old), (self.new, page.new))
        )
        told = [f"only in version {self.old}: {text}" for text in page.lost[:MOST_LINES]]
        told += [f"only in version {self.new}: {text}" for text in page.gained[:MOST_LINES]]
        lines = "".join(f"<li>{html.escape(text)}</li>" for text in told)
        state = f"{page.share:.1%} of the page differs" if page.share else "nothing differs to the eye"
        if not page.old or not page.new:
            there = [version for version, png in ((self.old, page.old), (self.new, page.new)) if png]
            state = f"only in version {there[0]}" if there else "in neither version"
        return (
            f"<p>{html.escape(str(page.label))}, page {page.page}: {state}</p>"
            f"{f'<ul>{lines}</ul>' if lines else ''}<div>{pictures}</div>"
        )

    def save(self, path: str | Path) -> Path:
        """Write one file that shows both versions, also without a network; its name ends in ``.html``."""
        target = absolute_path(path, "path")
        if target.suffix.lower() not in (".html", ".htm"):
            raise ConfigurationError(f"save({str(path)!r}): the file is a page, so its name ends in .html")
        head = '<!doctype html><meta charset="utf-8"><title>Versions compared</title>'
        target.write_text(f"{head}{self._repr_html_()}", encoding="utf-8")
        return target


def compare_versions(
    design_id: str,
    old: int,
    new: int,
    frame: pd.DataFrame,
    *,
    rows: int | Sequence[int] = 5,
    **arguments: Unpack[Arguments],
) -> VersionComparison:
    """Print a few rows in two versions of a design, and show where they differ.

    On the real service each row is generated in both versions, which is **billed**, as for ``preview``; the
    answers are kept, so that the same content is asked for only once in this process.

    Parameters
    ----------
    design_id : str
        The design.
    old, new : int
        Its versions.
    frame : pandas.DataFrame
        The rows.
    rows : int or sequence of int
        How many, spread over the frame (default 5), or their positions from 0.
    **arguments
        The shared arguments, as for ``generate``: ``params``, ``tables``, ``group_by`` and so on. What ``check``
        would refuse is printed all the same: that is what is to be seen.

    Returns
    -------
    VersionComparison
        ``.parameters`` that differ, ``.differences`` page by page; pictures in a notebook, ``.save(path)``.

    Raises
    ------
    ConfigurationError
        The same version twice, no such row, a package that is missing.
    NotFoundError
        No such design or version.

    Examples
    --------
    >>> import pandas as pd
    >>> import reportflow_pandas as rf
    >>> frame = pd.DataFrame({"QuotationId": ["Q-1"], "CustomerName": ["Ingrid"], "Subject": ["A score"]})
    >>> with rf.use_local():
    ...     compared = rf.compare_versions("quotation", 1, 2, frame)
    >>> sorted(compared.parameters["name"])[:2]
    ['DeliveryDate', 'Lines.Description']
    """
    for version in (old, new):
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise ConfigurationError(f"versions {old!r} and {new!r}: two whole numbers from 1")
    if old == new:
        raise ConfigurationError(f"version {old} twice: which two versions should be compared?")
    given: Arguments = {"check": "warn", **arguments}
    given.pop("version", None)
    options = Options.of(design_id, given)
    documents = documents_of(frame, options)
    index = documents.frame.index
    chosen = _chosen(rows, len(index))
    before, after = _parameters(options, old, new)
    pages: list[PagePair] = []
    errors: list[ReportFlowError] = []
    for at in chosen:
        earlier, later = (
            _printed(frame, design_id, at, {**given, "version": version}, errors) for version in (old, new)
        )
        pages += _pairs(index[at], earlier, later)
    if len(errors) == 2 * len(chosen):
        raise errors[0]  # it is not these rows
    return VersionComparison(design_id, old, new, _differing(before, after), pages)


class _Printed(NamedTuple):
    """A row in one version: its pages as pictures, their sizes and lines of text; why there are none."""

    pages: Sequence[bytes] = ()
    sizes: Sequence[str] = ()
    lines: Sequence[Sequence[str]] = ()
    problem: str = ""


def _printed(
    frame: pd.DataFrame, design_id: str, at: int, given: Arguments, errors: list[ReportFlowError]
) -> _Printed:
    """Return a row in one version; where the service refuses this row, why: the others are shown all the same."""
    try:
        shown = preview(frame, design_id, row=at, **given)
    except (AuthError, NotFoundError, RateLimited):
        raise
    except (ApiError, InvalidRows, OutcomeUnknown) as error:
        errors.append(error)
        return _Printed(problem=" ".join(str(error).split()))
    return _Printed(shown.pages, *_sizes_and_lines(shown.pdf))


def _chosen(rows: object, count: int) -> list[int]:
    """Return the positions of the rows: spread over the frame, the first and the last among them."""
    if not count:
        raise ConfigurationError("this frame has no rows, so there is nothing to compare")
    is_many = isinstance(rows, Sequence | np.ndarray | pd.Index) and not isinstance(rows, str)
    given: list[Any] = list(rows) if is_many else [rows]  # type: ignore[call-overload]
    least, most = (0, count - 1) if is_many else (1, sys.maxsize)
    if not all(
        isinstance(row, int | np.integer) and not isinstance(row, bool) and least <= row <= most for row in given
    ):
        told = "a frame" if isinstance(rows, pd.DataFrame) else repr(rows)
        raise ConfigurationError(
            f"rows= takes how many rows to compare (from 1), or their positions in the frame (0 to {count - 1}), "
            f"and this is {told}. To choose rows otherwise, give a frame of these alone"
        )
    if is_many:
        return [int(row) for row in given]
    number = min(int(given[0]), count)
    return sorted({round(at * (count - 1) / max(1, number - 1)) for at in range(number)})


def _parameters(options: Options, old: int, new: int) -> tuple[list[Parameter], list[Parameter]]:

    async def asked() -> tuple[list[Parameter], list[Parameter]]:
        async with connected(options) as (client, line):
            before = await parameters_of(client, line, options.design_id, old)
            return before, await parameters_of(client, line, options.design_id, new)

    return event_loop.run(asked())


def _differing(before: Sequence[Parameter], after: Sequence[Parameter]) -> pd.DataFrame:
    old, new = _types(before), _types(after)
    lines = [
        (name, old.get(name), new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    return pd.DataFrame(lines, columns=["name", "old", "new"])


def _types(parameters: Sequence[Parameter]) -> dict[str, str]:
    types = {parameter.name: parameter.type for parameter in parameters}
    types |= {
        f"{parameter.name}.{column.name}": column.type for parameter in parameters for column in parameter.spec
    }
    return types


# -- pages -----------------------------------------------------------------------------------------------------


def _pairs(label: Any, old: _Printed, new: _Printed) -> list[PagePair]:
    pairs = []
    for at in range(max(1, len(old.pages), len(new.pages))):
        old_page, new_page = (made.pages[at] if at < len(made.pages) else b"" for made in (old, new))
        before, after = (made.lines[at] if at < len(made.lines) else [] for made in (old, new))
        told = [line for line in difflib.ndiff(before, after) if line[:2] in ("- ", "+ ")]
        lost = [line[2:] for line in told if line.startswith("- ")]
        gained = [line[2:] for line in told if line.startswith("+ ")]
        for made, lines in ((old, lost), (new, gained)):
            if made.problem and not at:
                lines.insert(0, f"it could not be printed: {made.problem}")
        if old_page and new_page and old.sizes[at] != new.sizes[at]:
            lost.insert(0, f"a page of {old.sizes[at]}")
            gained.insert(0, f"a page of {new.sizes[at]}")
        share, marked = _compared(old_page, new_page)
        pairs.append(PagePair(label, at + 1, old_page, marked, share, tuple(lost), tuple(gained)))
    return pairs


def _sizes_and_lines(pdf: bytes) -> tuple[list[str], list[list[str]]]:
    """Return the size of each page, and the lines of text on it."""
    import pypdfium2  # noqa: PLC0415 - an extra

    document = pypdfium2.PdfDocument(pdf)
    try:
        sizes, lines = [], []
        for page in document:
            width, height = (side / 72 * 25.4 for side in page.get_size())
            sizes.append(f"{width:.0f} x {height:.0f} mm")
            text = page.get_textpage().get_text_range()
            lines.append([line.strip() for line in text.splitlines() if line.strip()])
        return sizes, lines
    finally:
        document.close()


def _compared(old: bytes, new: bytes) -> tuple[float, bytes]:
    """Return the share of a page that differs, and its new picture with that framed."""
    from PIL import Image, ImageChops, ImageDraw  # noqa: PLC0415 - an extra

    if not old or not new:
        return 1.0, new
    earlier, later = (Image.open(io.BytesIO(png)).convert("RGB") for png in (old, new))
    if earlier.size != later.size:  # both on paper that is large enough
        size = (max(earlier.width, later.width), max(earlier.height, later.height))
        papers = [Image.new("RGB", size, "white") for _ in range(2)]
        for paper, picture in zip(papers, (earlier, later), strict=True):
            paper.paste(picture)
        earlier, later = papers
    difference = (
        ImageChops.difference(earlier, later).convert("L").point(lambda value: 255 * (value > LEAST_DIFFERENCE))
    )
    across, down = (-(-side // CELL_PIXELS) for side in earlier.size)
    cells = [
        (x, y)
        for y in range(down)
        for x in range(across)
        if difference.crop(
            (x * CELL_PIXELS, y * CELL_PIXELS, (x + 1) * CELL_PIXELS, (y + 1) * CELL_PIXELS)
        ).getbbox()
    ]
    if not cells:
        return 0.0, new
    pen = ImageDraw.Draw(later)
    for left, top, right, bottom in _boxes(set(cells)):
        corners = (left * CELL_PIXELS, top * CELL_PIXELS, (right + 1) * CELL_PIXELS, (bottom + 1) * CELL_PIXELS)
        pen.rectangle(corners, outline=MARK, width=2)
    target = io.BytesIO()
    later.save(target, format="PNG", optimize=True)
    return len(cells) / (across * down), target.getvalue()


def _boxes(cells: set[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Return the boxes around squares that touch each other, or nearly so."""
    boxes = []
    while cells:
        waiting = [cells.pop()]
        group = []
        while waiting:
            x, y = waiting.pop()
            group.append((x, y))
            near = {(x + dx, y + dy) for dx in range(-2, 3) for dy in range(-1, 2)} & cells
            cells -= near
            waiting += near
        across, down = zip(*group, strict=True)
        boxes.append((min(across), min(down), max(across), max(down)))
    return boxes
