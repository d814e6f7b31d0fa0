"""Document numbers as text: ``0-99 104``, in the order in which they travel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["numbers_in", "spans", "stretches", "unbroken"]


def unbroken(numbers: Sequence[int]) -> bool:
    """Whether each number, of one at least, follows the one before.

    Examples
    --------
    >>> unbroken([5, 6, 7]), unbroken([5, 7])
    (True, False)
    """
    first, last = numbers[0], numbers[-1]
    return last - first == len(numbers) - 1 and list(numbers) == list(range(first, last + 1))


def spans(numbers: Sequence[int]) -> str:
    """Return numbers as text, their order kept.

    Examples
    --------
    >>> spans([5, 6, 7, 3])
    '5-7 3'
    """
    if len(numbers) < 2:
        return str(numbers[0]) if len(numbers) else ""
    if unbroken(numbers):
        return _text(numbers[0], numbers[-1])
    parts: list[str] = []
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            parts.append(_text(first, last))
            first = number
        last = number
    return " ".join([*parts, _text(first, last)])


def _text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def numbers_in(text: str) -> Sequence[int]:
    """Return the numbers that `spans` wrote.

    Examples
    --------
    >>> list(numbers_in("5-7 3"))
    [5, 6, 7, 3]
    """
    parts = [_span(part) for part in text.split()]
    if len(parts) == 1:
        return parts[0]
    return [number for part in parts for number in part]


def _span(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def stretches(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return numbers, in any order, as unbroken stretches: the first of each, and how many.

    Examples
    --------
    >>> stretches([3, 5, 6, 7])
    [(3, 1), (5, 3)]
    """
    ordered = sorted(set(numbers))
    if ordered and ordered[-1] - ordered[0] == len(ordered) - 1:
        return [(ordered[0], len(ordered))]
    found: list[tuple[int, int]] = []
    for number in ordered:
        if found and number == found[-1][0] + found[-1][1]:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((number, 1))
    return found
