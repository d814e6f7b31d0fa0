"""What a run would send of a frame, reckoned beside whoever carries it out: nothing is locked or written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from reportflow_pandas.engine.batching import Document
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.journal import journal_file
from reportflow_pandas.journal.journal import refuse_another
from reportflow_pandas.journal.recovery import documents_in, keys_in, meta_of, one_moment, replay
from reportflow_pandas.journal.register import Register

__all__ = ["begun", "unsent"]


def begun(folder: Path, run: str, *, base_url: str, workspace: str) -> dict[str, Any]:
    """Return what is known of a run, as `Journal.meta`; nothing where there is none of this name.

    Parameters are those of `Journal.open`.

    Raises
    ------
    ConfigurationError
        It belongs to another address or workspace, or its file cannot be read.
    """
    path = journal_file.path_of(folder, run)
    if not path.exists():
        return {}
    with closing(journal_file.open_to_read(path)) as connection, journal_file.translated(path):
        meta = meta_of(connection)
    refuse_another(meta, run, base_url, workspace)
    return meta


def unsent(
    folder: Path,
    run: str,
    planned: Iterable[tuple[Sequence[Document], Sequence[bytes]]],
    outcomes: Outcomes,
    again: Collection[int] = (),
) -> Iterator[Document]:
    """Yield the documents of a frame that a run would send; a run that there is not would send all.

    What is in flight just now counts as sent.

    Parameters
    ----------
    folder : pathlib.Path
        The runs' folder.
    run : str
        The run's name.
    planned : iterable of (sequence of Document, sequence of bytes)
        The frame's rows, as for `Journal.plan`.
    outcomes : Outcomes
        Of this frame, by position: those of the other documents are filled in.
    again : collection of int
        Positions that are sent anew although the run has them.

    Raises
    ------
    ConfigurationError
        Its file cannot be read.
    """
    past = Outcomes([])
    known: Mapping[bytes, tuple[int, bytes | None]] = {}
    path = journal_file.path_of(folder, run)
    if path.exists():
        with (
            closing(journal_file.open_to_read(path)) as connection,
            journal_file.translated(path),
            one_moment(connection),
        ):
            past = Outcomes([""] * documents_in(connection))
            replay(connection, past)
            known = keys_in(connection, past.status)
    register = Register(past)
    register.begin(past, known)
    for documents, keys in planned:
        fresh, _ = register.add(register.told_apart(keys), outcomes, again=again)
        yield from (documents[offset] for offset in fresh)
