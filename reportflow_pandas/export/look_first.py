"""The sheet *Look first*: documents that a person should see before the others, with pictures of their pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from reportflow_pandas.export.cells import Sanitiser
from reportflow_pandas.export.columns import Column, Given, Keys, Links, Same, Values, disk_target
from reportflow_pandas.export.review import Typed
from reportflow_pandas.export.reviewed_lines import ROW, RUN, run_name
from reportflow_pandas.export.sheets import Layout, write_rows
from reportflow_pandas.export.source_columns import beside
from reportflow_pandas.export.texts import Words, decide

__all__ = ["LookFirst", "write_look_first"]

SHEET = "Look first"
PIXELS_ACROSS = 300
"""Of a picture as it is shown; it holds more, for a printer and for zooming."""
PIXELS_A_CHARACTER = 7.0
MOST_PIXELS_DOWN = 520
"""A row is at most 409 points (545 pixels) high."""
POINTS_A_PIXEL = 0.75
LEAST_POINTS = 60


@dataclass(frozen=True)
class LookFirst:
    """One document of the sheet.

    Attributes
    ----------
    row : int
        Position in the input.
    reason : str
        Why it is here.
    pictures : tuple of tuple
        PNG, width and height in pixels.
    """

    row: int
    reason: str
    pictures: tuple[tuple[bytes, int, int], ...] = field(default=(), repr=False)


def write_look_first(
    workbook: Workbook,
    results: pd.DataFrame,
    looks: Sequence[LookFirst],
    typed: Typed,
    *,
    target: Path,
    words: Words,
) -> None:
    """Write the sheet.

    Parameters
    ----------
    workbook : openpyxl.Workbook
        Write-only.
    results : pandas.DataFrame
        All results of the workbook, with ``verdict`` and ``findings``.
    looks : sequence of LookFirst
        In their order.
    typed : Typed
        Decisions and comments that are carried over, by position in ``results``.
    target : Path
        The workbook's path.
    words : Words
        The language.
    """
    at_row = {int(row): at for at, row in enumerate(results["row"])}
    looks = [look for look in looks if look.row in at_row]
    places = [at_row[look.row] for look in looks]
    part = results.iloc[places]
    sanitiser = Sanitiser()
    layout = Layout(part, beside(part, None), words, sanitiser)
    left = layout.left()
    columns = [*left, *_columns(layout, looks, places, typed, target)]
    first_picture = next(at for at, column in enumerate(columns, 1) if column.kind == "picture")
    heights = [_points(look) for look in looks]

    def with_pictures(sheet: Any) -> None:
        from openpyxl.drawing.image import Image  # noqa: PLC0415 - it needs pillow, of the extra

        for line, (look, height) in enumerate(zip(looks, heights, strict=True), 2):
            sheet.row_dimensions[line].height = height
            for number, (png, width, down) in enumerate(look.pictures):
                picture = Image(io.BytesIO(png))
                picture.width, picture.height = _shown(width, down)
                sheet.add_image(picture, f"{get_column_letter(first_picture + number)}{line}")

    write_rows(
        workbook,
        SHEET,
        columns,
        sanitiser,
        rows=len(part),
        words=words,
        frozen=len(left),
        on_sheet=with_pictures,
    )


def _columns(
    layout: Layout, looks: Sequence[LookFirst], places: Sequence[int], typed: Typed, target: Path
) -> list[Column]:
    words, part, sanitiser = layout.words, layout.results, layout.sanitiser
    named = words.headings
    on_disk = partial(disk_target, folder=target.resolve().parent)
    findings = [None if pd.isna(text) else sanitiser.text(str(text)) for text in part["findings"]]
    verdicts = [words.says.get(f"verdict_{verdict}", "") for verdict in part["verdict"]]
    decisions = [typed.decisions.get(at) for at in places]
    comments = [typed.comments.get(at) for at in places]
    pictures = max(1, max((len(look.pictures) for look in looks), default=1))
    columns: list[Column] = [
        Links(named["pdf"], part["path"], words.says["open_pdf"], on_disk, sanitiser),
        Given(named["verdict"], 10, "key", verdicts.__getitem__),
        Given(named["reason"], 24, "key", lambda at: sanitiser.text(looks[at].reason), wrap=True),
        Given(named["findings"], 48, "key", findings.__getitem__, wrap=True),
        Given(
            named["decision"],
            13,
            "input",
            lambda at: None if decisions[at] is None else sanitiser.text(decide(decisions[at] or "", words)),
        ),
        Given(
            named["comment"],
            30,
            "input",
            lambda at: None if comments[at] is None else sanitiser.text(comments[at] or ""),
        ),
    ]
    across = PIXELS_ACROSS / PIXELS_A_CHARACTER
    columns += [
        Given(f"{named['picture']} {number + 1}", across, "picture", lambda _: None) for number in range(pictures)
    ]
    columns += [
        Same(RUN, "hidden", run_name(part) or None),
        Values(ROW, part["row"], sanitiser, "hidden"),
    ]
    return [*columns, Keys(layout.key_heading([*layout.left(), *columns]), part)]


def _shown(width: int, down: int) -> tuple[int, int]:
    scale = min(PIXELS_ACROSS / max(1, width), MOST_PIXELS_DOWN / max(1, down))
    return round(width * scale) - 6, round(down * scale) - 6


def _points(look: LookFirst) -> float:
    tallest = max((_shown(width, down)[1] for _, width, down in look.pictures), default=0)
    return max(LEAST_POINTS, (tallest + 12) * POINTS_A_PIXEL)
