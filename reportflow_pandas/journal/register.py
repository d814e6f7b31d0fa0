"""Which document of the journal each row of the frame is, and how far each document is."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Mapping, Sequence

from reportflow_pandas.engine.outcomes import STATUSES, Outcomes
from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal.keys import KeySet
from reportflow_pandas.journal.recovery import mark_changed, moved, places_of
from reportflow_pandas.journal.spans import unbroken

__all__ = ["ACCEPTED", "FAILED", "IN_FLIGHT", "NOT_SENT", "READY", "UNKNOWN", "Register"]

NOT_SENT, ACCEPTED, READY, FAILED, UNKNOWN = range(len(STATUSES))
IN_FLIGHT = len(STATUSES)
"""Beside the codes of `STATUSES`: its intent is written, its outcome is not."""

_SENDABLE = bytes((NOT_SENT, FAILED))


class Register:
    """The documents of a run by number, and the rows of its frame by position.

    Parameters
    ----------
    past : Outcomes
        What the journal knows, by number.

    Attributes
    ----------
    state : bytearray
        A code for each document.
    numbers : array of int
        The document of each row.
    """

    def __init__(self, past: Outcomes) -> None:
        self.state = bytearray(past.status)
        self.numbers: array[int] = array("I")
        self._past = past
        self._known: Mapping[bytes, tuple[int, bytes | None]] | None = None
        self._held: Mapping[int, int] = {}
        self._seen: KeySet | None = None
        self._times: dict[bytes, int] = {}
        self._released: set[int] = set()

    def __len__(self) -> int:
        return len(self.state)

    # -- the frame -------------------------------------------------------------------------------------------

    def begin(
        self,
        past: Outcomes,
        known: Mapping[bytes, tuple[int, bytes | None]],
        held: Mapping[int, int] | None = None,
    ) -> None:
        """Expect a frame, row by row.

        Parameters
        ----------
        past : Outcomes
            What is known, by number.
        known : mapping
            The last document of each key, and its content's digest.
        held : mapping, optional
            Rows that stay the document that they are, whatever their content is now.
        """
        self._past = past
        self._known = known if len(past) else None
        self.state = bytearray(past.status)
        self.numbers = array("I")
        self._held = held or {}
        self._seen, self._times = KeySet(), {}
        # in a later frame, a row equal to a held one must be another document than that
        if stay := set(self._held.values()):
            self._seen.add([key for key, (number, _) in known.items() if number in stay])
        self._released = set()

    def add(
        self,
        keys: Sequence[bytes],
        outcomes: Outcomes,
        *,
        digests: Sequence[bytes] | None = None,
        again: Collection[int] = (),
    ) -> tuple[Sequence[int], list[int]]:
        """Take the next rows and bring their outcomes to what is known.

        Returns
        -------
        sequence of int
            Which of them, counted from the first, are new documents; their numbers follow the last one's.
        list of int
            Positions whose content changed after the document was accepted.
        """
        if self._known is None:
            numbers = range(len(self.state), len(self.state) + len(keys))
            self.numbers.extend(numbers)
            self.state.extend(bytes(len(keys)))
            return range(len(keys)), []
        first = len(self.numbers)
        fresh: list[int] = []
        changed: list[int] = []
        for offset, key in enumerate(keys):
            position = first + offset
            if position in self._held:
                self.numbers.append(self._held[position])
                outcomes.restore(moved(self._past, self._held[position], position))
                continue
            number, digest = self._known.get(key, (-1, None))
            if number < 0 or position in again or self.state[number] not in (ACCEPTED, READY, UNKNOWN):
                fresh.append(offset)
                self.numbers.append(len(self.state))
                self.state.append(NOT_SENT)
                continue
            self.numbers.append(number)
            outcomes.restore(moved(self._past, number, position))
            good = self.state[number] in (ACCEPTED, READY)
            if good and digests is not None and digest is not None and digest != digests[offset]:
                changed.append(position)
        mark_changed(outcomes, changed)
        return fresh, changed

    def told_apart(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        """Return keys of which no two in this frame are equal: the second of two equal ones is another."""
        seen = self._seen
        assert seen is not None  # noqa: S101 - a frame was begun
        own, first = list(keys), len(self.numbers)
        free: Sequence[int] = range(len(own))
        if self._held:
            free = [offset for offset in free if first + offset not in self._held]
            keys = [own[offset] for offset in free]
        for place in seen.add(keys):
            own[free[place]] = self._another(seen, keys[place])
        return own

    def _another(self, seen: KeySet, key: bytes) -> bytes:
        """Return the key of the next document that is equal to one seen."""
        times = self._times.get(key, 0)
        while True:
            times += 1
            own = hashlib.blake2b(key + times.to_bytes(8, "big"), digest_size=16).digest()
            if not seen.add([own]):
                self._times[key] = times
                return own

    def end(self) -> list[int]:
        """Return the documents that are in no row any more and were certainly not accepted: nobody needs them."""
        gone: list[int] = []
        if self._known is not None:
            here = set(self.numbers)
            gone = [n for n, state in enumerate(self.state) if state in _SENDABLE and n not in here]
        self._past, self._known, self._seen, self._times = Outcomes([]), None, None, {}
        return gone

    def take_up(self, numbers: array[int], outcomes: Outcomes, past: Outcomes) -> None:
        """Take a frame up again, and bring its outcomes to what is known."""
        self.numbers = numbers
        for position, number in enumerate(numbers):
            if past.status[number] or past.error_kind[number] is not None:
                outcomes.restore(moved(past, number, position))
        self._past = Outcomes([])

    @property
    def past(self) -> Outcomes | None:
        """What the journal knew when it was opened, by number; None when it was let go or documents came since."""
        return self._past if len(self._past) == len(self.state) else None

    # -- calls -----------------------------------------------------------------------------------------------

    def numbers_of(self, positions: Sequence[int]) -> Sequence[int]:
        """Return the documents of rows."""
        if len(positions) == 1:
            return (self.numbers[positions[0]],)
        if unbroken(positions):
            return self.numbers[positions[0] : positions[-1] + 1]
        return [self.numbers[position] for position in positions]

    def places(self) -> array[int]:
        """Return the row of each document, -1 where it is in none."""
        return places_of(self.numbers, len(self.state))

    def mark(self, numbers: Sequence[int], state: int) -> None:
        """Set the state of documents."""
        states = self.state
        for number in numbers:
            states[number] = state

    def know(self, positions: Sequence[int], statuses: Sequence[int]) -> None:
        """Set the state of the documents of rows to what the rows' statuses are."""
        states, numbers = self.state, self.numbers
        for position in positions:
            states[numbers[position]] = statuses[position]

    def release(self, number: int) -> None:
        """Let a document be sent again although it may have been accepted: somebody asked for it."""
        self._released.add(number)

    def take_off(self, run: str, positions: Sequence[int]) -> Sequence[int]:
        """Set rows to being sent and return their documents: the last door before the service.

        Raises
        ------
        JournalError
            One of them must not be sent; none of them is set.
        """
        numbers, states = self.numbers_of(positions), self.state
        for number in numbers:
            if states[number] not in _SENDABLE:
                self._refuse_twice(run, positions, numbers)
                break
        for number in numbers:
            states[number] = IN_FLIGHT
        return numbers

    def _refuse_twice(self, run: str, positions: Sequence[int], numbers: Sequence[int]) -> None:
        states = self.state
        for position, number in zip(positions, numbers, strict=True):
            state = states[number]
            if state in _SENDABLE or (state == UNKNOWN and number in self._released):
                continue
            word = "being sent" if state == IN_FLIGHT else STATUSES[state]
            raise JournalError(
                f"row {position} of run {run!r} is {word} already and was about to be sent again; it was not. "
                "This is an error of reportflow-pandas, please report it"
            )
