"""Links of a workbook: targets that Excel accepts, as many as a sheet can hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openpyxl.cell import WriteOnlyCell

from reportflow_pandas.export.cells import ColumnCells, Sanitiser, Trap
from reportflow_pandas.export.style import font

__all__ = ["LONGEST_TARGET", "MOST_LINKS", "LinkCells", "disk_target", "web_target"]

MOST_LINKS = 65_530
"""Links on one sheet; Excel drops them when there are more."""
LONGEST_TARGET = 2_079
"""Characters of a link's target."""

_RESERVED = re.compile("[\x00-\x20\x22#%:<>?\\[\\\\\\]^`{|}\x7f\ud800-\udfff]+")
_WEB = re.compile("https?://[^\x00-\x1f\x7f\ud800-\udfff]+", re.IGNORECASE)
_NEEDS_QUOTES = re.compile('[ "<>\\\\^`{|}\x80-\U0010ffff]+')


def web_target(url: str) -> str | None:
    """Return a link's target for an address of the service, ``None`` if it is no web address.

    Examples
    --------
    >>> web_target("https://example.test/a b")
    'https://example.test/a%20b'
    >>> web_target("javascript:alert(1)")
    """
    url = url.strip()
    return _NEEDS_QUOTES.sub(lambda found: quote(found[0]), url) if _WEB.fullmatch(url) else None


def disk_target(path: str, folder: Path) -> str | None:
    """Return a link's target for a file, relative to the workbook's folder so that both can move together.

    Parameters
    ----------
    path : str
        The file, absolute or relative to the working directory.
    folder : pathlib.Path
        Folder of the workbook, absolute.
    """
    start = f"{folder}{os.sep}"
    if path.startswith(start) and ".." not in path:  # ten times as fast as what it takes in general
        relative = path[len(start) :]
    else:
        absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links out of the folder
        try:
            relative = os.path.relpath(absolute, folder)
            if relative.startswith(".."):  # the folder may have two names, as /tmp has on a Mac
                real = os.path.relpath(os.path.realpath(absolute), folder)
                relative = relative if real.startswith("..") else real
        except ValueError:  # another drive of Windows
            return Path(absolute).as_uri()
    target = relative.replace(os.sep, "/")
    # Excel writes other scripts as they are; a name that is no text is known by its bytes.
    try:
        return _RESERVED.sub(lambda found: quote(os.fsencode(found[0]), safe=""), target)
    except UnicodeEncodeError:
        return None


class LinkCells:
    """The cells of one column of links on one sheet.

    Parameters
    ----------
    sheet
        Write-only worksheet.
    shown : str
        Text of every link.
    room : int
        Links that may still be made; what comes after is plain text.
    sanitiser : Sanitiser
        Cleans the plain texts, counts them.
    """

    def __init__(self, cells: ColumnCells, shown: str, room: int, sanitiser: Sanitiser) -> None:
        self.cells = cells
        self.room = room
        self.sanitiser = sanitiser
        self._cell = WriteOnlyCell(cells.sheet, value=shown)
        self._cell.font = font(link=True)

    def column(self, targets: Iterable[tuple[str, str | None] | None]) -> Iterator[Any]:
        """Yield a cell for each ``(text, target)``: the link, or the text where there can be none."""
        for pair in targets:
            if pair is None:
                yield None
                continue
            text, target = pair
            trap = self._trap(target)
            if trap is None:
                self.room -= 1
                self._cell.hyperlink = target
                yield self._cell
            else:
                self.sanitiser.traps[trap] += 1
                yield from self.cells.column([self.sanitiser.text(text)])

    def _trap(self, target: str | None) -> Trap | None:
        if target is None:
            return Trap.LINK_ODD
        if len(target) > LONGEST_TARGET:
            return Trap.LINK_TOO_LONG
        return Trap.LINKS_TOO_MANY if self.room <= 0 else None
