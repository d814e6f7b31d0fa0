"""A mail as it would arrive, before anything is sent."""

from __future__ import annotations

import html as markup
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

__all__ = ["MailPreview"]


@dataclass(frozen=True)
class MailPreview:
    """The first message as it would arrive; shown in a notebook with its text, its HTML and its attachment.

    Attributes
    ----------
    message : email.message.EmailMessage
        The message.
    count : int
        How many messages would be sent.
    """

    message: EmailMessage
    count: int

    def __str__(self) -> str:
        heads = [f"{name}: {self.message[name]}" for name in ("From", "To", "Cc", "Subject") if self.message[name]]
        body = self.message.get_body(("plain",))
        text = "" if body is None else body.get_content().strip()
        files = [f"[{part.get_filename()}, {_size(part)}]" for part in self.message.iter_attachments()]
        return "\n".join([*heads, "", text, "", *files, f"(the first of {self.count:,}; nothing was sent)"])

    def _repr_html_(self) -> str:
        page = self.message.get_body(("html",))
        text = self.message.get_body(("plain",))
        if page is not None:
            shown = (
                f'<iframe sandbox srcdoc="{markup.escape(page.get_content(), quote=True)}" '
                'style="box-sizing:border-box;width:100%;height:320px;border:1px solid '
                'var(--jp-border-color2,#ccc);background:#fff">'
                "</iframe>"
            )
        else:
            plain = markup.escape("" if text is None else text.get_content())
            shown = f'<pre style="white-space:pre-wrap">{plain}</pre>'
        heads = "".join(
            f"<div><b>{name}:</b> {markup.escape(str(self.message[name]))}</div>"
            for name in ("From", "To", "Cc", "Subject")
            if self.message[name]
        )
        files = "".join(
            f"<div>📎 {markup.escape(str(part.get_filename()))} ({_size(part)})</div>"
            for part in self.message.iter_attachments()
        )
        note = f"<div><i>The first of {self.count:,}; nothing was sent.</i></div>"
        return f'<div style="max-width:640px">{heads}<hr>{shown}{files}{note}</div>'


def _size(part: Any) -> str:
    return f"{len(part.get_payload(decode=True)) / 1024:,.0f} kB"
