"""What is known of a run: one value, kept in a results frame's ``attrs`` as plain strings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reportflow_pandas.options import grouped_by

__all__ = ["RunInfo"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The state of a run, as its results tell it.

    Attributes
    ----------
    run : str
        Its name.
    design_id, design : str
        The design and its label; the label is empty until it was looked up.
    version : int or None
        Pinned; None until it was looked up.
    base_url, service, workspace : str
        The service's address, and whose run it is: `Settings.owner`.
    endpoint : str
        Where the documents go.
    rows : int
        Of the frame that it was last given.
    frame : int
        Number of that frame; 0: nothing is written down.
    planned : bool
        Whether all rows are written down: then the run goes on by its name alone.
    calls : int or None
        Generation calls of this process; None where a journal was only read.
    started_at, finished_at : str
        ISO 8601; empty where nothing is known, ``finished_at`` None where a journal was only read.
    download : str
        Folder of the PDFs; empty: none.
    group_by : str
        Columns whose lines make one document; empty: each row is one.
    warnings : tuple of str
        What looked odd in the rows before they were sent.
    """

    run: str
    design_id: str = ""
    design: str = ""
    version: int | None = None
    base_url: str = ""
    service: str = ""
    workspace: str = ""
    endpoint: str = ""
    rows: int = 0
    frame: int = 0
    planned: bool = False
    calls: int | None = None
    started_at: str = ""
    finished_at: str | None = None
    download: str = ""
    group_by: str = ""
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_meta(cls, meta: Mapping[str, Any]) -> RunInfo:
        """Return what a journal tells of its run."""
        began, options = meta.get("frame_at"), meta.get("options") or {}
        return cls(
            run=meta["run"],
            design_id=meta.get("design_id", ""),
            design=meta.get("design", ""),
            version=meta.get("version"),
            base_url=meta["base_url"],
            service=meta["service"],
            workspace=meta["workspace"],
            endpoint=meta.get("endpoint", ""),
            rows=meta["rows"],
            frame=meta["frame"],
            planned=bool(meta["planned"]),
            started_at=pd.Timestamp(began, unit="s", tz="UTC").isoformat(timespec="seconds") if began else "",
            download=options.get("download") or "",
            group_by=grouped_by(options.get("group_by")),
            warnings=tuple(options.get("warnings") or ()),
        )

    def attrs(self) -> dict[str, str]:
        """Return it as a results frame keeps it."""
        told = {
            "run": self.run,
            "design_id": self.design_id,
            "design": self.design,
            "version": str(self.version or ""),
            "base_url": self.base_url,
            "service": self.service,
            "workspace": self.workspace,
            "endpoint": self.endpoint,
            "rows": str(self.rows),
            "frame": str(self.frame or ""),
            "planned": "yes" if self.planned else "",
            "calls": None if self.calls is None else str(self.calls),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "download": self.download,
            "group_by": self.group_by,
            "warnings": json.dumps(self.warnings, ensure_ascii=False) if self.warnings else "",
        }
        return {name: text for name, text in told.items() if text is not None}
