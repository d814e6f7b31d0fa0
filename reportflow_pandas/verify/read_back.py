"""The PDFs of results, read back and held against the documents that they should be."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pandas as pd

from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.next_steps import VERIFY_TRIES_AGAIN
from reportflow_pandas.rows.documents import CHUNK, Documents

if TYPE_CHECKING:  # it needs the packages of the extra
    from reportflow_pandas.verify.run_check import Checked

__all__ = ["Stopped", "paths_of", "read_back", "read_back_or_say", "require_readers"]

log = logging.getLogger("reportflow_pandas")

NEEDED = {"pypdfium2": "pypdfium2", "babel": "Babel", "PIL": "pillow"}


class Stopped(Exception):  # noqa: N818 - no error: the caller does not wait any longer
    """The reading was given up."""


def require_readers() -> None:
    """Raise if PDFs can't be read back: before a document is generated for it.

    Raises
    ------
    ConfigurationError
        With the line that installs what is missing.
    """
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"reading PDFs back needs {' and '.join(missing)}: pip install 'reportflow-pandas[verify]'"
        )


def paths_of(results: pd.DataFrame) -> dict[int, str]:
    """Return the PDFs on disk, by row."""
    return {
        int(row): str(path) for row, path in zip(results["row"], results["path"], strict=True) if not pd.isna(path)
    }


def read_back(
    results: pd.DataFrame, documents: Documents, progress: Progress, tick: Callable[[], None]
) -> Checked:
    """Return what was found in the PDFs of results, which these documents should be.

    Parameters
    ----------
    results : pandas.DataFrame
        With ``row`` and ``path``; rows without a PDF are left out.
    documents : Documents
        Of the whole frame.
    progress : Progress
        Gets a stretch for each part of the work, and the lines that people should keep.
    tick : callable
        Called often; what it raises ends the work, and what was read is kept.
    """
    from reportflow_pandas.verify import readings, run_check, verified_results  # noqa: PLC0415 - an extra

    paths = paths_of(results)
    if not paths:
        return run_check.Checked()

    def params() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for start in range(0, len(documents), CHUNK):
            stop = min(start + CHUNK, len(documents))
            yield from zip(range(start, stop), documents.params(start, stop), strict=True)

    def began(what: str, note: str, total: int) -> Callable[[int], None]:
        phase = progress.begin(what, total, note)

        def done(count: int) -> None:
            phase.done += count

        return done

    labels = {int(row): str(label) for row, label in zip(results["row"], results.index, strict=True)}
    folder = run_check.cache_folder(paths, results.attrs.get("reportflow", {}).get("download", ""))
    with closing(readings.Readings(folder)) as known:
        checked = run_check.check_run(paths, params, known, labels=labels, began=began, tick=tick)
    progress.lines += verified_results.summary_line(checked)
    return checked


def read_back_or_say(
    results: pd.DataFrame, documents: Documents, progress: Progress, stopped: Callable[[], bool]
) -> Checked | None:
    """Return what was found after a generation; None where it was stopped or could not be done, which is said.

    The documents are paid for by then: nothing that goes wrong here hides their results.
    """

    def tick() -> None:
        if stopped():
            raise Stopped

    try:
        return read_back(results, documents, progress, tick)
    except Stopped:
        progress.lines.append("not all PDFs were read back: df.reportflow.verify(results) goes on with the rest")
        return None
    except Exception as problem:  # noqa: BLE001 - whatever it is
        why = f"the PDFs could not be read back ({type(problem).__name__}: {problem})"
        log.error("%s; %s", why, VERIFY_TRIES_AGAIN)  # noqa: TRY400 - it might show values
        progress.lines.append(why)
        return None
