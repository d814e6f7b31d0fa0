"""Words that go with a value which is not printed itself: ``yes`` and ``no``, a tick, a section, ``€``."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reportflow_pandas.verify.document_text import DocumentText, Place, Unit
from reportflow_pandas.verify.expected_values import Value
from reportflow_pandas.verify.text_forms import is_cjk, masked

__all__ = ["Contradiction", "StateWords", "Word", "learn_words", "states_of", "words_of", "words_of_line"]

Word = tuple[str, str]
"""The fixed text before it, * for any, and the word: digits hidden, values of the row as one blank."""

State = tuple[str, str | None]
"""A parameter, and the text that its value has; None for a blank one."""

_MOST_STATES = 12
_LEAST_SEEN = 4
_FAULTY_SHARE, _FAULTY_LEAST = 0.02, 2.0
"""Of the documents, and in numbers: so many may contradict their rows when a word is learned.

More are a rule of the design that is not known, or data that go together, as often as faults: with a share of 10 %
a tenth of the documents of such a run would be called wrong.
"""
_FAULTY_WORD = 0.1
"""The same, of the documents that have the word."""
_CHANCE = 1e-6
"""A word that goes with a state by chance as likely as this is not learned."""
_COVERED_SHARE = 0.9
"""Of a state's documents that have one of its words: from here on a document without any lacks it."""
_SILENT_CHANCE = 0.05
"""Of none of a state's documents among those that have its words; more is no wonder."""
_OTHER_WORDING = 3
"""Words that all of a state's documents have and no others: they are of another language."""
_DOUBTFUL_SHARE = 0.6
_DOUBTFUL_CHANCE = 1e-9
"""A word that goes with a state in so many of their documents is told of, though it is not learned."""
_COLUMN_POINTS = 6
_PUNCTUATION = re.compile(r"[#\0.,:;'()/]+")


class Contradiction(NamedTuple):
    """A parameter whose words are those of another value, with a place; None where it has none of its own."""

    parameter: str
    word: Word | None


Documents = set[int]


@dataclass
class StateWords:
    """What was learned.

    Attributes
    ----------
    words : dict
        Word to the states that it goes with.
    complete : set of State
        States of which each document has a word.
    silent : dict
        State to the states of others in which it has none: a language of which there are too few documents.
    doubts : dict of str
        Parameters that words go with and against, and what is said of them.
    """

    words: dict[Word, set[State]] = field(default_factory=dict)
    complete: set[State] = field(default_factory=set)
    silent: dict[State, set[State]] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> set[str]:
        """The parameters that can be judged by words."""
        return {name for states in self.words.values() for name, _ in states}

    def contradictions(self, words: Iterable[Word], states: Mapping[str, str | None]) -> list[Contradiction]:
        """Return the parameters whose values a document contradicts by its words."""
        found: dict[str, Contradiction] = {}
        said: set[State] = set()
        for word in words:
            for state in self.words.get(word, ()):
                said.add(state)
                name, text = state
                if states.get(name) != text:
                    found.setdefault(name, Contradiction(name, word))
        for state in sorted(self.complete - said, key=str):
            is_silent = any(states.get(name) == text for name, text in self.silent.get(state, ()))
            if states.get(state[0]) == state[1] and not is_silent:
                found.setdefault(state[0], Contradiction(state[0], None))
        return list(found.values())


def words_of(document: DocumentText, covered: bytearray, fixed: set[str]) -> dict[Word, Place]:
    """Return the words of a document that are no values of its row, with where they stand."""
    found: dict[Word, Place] = {}
    previous = ""
    is_covered = covered.find
    for unit in document.units:
        begin, end = unit.begin, unit.begin + len(unit.text)
        is_touched = is_covered(1, begin, end) >= 0
        if is_touched and is_covered(0, begin, end) < 0:
            previous = masked(unit.text)
            continue
        if text := _uncovered(unit, covered) if is_touched else _telling(unit.text):
            place = Place(begin, end)
            found.setdefault(("*", text), place)
            if previous in fixed:
                found.setdefault((previous, text), place)
        previous = masked(unit.text)
    return found


