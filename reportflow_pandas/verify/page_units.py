"""The text of one page by PDFium, with its places, and what of it no eye can see.

Imports neither pandas nor the package: the reading program loads it by its path. Coordinates are PDF points, from
the page's lower left corner.
"""

from __future__ import annotations

import ctypes
import math
import re
import struct
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportflow_pandas.verify import glyph_outlines, page_objects, plain_pdfium as pdfium, reading_order
else:  # the program has loaded them by their paths
    import reportflow_glyph_outlines as glyph_outlines
    import reportflow_page_objects as page_objects
    import reportflow_plain_pdfium as pdfium
    import reportflow_reading_order as reading_order

__all__ = ["Page", "PageUnreadable"]

MOST_CHARACTERS = 200_000
"""On one page."""

MOST_OBJECTS = 50_000
SPACE_GAP, SAME_LEVEL = 0.18, 0.5
"""Of the letters' height: what stands further apart are two words; what shares less of it is another line."""
WIDE_GAP = 0.6
"""Of the letters' height: what stands further apart is another unit (a cell, a column)."""

COLUMN_GAP, LEAST_CELLS = 0.3, 3
"""Of the letters' height: what stands further apart is another cell where so many begin or end in that place."""

SPACE_WIDTH = 0.33
"""Of the letters' size, where their boxes are lower than that: no common font has a wider space."""

TINY_POINTS = 1.5
"""Height of letters that cannot be read."""

_OUTLINE_POINTS = ctypes.c_float(10.0)

LEAST_CONTRAST = 24
"""Of 255: less is not seen."""

_HYPHENS = dict.fromkeys((0x02, 0xFFFE), "\u00ad")
"""What PDFium calls a hyphen at a line's end."""

_LINE = re.compile("[^\r\n\0\x02\xad\ufffe]*[\x02\xad\ufffe]|[^\r\n\0\x02\xad\ufffe]+")
_WORD = re.compile(r"\S+")
_RECT, (_RECT_AT, *_) = pdfium.floats(4)
_AS_RECT = struct.Struct("4f").unpack_from
"""Left, top, right, bottom."""

_MATRIX, (_MATRIX_AT, *_) = pdfium.floats(6)

Box = page_objects.Box

Span = tuple[int, int, Box, Box]
"""Where a unit begins and ends, with the rooms of its first and its last word."""


class PageUnreadable(Exception):  # noqa: N818 - it is the answer for that file
    """Why a page can't be read."""


