"""What the service says, as values; and what a document is on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from reportflow_pandas.contract import SHARE_CODES, without_pdf
from reportflow_pandas.errors import ConfigurationError

__all__ = ["Accepted", "Content", "Delivered", "Design", "FileEntry", "Parameter"]


@dataclass(frozen=True, slots=True)
class Content:
    """One document to make.

    Parameters
    ----------
    file_name : str
        Name of the PDF, with or without ``.pdf``.
    params : Mapping
        Parameter name to value.
    share : {"workspace", "invited", "public"}, optional
        Who may open the document's page; ``None``: the service's default, the workspace.
    passcode : bool
        Protect the shared page with a passcode.
    passthrough : Mapping, optional
        Echoed back with the file. Strings and numbers in it end up in the PDF's metadata, readable by
        the recipient of the file.

    Examples
    --------
    >>> Content("INV-7.pdf", {"total": 120}, share="public").wire()
    {'fileName': 'INV-7', 'params': {'total': 120}, 'shareType': '03'}
    """

    file_name: str
    params: Mapping[str, Any]
    share: str | None = None
    passcode: bool = False
    passthrough: Mapping[str, Any] | None = None

    def wire(self) -> dict[str, Any]:
        """Return the document as the service wants it: no default is sent, no ``.pdf``."""
        content: dict[str, Any] = {"fileName": without_pdf(self.file_name), "params": self.params}
        if self.share is not None:
            if self.share not in SHARE_CODES:
                raise ConfigurationError(f"share={self.share!r}: one of {', '.join(map(repr, SHARE_CODES))}")
            content["shareType"] = SHARE_CODES[self.share]
        if self.passcode:
            content["passcodeEnabled"] = True
        if self.passthrough:
            content["passthrough"] = self.passthrough
        return content


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class FileEntry(NamedTuple):
    """One file of an accepted request.

    Attributes
    ----------
    file_id : str
        Opaque id; empty where the answer has none.
    file_name : str
        Name with ``.pdf``; empty where the answer has none.
    share_url : str or None
        A page for people. Never fetched.
    share_type : str or None
        ``"workspace"``, ``"invited"`` or ``"public"``.
    passcode_enabled : bool
        Whether the page asks for a passcode.
    passthrough : Mapping
        What was sent along with the document; empty if nothing was.
    extra : Mapping
        Fields that this package does not know.
    """

    file_id: str
    file_name: str = ""
    share_url: str | None = None
    share_type: str | None = None
    passcode_enabled: bool = False
    passthrough: Mapping[str, Any] = _NOTHING
    extra: Mapping[str, Any] = _NOTHING


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took a call: its documents will be made, and billed.

    Attributes
    ----------
    request_id : str
        Opaque id of the call; empty if the answer names none: then nothing can be downloaded by us.
    url : str or None
        For people. Never fetched: it is not known whether it is a page or a file.
    files : tuple of FileEntry
        One per document, matched by name or passthrough, never by position; empty if the answer names none.
    status : int
        HTTP status.
    extra : Mapping
        Fields that this package does not know.
    """

    request_id: str
    url: str | None = None
    files: tuple[FileEntry, ...] = ()
    status: int = 202
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered(Accepted):
    """The service made the documents while we waited.

    ``extra`` holds unknown headers by their lowercase names.

    Attributes
    ----------
    content : bytes
        The PDF of a single call, the ZIP of a multiple one.
    content_type : str
        ``"application/pdf"`` or ``"application/zip"``.
    """

    content: bytes = field(default=b"", repr=False)
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Design:
    """A design of the workspace.

    Attributes
    ----------
    id : str
        Opaque id.
    label : str
        Its name in the web app.
    latest_version : int
        From 1.
    updated_at : datetime.datetime or None
        UTC.
    thumbnail : str or None
        Address of a picture. Never fetched.
    """

    id: str
    label: str
    latest_version: int
    updated_at: datetime | None = None
    thumbnail: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a design.

    Attributes
    ----------
    name : str
        Key in ``params``.
    type : str
        ``"text"``, ``"number"``, ``"boolean"``, ``"date"``, ``"array"``, ``"collection"``, ``"image"``, or a word
        that this package does not know; ``"unknown"`` where the answer has none.
    label : str
        Its name for people; the name where the answer has none.
    description : str or None
        The designer's hint.
    spec : tuple of Parameter
        The fields of a row, for tables.
    default : str, float, bool, () or None
        What is printed where a call says nothing; None: nothing is. Only the embedded service tells it.
    font_characters : tuple of (int, int)
        Ranges of the code points that the design's fonts have, first and last included; on a design's first
        parameter only, empty where the service doesn't tell. Only the embedded service does.
    """

    name: str
    type: str
    label: str
    description: str | None = None
    spec: tuple[Parameter, ...] = ()
    default: str | float | bool | tuple[()] | None = None
    font_characters: tuple[tuple[int, int], ...] = field(default=(), repr=False)
