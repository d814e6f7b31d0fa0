"""Pages that are missing, doubled, turned or empty, and counts of pages that no document of its size has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from reportflow_pandas.verify.document_text import DocumentText
from reportflow_pandas.verify.expected_values import ExpectedValues, Sample
from reportflow_pandas.verify.few_documents import are_few
from reportflow_pandas.verify.layout import Layout
from reportflow_pandas.verify.suspicion import Finding

__all__ = ["blank_pages", "learn_pages", "page_count", "wrong_pages"]

_EMPTY_SHARE = 0.3
"""Of the documents: where so many have a page without text, the design means it."""
_REPEATED_SHARE = 0.05
"""Of the documents: where more have a page twice, the design prints copies."""
_LEAST_UNITS = 3
_COUNTED_SHARE = 0.9
"""Of the documents that have a mark such as ``1/3``: in so many it says the page and how many there are."""
_LEAST_COUNTED = 4
_SIZE_SHARE = 0.05
_SAMPLE_PAGES = 10
_NEAREST = 6
_LONGEST_MARK = 40
_TWO_NUMBERS = re.compile(r"\D*(\d+)\D+(\d+)\D*")


def learn_pages(layout: Layout, sample: Sample) -> None:
    """Learn how many pages documents have, of which sizes, and what they say of it.

    Parameters
    ----------
    layout : Layout
        Is told.
    sample : sequence of tuple
        Texts of documents, and what they should show.
    """
    count = len(sample)
    empty = sum(bool(document.empty_pages) for document, _ in sample)
    twice = sum(bool(list(_repeated(document))) for document, _ in sample)
    layout.has_empty_pages = empty - twice > _EMPTY_SHARE * count
    layout.has_repeated_pages = are_few(count) or twice > max(1, _REPEATED_SHARE * count)
    layout.page_counts = sorted((expected.size, len(document.sizes)) for document, expected in sample)
    sizes = Counter(size for document, _ in sample for size in set(map(_rounded, document.sizes)))
    layout.page_sizes = {size for size, number in sizes.items() if number > max(1, _SIZE_SHARE * count)}
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for document, _ in sample:
        marks = dict(_page_marks(document))
        seen.update(marks.keys())
        right.update(mask for mask, (_, pages) in marks.items() if pages == len(document.sizes))
    layout.page_marks = {
        mask
        for mask, number in seen.items()
        if number >= max(_LEAST_COUNTED, count // 2) and right[mask] >= _COUNTED_SHARE * number
    }


def _page_marks(document: DocumentText) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield the first page's texts such as ``1/3`` by their masks, and the second of their numbers."""
    for number, unit in enumerate(document.units):
        if unit.page:
            return
        found = _TWO_NUMBERS.fullmatch(unit.text) if "1" in unit.text[:_LONGEST_MARK] else None
        if found is not None and found[1] == "1" and len(unit.text) <= _LONGEST_MARK:
            yield document.mask(number), (unit.raw, int(found[2]))


def _repeated(document: DocumentText) -> Iterator[tuple[int, int]]:
    """Yield pages on which the same stands as on one before, and that one."""
    if len(document.sizes) == 1:
        return
    pages: dict[int, list[tuple[str, int, int]]] = {}
    for unit in document.units:
        pages.setdefault(unit.page, []).append((unit.text, round(unit.box[0]), round(unit.box[1])))
    first: dict[tuple[tuple[str, int, int], ...], int] = {}
    for page, units in pages.items():
        if len(units) >= _LEAST_UNITS and (before := first.setdefault(tuple(units), page)) != page:
            yield page, before


def _rounded(size: Sequence[float]) -> tuple[int, int]:
    return round(size[0]), round(size[1])


def blank_pages(layout: Layout, document: DocumentText) -> list[Finding]:
    """Return pages without anything, and such as have nothing but what stands on every page."""
    with_text = {unit.page for unit in document.units}
    if not with_text and not all(document.bare):
        return [Finding("unreadable", found="it has no text that can be read: letters as pictures or outlines")]
    if layout.has_empty_pages and with_text:
        return []
    empty = document.empty_pages
    twice = {page for pair in _repeated(document) for page in pair} if empty else set()
    return [
        Finding(
            "blank_page",
            found="only what stands on every page is on this one"
            if page in with_text
            else "nothing is on this page",
            page=page + 1,
        )
        for page in empty
        if page not in twice
    ]


def wrong_pages(layout: Layout, document: DocumentText) -> list[Finding]:
    """Return pages that are there twice or turned, and a count of pages other than the document says."""
    found = []
    if not layout.has_repeated_pages:
        found = [
            Finding("pages", found=f"page {page + 1} is page {before + 1} once more", page=page + 1)
            for page, before in _repeated(document)
        ]
    for page, size in enumerate(map(_rounded, document.sizes)):
        if size not in layout.page_sizes and size[::-1] in layout.page_sizes:
            found.append(Finding("pages", found=f"page {page + 1} is turned on its side", page=page + 1))
    count = len(document.sizes)
    for mask, (text, pages) in _page_marks(document) if layout.page_marks and not found else ():
        if mask in layout.page_marks and pages != count:
            what = "a page is missing" if pages > count else "there are pages too many"
            found.append(Finding("pages", expected=f"{pages} pages: {text}", found=f"{count}, {what}", page=count))
            break
    return found


def page_count(
    layout: Layout, document: DocumentText, expected: ExpectedValues, *, is_wrong: bool
) -> list[Finding]:
    """Return a count of pages that no document of its size has, or of nearly its size if it is wrong anyhow."""
    count, size = len(document.sizes), expected.size
    larger = [pages for other, pages in layout.page_counts if other >= size]
    smaller = [pages for other, pages in layout.page_counts if other <= size]
    nearest = sorted(layout.page_counts, key=lambda one: abs(one[0] - size))[: _NEAREST + 1]
    near = [pages for other, pages in nearest if (other, pages) != (size, count)][:_NEAREST]
    if len(larger) >= _SAMPLE_PAGES and count > max(larger):
        usual = max(larger)
    elif len(smaller) >= _SAMPLE_PAGES and count < min(smaller):
        usual = min(smaller)
    elif is_wrong and len(near) == _NEAREST and not min(near) <= count <= max(near):
        usual = sorted(near)[_NEAREST // 2]
    else:
        return []
    return [Finding("pages", expected=f"{usual} or so", found=f"{count}", page=count)]