class Page:
    """The text of one page, in units: characters of one line without a wide gap."""

    def __init__(self, document: Any, number: int) -> None:
        self.page = pdfium.handle(pdfium.FPDF_LoadPage(document, number))
        if not self.page:
            raise PageUnreadable(f"page {number + 1} can't be opened")
        self.text = pdfium.handle(pdfium.FPDFText_LoadPage(self.page))
        if not self.text:
            pdfium.FPDF_ClosePage(self.page)
            raise PageUnreadable(f"the text of page {number + 1} can't be read")
        self.size = (pdfium.FPDF_GetPageWidthF(self.page), pdfium.FPDF_GetPageHeightF(self.page))
        self._turns = pdfium.FPDFPage_GetRotation(self.page) % 4
        self._edges = self._page_box()
        self._is_upright = not self._turns and self._edges[:2] == (0.0, 0.0)
        self._boxes: dict[int, Box] = {}
        self._gaps: dict[int, tuple[float, float]] = {}

    def close(self) -> None:
        """Give the page back."""
        pdfium.FPDFText_ClosePage(self.text)
        pdfium.FPDF_ClosePage(self.page)

    def characters(self) -> str:
        """Return the page's characters, one to an index of PDFium's."""
        count = pdfium.FPDFText_CountChars(self.text)
        if count > MOST_CHARACTERS:
            raise PageUnreadable(f"a page of it has more than {MOST_CHARACTERS:,} characters")
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (count + 1))()
        written = pdfium.FPDFText_GetText(self.text, 0, count, buffer)
        text = bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "replace")
        if len(text) != count:
            # a character beyond U+FFFF comes as its two halves, which JSON puts together
            codes = (pdfium.FPDFText_GetUnicode(self.text, at) for at in range(count))
            text = "".join(chr(code) if 0 < code < 0x110000 else "\ufffd" for code in codes)
        return text

    def _page_box(self) -> Box:
        """Return what of the page is shown, in the file's own coordinates."""
        if not pdfium.FPDF_GetPageBoundingBox(self.page, _RECT_AT):
            return (0.0, 0.0, *(self.size if self._turns % 2 == 0 else self.size[::-1]))
        left, top, right, bottom = _AS_RECT(_RECT)
        return (left, bottom, right, top)

    def box(self, at: int) -> Box:
        """Return the room of a character, as high as its font, from the lower left corner of the page as shown."""
        box = self._boxes.get(at)
        if box is None:
            box = self._own_box(at)
            if not self._is_upright:
                box = self._turned(box)
            self._boxes[at] = box
        return box

    def _turned(self, box: Box) -> Box:
        left, bottom, right, top = box
        x, y, far_x, far_y = self._edges
        if self._turns == 0:
            return (left - x, bottom - y, right - x, top - y)
        if self._turns == 1:
            return (bottom - y, far_x - right, top - y, far_x - left)
        if self._turns == 2:
            return (far_x - right, far_y - top, far_x - left, far_y - bottom)
        return (far_y - top, left - x, far_y - bottom, right - x)

    def _own_box(self, at: int) -> Box:
        if not pdfium.FPDFText_GetLooseCharBox(self.text, at, _RECT_AT):
            return (0.0, 0.0, 0.0, 0.0)
        left, top, right, bottom = _AS_RECT(_RECT)
        return (left, bottom, right, top)

    def units(self) -> list[list[Any]]:
        """Return ``[text, left, bottom, right, top, hidden]`` in the order in which the file holds them."""
        text = self.characters()
        hidden = self._hidden(text)
        boxes = self._boxes_for_glyphs(text)
        shown = "".join("\ufffd" if at in boxes else char for at, char in enumerate(text)) if boxes else text
        shown = shown.translate(_HYPHENS)
        is_turned = not shown.isascii() and any(map(reading_order.is_right_to_left, set(shown)))
        chars = list(shown)
        self._gaps = {}
        found: list[list[Any]] = []
        is_plain = not hidden and not is_turned
        for begin, end in self._in_columns(list(self._joined(self._spans(text), chars))):
            if is_plain:
                left, bottom, right, top = self._room(begin, end)
                said = "".join(chars[begin:end]).strip()
                found.append([said, round(left), round(bottom), round(right), round(top), 0])
            else:
                found += self._divided(chars, begin, end, hidden, is_turned=is_turned)
        found = reading_order.reunited(found)
        return reading_order.turned_lines(found) if is_turned else found

    def _joined(self, spans: Iterable[Span], chars: list[str]) -> Iterator[tuple[int, int]]:
        """Yield spans, those together that PDFium took for lines of their own though they stand side by side."""
        waiting: tuple[int, int] | None = None
        last: Box = (0.0, 0.0, 0.0, 0.0)
        for begin, end, box, last_of_span in spans:
            if waiting is None:
                waiting = (begin, end)
            else:
                low, high = last[3] - last[1], box[3] - box[1]
                if low > high:
                    low, high = high, low
                level = min(box[3], last[3]) - max(box[1], last[1])
                gap = max(box[0] - last[2], last[0] - box[2])
                if level >= SAME_LEVEL * max(low, 1.0) and -SAME_LEVEL * high <= gap <= WIDE_GAP * max(high, 1.0):
                    # nothing or a space in place of the line break
                    chars[waiting[1] : begin] = ["" for _ in range(waiting[1], begin)]
                    if gap > SPACE_GAP * high and waiting[1] < begin:
                        chars[waiting[1]] = " "
                    if gap > COLUMN_GAP * high and gap > SPACE_WIDTH * self._font_size(begin):
                        self._gaps[begin] = (min(last[2], box[2]), max(last[0], box[0]))
                    waiting = (waiting[0], end)
                else:
                    yield waiting
                    waiting = (begin, end)
            last = last_of_span
        if waiting is not None:
            yield waiting

    def _spans(self, text: str) -> Iterator[Span]:
        """Yield where units begin and end; PDFium puts a space into every gap and a line break between lines."""
        room = self._room
        for line in _LINE.finditer(text):
            begin = end = -1
            first = last = (0.0, 0.0, 0.0, 0.0)
            high = 0.0
            for word in _WORD.finditer(text, *line.span()):
                start, after = word.span()
                box = room(start, after)
                left, bottom, right, top = box
                own = top - bottom
                if begin < 0:
                    begin, first = start, box
                else:
                    height = max(own, high, 1.0)
                    gap = max(left - last[2], last[0] - right)
                    level = min(top, last[3]) - max(bottom, last[1])
                    if gap > WIDE_GAP * height or level < 0.3 * min(own, high):
                        yield begin, end, first, last
                        begin, first = start, box
                    elif gap > COLUMN_GAP * height and gap > SPACE_WIDTH * self._font_size(start):
                        self._gaps[start] = (min(last[2], right), max(last[0], left))
                end, last, high = after, box, own
            if begin >= 0:
                yield begin, end, first, last

    def _room(self, begin: int, end: int) -> Box:
        """Return the room of a word, by its first and its last character."""
        box = self.box(begin)
        return box if end - begin == 1 else reading_order.around(box, self.box(end - 1))

    def _in_columns(self, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield spans, those in two that go over a gap at which cells of several other lines end or begin."""
        if not self._gaps:
            yield from spans
            return
        lefts, rights = Counter[int](), Counter[int]()
        for begin, end in spans:
            one, two = self.box(begin), self.box(end - 1)
            lefts[round(min(one[0], two[0]))] += 1
            rights[round(max(one[2], two[2]))] += 1
        cuts = [
            at
            for at, (right, left) in sorted(self._gaps.items())
            if max(_near(lefts, left), _near(rights, right)) >= LEAST_CELLS
        ]
        for begin, end in spans:
            first = begin
            for at in cuts[bisect_right(cuts, begin) : bisect_left(cuts, end)]:
                yield first, at
                first = at
            yield first, end

    def _divided(
        self, text: list[str], begin: int, end: int, hidden: set[int], *, is_turned: bool
    ) -> list[list[Any]]:
        """Return a unit; where a part of it is hidden, that part by itself."""
        parts = [(begin, end, 0)]
        if hidden.isdisjoint(range(begin, end)):
            if is_turned and (unit := reading_order.right_to_left(text, self.box, begin, end)):
                return [unit]
        else:
            parts = []
            for at in range(begin, end):
                state = int(at in hidden)
                if (not text[at] or text[at].isspace()) and parts:
                    state = parts[-1][2]
                if parts and parts[-1][2] == state:
                    parts[-1] = (parts[-1][0], at + 1, state)
                else:
                    parts.append((at, at + 1, state))
        units = []
        for first, after, state in parts:
            left, bottom, right, top = self._room(first, after)
            said = "".join(text[first:after]).strip()
            if is_turned and " " not in said:
                middles = ((sum(self.box(at)[::2]) / 2, text[at]) for at in range(first, after))
                said = reading_order.from_left([(x, char) for x, char in middles if char.strip()])
            units.append([said, round(left), round(bottom), round(right), round(top), state])
        return units

    # -- what the eye does not see -----------------------------------------------------------------------------

    def _hidden(self, text: str) -> set[int]:
        """Return the characters that the text has and the picture has not."""
        clipped, doubtful, small = self._suspects()
        width, height = self.size
        hidden: set[int] = set()
        if not clipped and not doubtful and not small:
            return hidden
        doubts: dict[int, list[int]] = {}
        for at, pointer in self._owners(text):
            if pointer in small and 0 < self._font_size(at) < TINY_POINTS:
                hidden.add(at)
                continue
            clip = clipped.get(pointer)
            if clip is not None:
                left, bottom, right, top = self._own_box(at)
                x, y = (left + right) / 2, (bottom + top) / 2
                if not (clip[0] <= x <= clip[2] and clip[1] <= y <= clip[3]):
                    hidden.add(at)
                    continue
            if pointer in doubtful:
                doubts.setdefault(pointer, []).append(at)
        if doubts and width * height < 4_000_000:
            hidden |= self._without_contrast(doubts)
        return hidden

    def _owners(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield each character that is no space with the text object that it belongs to."""
        for word in _WORD.finditer(text):
            begin, end = word.span()
            first, last = (pdfium.FPDFText_GetTextObject(self.text, at) for at in (begin, end - 1))
            for at in range(begin, end):
                # objects follow each other: what is between is the same
                yield at, first if first == last else pdfium.FPDFText_GetTextObject(self.text, at)

    def _font_size(self, at: int) -> float:
        """Return the size of a character in points; 0 where it is not known."""
        if not pdfium.FPDFText_GetMatrix(self.text, at, _MATRIX_AT):
            return 0.0
        size: float = pdfium.FPDFText_GetFontSize(self.text, at)
        return size * math.hypot(_MATRIX[2], _MATRIX[3])

    def _suspects(self) -> tuple[dict[int, Box], set[int], set[int]]:
        """Return text objects that are clipped, with what is left of them; those in doubt; tiny ones."""
        clipped: dict[int, Box] = {}
        doubtful: set[int] = set()
        small: set[int] = set()
        texts: list[tuple[int, Box]] = []
        page: Box = (self._edges[0] - 1, self._edges[1] - 1, self._edges[2] + 1, self._edges[3] + 1)
        for count, (address, thing, mode, around, is_inner) in enumerate(page_objects.painted(self.page)):
            if count > MOST_OBJECTS:
                raise PageUnreadable(f"a page of it has more than {MOST_OBJECTS:,} objects")
            box = page_objects.bounds(thing)
            if mode >= 0:
                clip = page_objects.clip(thing)
                if around is not None:
                    clip = page_objects.within(clip, around)
                limit = page if clip is None else page_objects.common(clip, page)
                if not page_objects.holds(limit, box):
                    clipped[address] = limit
                if mode == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE or page_objects.is_faint(thing):
                    doubtful.add(address)
                # a full stop is not high either; in a form, which may shrink it, each letter is asked
                if box[3] - box[1] < TINY_POINTS and (is_inner or page_objects.font_height(thing) < TINY_POINTS):
                    small.add(address)
                texts.append((address, box))
            elif (box[2] - box[0]) * (box[3] - box[1]) > 20 and page_objects.covers(thing):
                doubtful |= {text for text, under in texts if page_objects.has_middle(box, under)}
        return clipped, doubtful, small

    def _without_contrast(self, doubts: dict[int, list[int]]) -> set[int]:
        """Return characters of which no letter can be seen in a picture of the page."""
        scale = 2.0
        width, height = (max(1, round(side * scale)) for side in self.size)
        bitmap = pdfium.handle(pdfium.FPDFBitmap_Create(width, height, 0))
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, ctypes.c_ulong(0xFFFFFFFF))
            flags = pdfium.FPDF_GRAYSCALE
            pdfium.FPDF_RenderPageBitmap(bitmap, self.page, 0, 0, width, height, 0, flags)
            stride = pdfium.FPDFBitmap_GetStride(bitmap)
            picture = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)
        hidden: set[int] = set()
        for places in doubts.values():
            seen = 0
            for at in places:
                left, bottom, right, top = self.box(at)
                low, high = bottom + (top - bottom) * 0.25, bottom + (top - bottom) * 0.6
                rows = range(max(0, int(height - high * scale)), min(height, int(height - low * scale) + 1))
                first, after = max(0, int(left * scale)), min(width, int(right * scale) + 1)
                strips = [picture[row * stride + 4 * first : row * stride + 4 * after : 4] for row in rows]
                band = b"".join(strips)
                seen += bool(band) and max(band) - min(band) >= LEAST_CONTRAST
            if seen * 3 < len(places):
                hidden.update(places)
        return hidden

    # -- boxes where letters should be ----------------------------------------------------------------------------

    def _boxes_for_glyphs(self, text: str) -> set[int]:
        """Return the characters that are printed as the font's box for "none": other letters look the same."""
        fonts: dict[int, dict[str, Any]] = {}
        owner: dict[int, int] = {}
        for at in glyph_outlines.telling(text):
            font = self._font(at)
            if font:
                owner[at] = font
                letters = fonts.setdefault(font, {})
                if text[at] not in letters:
                    letters[text[at]] = pdfium.handle(
                        pdfium.FPDFFont_GetGlyphPath(pdfium.handle(font), ord(text[at]), _OUTLINE_POINTS)
                    )
        boxes = {(font, char) for font, letters in fonts.items() for char in glyph_outlines.alike(letters)}
        if not boxes:
            return set()
        chars = {char for _, char in boxes}
        return {
            at
            for at, char in enumerate(text)
            if char in chars and (owner.get(at) or self._font(at), char) in boxes
        }

    def _font(self, at: int) -> int:
        """Return the font of a character; 0 for one that is not painted."""
        thing = pdfium.FPDFText_GetTextObject(self.text, at)
        return (pdfium.FPDFTextObj_GetFont(pdfium.handle(thing)) or 0) if thing else 0

    def is_bare(self) -> bool:
        """Tell whether nothing at all is painted: no text, no line, no picture."""
        for _, thing, mode, _, _ in page_objects.painted(self.page):
            is_path = page_objects.kind_of(thing) == pdfium.FPDF_PAGEOBJ_PATH
            if mode < 0 and not (is_path and page_objects.is_faint(thing)):
                return False
        return True


def _near(places: Counter[int], place: float) -> int:
    """Return how many there are at a place, but for a point."""
    middle = round(place)
    return places[middle - 1] + places[middle] + places[middle + 1]
