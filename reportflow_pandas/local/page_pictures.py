"""Pictures of pages, for the page for people; only where the extra ``preview`` is installed."""

from __future__ import annotations

import importlib.util
import io
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Pictures", "picture_of"]

SMALL = 420
LARGE = 1240
KEPT = 400

_one_at_a_time = threading.Lock()
"""PDFium is not made for threads."""


class Pictures:
    """Pages as PNG, the latest kept."""

    def __init__(self, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._in_thread = in_thread
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.available = all(importlib.util.find_spec(name) for name in ("pypdfium2", "PIL"))

    async def of(self, name: str, pdf: Callable[[], Awaitable[bytes]], page: int | None = None) -> bytes:
        """Return a small picture of the first page or a large one of any, made from the PDF if it is not there."""
        key = f"{name} {page}"
        picture = self._kept.get(key)
        if picture is None:
            width = SMALL if page is None else LARGE
            picture = bytes(await self._in_thread(picture_of, await pdf(), page or 1, width))
            self._kept[key] = picture
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return picture

    async def pages(self, pdf: bytes) -> int:
        """Return how many pages a PDF has."""
        return int(await self._in_thread(_count, pdf))


def _count(pdf: bytes) -> int:
    import pypdfium2  # noqa: PLC0415 - an extra

    with _one_at_a_time:
        document = pypdfium2.PdfDocument(pdf)
        try:
            return len(document)
        finally:
            document.close()


def picture_of(pdf: bytes, number: int, width: int) -> bytes:
    """Return a page, counted from 1, as PNG of this many pixels' width."""
    import pypdfium2  # noqa: PLC0415 - an extra

    with _one_at_a_time:
        document = pypdfium2.PdfDocument(pdf)
        try:
            page = document[min(number, len(document)) - 1]
            image = page.render(scale=width / page.get_width()).to_pil()
        finally:
            document.close()
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