def words_of_line(document: DocumentText, covered: bytearray, units: Iterable[int]) -> dict[Word, Place]:
    """Return the words of a table's line, each with its column in place of what stands before it."""
    found: dict[Word, Place] = {}
    for number in units:
        unit = document.units[number]
        if text := _uncovered(unit, covered):
            column = f"@{(unit.box[0] + unit.box[2]) // _COLUMN_POINTS:.0f}"
            found.setdefault((column, text), Place(unit.begin, unit.end))
    return found


def _uncovered(unit: Unit, covered: bytearray) -> str:
    text = unit.text
    if covered.find(1, unit.begin, unit.end) >= 0:
        if covered.find(0, unit.begin, unit.end) < 0:
            return ""
        text = "".join("\0" if covered[unit.begin + at] else char for at, char in enumerate(text))
        text = re.sub("\0+", "\0", text)
    return _telling(text)


@functools.lru_cache(maxsize=65536)
def _telling(text: str) -> str:
    """Return a text with its digits hidden; nothing where that is all."""
    text = masked(text)
    return text if _PUNCTUATION.sub("", text) else ""


def states_of(values: Mapping[str, Value]) -> dict[str, str | None]:
    """Return the states of a row's parameters, or of a line's fields; what is not there is blank."""
    states: dict[str, str | None] = {name: value.text for name, value in values.items()}
    # explains words, and is no parameter: the language of a run in two
    states[""] = str(any(is_cjk(char) for value in values.values() for char in value.text))
    return states


def learn_words(seen: Sequence[tuple[Iterable[Word], Mapping[str, str | None]]], told: set[str]) -> StateWords:
    """Return the words that go with values.

    Parameters
    ----------
    seen : sequence of tuple
        Words and states of each document (or line); states that explain words without being told of count too.
    told : set of str
        Parameters that shall be judged by words.
    """
    having: dict[State, set[int]] = defaultdict(set)
    where: dict[Word, set[int]] = defaultdict(set)
    names = {name for _, states in seen for name in states}
    for number, (words, states) in enumerate(seen):
        for name in names:
            having[name, states.get(name)].add(number)
        for word in words:
            where[word].add(number)
    values = Counter(name for name, _ in having)
    known = {state: numbers for state, numbers in having.items() if values[state[0]] <= _MOST_STATES}
    most_faulty = max(_FAULTY_LEAST, _FAULTY_SHARE * len(seen))
    learned = StateWords()
    for word, explaining in _explained(where, known, set(range(len(seen))), most_faulty):
        if own := {state for state in explaining if state[0] in told}:
            learned.words.setdefault(word, set()).update(own)
    _learn_complete(learned, where, known, len(seen))
    with_words = {state for states in learned.words.values() for state in states}
    for documents in where.values():
        doubt = _doubt(documents, known, len(seen))
        if doubt is not None and doubt[0][0] in told and doubt[0] not in with_words:
            (name, _), said = doubt
            learned.doubts[name] = max(said, learned.doubts.get(name, ""), key=len)
    return learned


def _learn_complete(
    learned: StateWords, where: Mapping[Word, Documents], known: Mapping[State, Documents], every: int
) -> None:
    """Learn the states of which each document has a word, those of another language apart."""
    for state in {state for states in learned.words.values() for state in states}:
        saying = (where[word] for word, states in learned.words.items() if state in states)
        told_by_words = known[state].intersection(set().union(*saying))
        silent = _silent(known[state] - told_by_words, told_by_words, where, known, every)
        asked = known[state].difference(*(known[other] for other in silent))
        most_faulty = max(_FAULTY_LEAST, _FAULTY_SHARE * every)
        if len(told_by_words) >= max(len(asked) - most_faulty, _COVERED_SHARE * len(asked)):
            learned.complete.add(state)
            learned.silent[state] = silent
            if silent:
                learned.doubts[state[0]] = f"not judged {_said(silent, known)}: its words there are not known"


def _silent(
    mute: Documents,
    told_by_words: Documents,
    where: Mapping[Word, Documents],
    known: Mapping[State, Documents],
    every: int,
) -> set[State]:
    """Return the states in whose documents another has none of its words: they are of another language."""
    return {
        other
        for other, own in known.items()
        if own & mute
        and not own & told_by_words
        and (
            (1 - len(own) / every) ** len(told_by_words) < _SILENT_CHANCE
            or sum(documents == own for documents in where.values()) >= _OTHER_WORDING
        )
    }


