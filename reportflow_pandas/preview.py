"""Looking at one document before the others are paid for: ``preview``, and its pages as pictures."""

from __future__ import annotations

import base64
import html
import io
import logging
from functools import partial
from pathlib import Path
from typing import Unpack

import orjson
import pandas as pd

from reportflow_pandas import event_loop
from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Delivered
from reportflow_pandas.argument_help import takes_options
from reportflow_pandas.engine.attempts import Attempts, Channel, GivenUp
from reportflow_pandas.engine.batching import Call
from reportflow_pandas.engine.retry import Stop
from reportflow_pandas.errors import ConfigurationError, OutcomeUnknown
from reportflow_pandas.execution.preparation import Prepared, connected, documents_of, prepare, refuse_offline
from reportflow_pandas.lru import LruDict
from reportflow_pandas.notebook.bar import visible
from reportflow_pandas.options import Arguments, Options
from reportflow_pandas.plan import note_pages
from reportflow_pandas.rows.checks import refuse
from reportflow_pandas.settings import absolute_path

__all__ = ["Preview", "preview"]

log = logging.getLogger("reportflow_pandas")

PIXELS_A_POINT = 1.6
"""An A4 page is 952 pixels wide."""


class Preview:
    """One document, looked at before the others are paid for.

    Displays in a notebook as its pages, side by side.

    Attributes
    ----------
    pdf : bytes
        The document.
    pages : list of bytes
        Its pages as PNG.
    file_name : str
        As it would be named.
    billed : bool
        Whether the service billed it: the embedded one bills nothing.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     preview = orders.reportflow.preview("invoice", tables={"Lines": rf.Table(lines, on="InvoiceId")})
    >>> preview
    <Preview of Invoice-0.pdf: 1 page>
    """

    def __init__(self, pdf: bytes, file_name: str, *, billed: bool) -> None:
        self.pdf = pdf
        self.file_name = file_name
        self.billed = billed
        self.pages = _pictures(pdf)

    def __repr__(self) -> str:
        """Say what it is, where no picture can be shown."""
        count = len(self.pages)
        billed = ", billed as one document" if self.billed else ""
        return f"<Preview of {self.file_name}: {count} {'page' if count == 1 else 'pages'}{billed}>"

    def _repr_html_(self) -> str:
        width = 640 if len(self.pages) == 1 else 420
        style = f"width:{width}px;max-width:100%;border:1px solid #d0d0d0;border-radius:2px;background:#fff"
        caption = html.escape(repr(self)[1:-1], quote=False)
        pictures = "".join(
            f'<img alt="page {number}" style="{style}" '
            f'src="data:image/png;base64,{base64.b64encode(page).decode()}">'
            for number, page in enumerate(self.pages, start=1)
        )
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:12px">{pictures}</div>'
            f'<div style="color:var(--jp-ui-font-color2,inherit);font-size:12px;margin-top:4px">{caption}</div>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the document: as PDF, or its pages as pictures when the path ends in ``.png``.

        Parameters
        ----------
        path : str or path
            ``"page.png"`` writes ``page.png``, and ``page-2.png`` and so on for further pages.

        Returns
        -------
        Path
            The (first) file.
        """
        target = absolute_path(path, "path")
        if target.suffix.lower() != ".png":
            target.write_bytes(self.pdf)
            return target
        for number, page in enumerate(self.pages, start=1):
            file = target if number == 1 else target.with_stem(f"{target.stem}-{number}")
            file.write_bytes(page)
        return target


@takes_options
def preview(
    frame: pd.DataFrame, design_id: str | None = None, *, row: int = 0, **arguments: Unpack[Arguments]
) -> Preview:
    """Show the pages of one document.

    On the real service this generates the document, which is **billed**; the answer is kept, so that the same
    content is asked for only once in this process.

    Parameters
    ----------
    design_id : str
        The design.
    row : int
        Position of the row, from 0; negative ones count from the end.
    **arguments
        The shared arguments, as for ``generate``.

    Returns
    -------
    Preview
        Pictures in a notebook; ``.save(path)`` writes the PDF, or PNGs.

    Raises
    ------
    ConfigurationError
        No such row; the package that draws pages is missing.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> orders, lines = rf.example_orders()
    >>> with rf.use_local():
    ...     shown = orders.reportflow.preview("invoice", row=3, tables={"Lines": rf.Table(lines, on="InvoiceId")})
    >>> len(shown.pages)
    1
    """
    _require()
    options = Options.of(design_id, arguments)
    if not len(frame):
        raise ConfigurationError("this frame has no rows, so there is no document to preview")
    all_of_them = documents_of(frame, options)
    documents = len(all_of_them.frame)
    if isinstance(row, bool) or not isinstance(row, int) or not -documents <= row < documents:
        what = "rows" if options.group_by is None else "documents"
        raise ConfigurationError(
            f"row={row!r}: a position from 0 to {documents - 1}; this frame has {documents} {what}"
        )
    rows = all_of_them.one(row % documents)
    refuse_offline(rows)
    settings = options.effective_settings
    billed = not settings.on_this_machine

    async def shown() -> Preview:
        async with connected(options) as (client, channel):
            prepared = await prepare(rows, rows.options, client, channel, "preview")
            if options.check is True:
                refuse(prepared.problems, rows.frame, prepared.sources, prepared.parameters or [])
            params = next(iter(prepared.documents.params(0, 1)))
            key = (settings.workspace_id, options.design_id, prepared.version, orjson.dumps(params))
            pdf = _kept.get(key)
            if pdf is None:
                if billed:
                    _announce(settings.host, options)
                pdf = await _generated(client, channel, options, prepared)
                _kept[key] = pdf
            made = Preview(pdf, prepared.names[0] + ".pdf", billed=billed)
            note_pages(settings.workspace_id, options.design_id, prepared.version, len(made.pages))
            return made

    return event_loop.run(shown())


_kept: LruDict[tuple[str, str, int, bytes], bytes] = LruDict(50)
"""PDFs of earlier previews: the same content is not paid for twice."""


def _announce(host: str, options: Options) -> None:
    text = f"preview: one document is generated on {host} and billed; the same content is not asked for again"
    log.warning(text)
    if visible(options.progress):
        print(text)  # noqa: T201 - money is spent: the person who does it is told


async def _generated(client: Client, channel: Channel, options: Options, prepared: Prepared) -> bytes:
    call = Call(options.design_id, prepared.version, "sync/single", tuple(prepared.documents))
    body = call.body()
    try:
        send = partial(client.send, call.endpoint, body)
        answer = await channel.send_with_retries(send, kind="sync", attempts=Attempts())
    except GivenUp as given_up:
        decision = given_up.decision
        raise (decision.error if isinstance(decision, Stop) else given_up.error) from None
    if not isinstance(answer, Delivered) or not answer.content.startswith(b"%PDF-"):
        raise OutcomeUnknown(
            f"the service accepted the document (request {answer.request_id}) but sent no PDF with it; "
            "look for it in the web app"
        )
    return answer.content


def _require() -> None:
    """Raise if pages cannot be drawn: before a document is generated, hence billed, for nothing."""
    try:
        import PIL.Image  # noqa: F401, PLC0415 - an extra, asked for here first
        import pypdfium2  # noqa: F401, PLC0415
    except ImportError as reason:
        raise ConfigurationError(
            f"a preview needs the package {reason.name}: pip install 'reportflow-pandas[preview]'"
        ) from None


def _pictures(pdf: bytes) -> list[bytes]:
    import pypdfium2  # noqa: PLC0415 - an extra

    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = []
        for page in document:
            picture = io.BytesIO()
            page.render(scale=PIXELS_A_POINT).to_pil().save(picture, format="PNG", optimize=True)
            pages.append(picture.getvalue())
        return pages
    finally:
        document.close()