def _said(states: set[State], known: Mapping[State, Documents]) -> str:
    """Return the state of most documents, a parameter's rather than that of their script."""
    name, text = min(states, key=lambda one: (not one[0], -len(known[one]), str(one)))
    if not name:
        return f"in documents {'with' if text == str(True) else 'without'} Japanese or Chinese text"
    return f"where {name} is {'blank' if text is None else text}"


def _doubt(documents: Documents, known: Mapping[State, Documents], every: int) -> tuple[State, str] | None:
    """Return the state that a word goes with in most documents, and against in too many for faults."""
    chances = {
        state: _chance(len(documents & own), len(documents), len(own), every)
        for state, own in known.items()
        if len(documents & own) >= _DOUBTFUL_SHARE * max(len(documents), len(own))
    }
    if not chances or len(documents) == every:
        return None
    best = min(chances, key=lambda state: chances[state])
    against = len(documents ^ known[best])
    if chances[best] > math.log(_DOUBTFUL_CHANCE) or not against:
        return None
    return (
        best,
        f"its words fit it in {every - against:,} of {every:,} documents: too few to call the others wrong",
    )


def _explained(
    where: Mapping[Word, Documents], known: Mapping[State, Documents], every: Documents, most_faulty: float
) -> Iterator[tuple[Word, set[State]]]:
    """Yield words with the states that explain them: among all documents, and among those with the same place.

    In a run of two languages ``yes`` goes with English first of all; in its place, and among the documents in
    English, it goes with the flag alone.
    """
    groups: set[State] = set()
    for word, explaining in _likeliest(where, known, every, most_faulty):
        yield word, explaining
        groups |= explaining
    for group in groups:
        there = known[group]
        inside = {word: documents for word, documents in where.items() if documents <= there}
        yield from _likeliest(inside, known, there, most_faulty)
    places: dict[str, dict[Word, Documents]] = defaultdict(dict)
    for word, documents in where.items():
        if word[0] != "*":
            places[word[0]][word] = documents
    for words in places.values():
        yield from _likeliest(words, known, set().union(*words.values()), most_faulty, is_choice=True)


def _likeliest(
    words: Mapping[Word, Documents],
    known: Mapping[State, Documents],
    there: Documents,
    most_faulty: float,
    *,
    is_choice: bool = False,
) -> Iterator[tuple[Word, set[State]]]:
    """Yield words with the states that explain them best; words of one choice (yes, no) support each other."""
    inside = {state: documents & there for state, documents in known.items()}
    telling = {state: documents for state, documents in inside.items() if 0 < len(documents) < len(there)}
    chances: dict[Word, dict[State, float]] = {}
    of_choice: dict[str, float] = defaultdict(float)
    for word, documents in words.items():
        if _LEAST_SEEN <= len(documents) <= len(there) - _LEAST_SEEN:
            most = max(len(documents) > _LEAST_SEEN, min(most_faulty, _FAULTY_WORD * len(documents)))
            chances[word] = {
                state: _chance(len(documents & own), len(documents), len(own), len(there))
                for state, own in telling.items()
                if len(documents - own) <= most
            }
            for name in {name for name, _ in chances[word]}:
                of_choice[name] += min(chance for (other, _), chance in chances[word].items() if other == name)
    for word, states in chances.items():
        told = {state: min(chance, of_choice[state[0]] if is_choice else 0.0) for state, chance in states.items()}
        least = min(told.values(), default=0.0)
        if least <= math.log(_CHANCE):
            yield word, {state for state, chance in told.items() if chance <= least + 1e-9}


def _chance(hits: int, count: int, having: int, every: int) -> float:
    """Return the logarithm of how likely so many of a word's documents have a state by chance.

    Hypergeometric: that the state's documents have the word counts as much as that the word's have the state
    (https://en.wikipedia.org/wiki/Hypergeometric_distribution).
    """
    return _ways(having, hits) + _ways(every - having, count - hits) - _ways(every, count)


def _ways(size: int, count: int) -> float:
    """Return the logarithm of how many ways there are to choose some of a set."""
    return math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)
