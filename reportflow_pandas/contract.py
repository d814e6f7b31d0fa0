"""What is known of the service: addresses, endpoints, codes and limits, each fact once and with its source.

Sources, by the word in brackets:

``docs``
    The vendor's documentation, doc.re-port-flow.com.
``workflows``
    Its page "Async Workflows": batches, concurrency, retries.
``examples``
    The vendor's repository ``reportflow-examples``, checked against production in July 2026.
``clients``
    The vendor's own programs: ``reportflow-mcp`` with its Hugging Face Space, and ``n8n-nodes-reportflow``.
``assumed``
    Said nowhere: the choice that survives whatever turns out to be true.

Where the documentation and newer programs of the vendor disagree, both are taken: a sync call answers 200 (docs)
or 201 (examples); an id is a UUID (docs) or 16 letters and digits (examples), hence any text; the ``url`` of an
answer is a download (docs) or a page for people (clients), hence never fetched; a design's parameters are an
object (docs) or an array (clients).

There is no idempotency key, no status of a request, no list of files and no way to cancel (assumed: no source has
any). Each accepted call makes new files, and the plan counts their pages (clients).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = [
    "API_URL",
    "ASYNC_CALLS_PER_WINDOW",
    "BODY_LIMIT_BYTES",
    "CONVERSION_FAILED_WORDS",
    "DOCUMENTS_PER_CALL",
    "ENDPOINTS",
    "FILE_COMPLETED",
    "FILE_ID_HEADER",
    "FILE_MAPPING_HEADER",
    "FILE_URL_HEADER",
    "FORBIDDEN_IN_FILE_NAMES",
    "GATEWAY_STATUSES",
    "GONE_FIELD",
    "KEY_HEADER",
    "LOCAL_KEY_PREFIX",
    "LONGEST_FILE_NAME",
    "NOT_PASSED_ON_STATUSES",
    "OAUTH_SCOPE",
    "OAUTH_SCOPES",
    "PARAMETER_TYPES",
    "PENDING_STATUSES",
    "PENDING_WORDS",
    "REDIRECT_STATUSES",
    "REQUEST_ID_HEADER",
    "SHARE_CODES",
    "SHARE_WORDS",
    "SYNC_ANSWER_SECONDS",
    "SYNC_CALLS_PER_WINDOW",
    "SYNC_TIMEOUT_SECONDS",
    "TOKEN_LIFETIME_SECONDS",
    "TOKEN_RENEWAL_SECONDS",
    "TOKEN_URL",
    "WINDOW_SECONDS",
    "opens_in_browser",
    "without_pdf",
]

# -- addresses and credentials -----------------------------------------------------------------------------------

API_URL: Final = "https://api.re-port-flow.com/v1"
"""Production (docs). All paths begin behind ``/v1``."""

TOKEN_URL: Final = "https://re-port-flow.com/api/v1/oauth/token"  # noqa: S105 - an address
"""Where OAuth clients fetch a token, on another host than the API (docs). Takes a form (clients)."""

KEY_HEADER: Final = "appkey"
"""Header with the workspace's key (docs), which selects the workspace; a new key ends the old one at once."""

LOCAL_KEY_PREFIX: Final = "ak_local_"
"""Keys of the embedded service begin so; the vendor's are ``ak_`` and 16 characters or more (docs)."""

OAUTH_SCOPES: Final = (
    "openid profile designs:read designs:write templates:read templates:write pdf:generate"  # docs, clients
)

OAUTH_SCOPE: Final = "pdf:generate"
"""The only scope that the API asks for (clients)."""

TOKEN_LIFETIME_SECONDS: Final = 3600.0
"""Of an access token (docs); its answer may say otherwise."""

TOKEN_RENEWAL_SECONDS: Final = 60.0
"""Before its end a token is renewed, as the vendor's clients do (clients)."""

# -- calls and their answers -------------------------------------------------------------------------------------

ENDPOINTS: Final = ("async/single", "async/multiple", "sync/single", "sync/multiple")
"""``POST /file/…``, generation (docs). Async ones answer 202 and JSON, sync ones the file."""

REQUEST_ID_HEADER: Final = "Request-Id"
"""Of a sync answer (docs); async ones have ``requestId`` in their JSON."""

FILE_ID_HEADER: Final = "File-ID"
"""Of a sync answer with one document (docs)."""

FILE_URL_HEADER: Final = "File-URL"
"""Of a sync answer: what async ones call ``url`` (docs)."""

FILE_MAPPING_HEADER: Final = "X-File-Mapping"
"""The files of a sync answer: percent-encoded JSON, ``+`` stays a plus (docs); once plain JSON (docs, older)."""

SHARE_CODES: Final = {"workspace": "01", "invited": "02", "public": "03"}
"""Who may open a shared page: a code in requests (docs), where older pages had the words."""

SHARE_WORDS: Final = {code: word for word, code in SHARE_CODES.items()}
"""The same in answers and webhooks: a word (docs)."""

PARAMETER_TYPES: Final = ("text", "number", "boolean", "date", "array", "collection", "image")
"""Of a design: text to boolean, array and collection (clients), date (docs), image as Base64 (examples)."""

FORBIDDEN_IN_FILE_NAMES: Final = r'/\\:*?"<>|\x00-\x1f\x7f'
"""Refused with 400, as a class of a regular expression: the signs (docs), control characters (clients)."""

LONGEST_FILE_NAME: Final = 200
"""Characters (assumed: the service's own limit is unknown; file systems stop at 255 bytes)."""

FILE_COMPLETED: Final = "file.completed"
"""The one event of the webhook, sent for all four endpoints (docs). Unsigned, may come twice (assumed)."""

# -- refusals ----------------------------------------------------------------------------------------------------

PENDING_STATUSES: Final = frozenset({202, 204, 404, 409, 423, 425})
"""A download may answer so before its document is ready (assumed: "not ready" is an error (clients) of unknown
status)."""

PENDING_WORDS: Final = "まだ|処理中|生成中|not ready|in progress"
"""So may a 400 whose message holds one of these (assumed)."""

CONVERSION_FAILED_WORDS: Final = (
    "変換に失敗|変換できません|conversion failed|failed to convert|could not be converted"
)
"""So does a 500 for a file whose PDF can never be made: the error exists (clients), its words are assumed."""

GONE_FIELD: Final = "gone"
"""Field of a refused download in which the embedded service says that it has the documents no more: ``"file"`` or
``"request"``. The vendor's service doesn't tell this from a document that isn't ready."""

GATEWAY_STATUSES: Final = frozenset({408, 502, 504, *range(520, 525)})
"""A gateway gave up (assumed; 504 for a sync call over its time: docs): what the service did with the call is not
known."""

NOT_PASSED_ON_STATUSES: Final = frozenset({407, 421, 425})
"""What stands before the service passed nothing on (RFC 9110, 15.5; RFC 8470): it asks for a proxy's password, is
another host's, or wants the call a moment later."""

REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
"""Never seen. A POST that is redirected was not taken (assumed: a portal or a wrong address answers)."""

# -- limits ------------------------------------------------------------------------------------------------------

DOCUMENTS_PER_CALL: Final = 100
"""In one multiple call (clients, workflows)."""

BODY_LIMIT_BYTES: Final = 52_428_800
"""Of a request: "50 MB" (docs), read as MiB (assumed). More is answered 413."""

WINDOW_SECONDS: Final = 60.0
"""The limits count calls a minute (examples); whether the window is fixed or sliding is unknown."""

ASYNC_CALLS_PER_WINDOW: Final = 100
"""Async generation and downloads, per workspace (examples); look-ups counted with them (assumed)."""

SYNC_CALLS_PER_WINDOW: Final = 30
"""Sync generation, per workspace (examples)."""

SYNC_ANSWER_SECONDS: Final = 120.0
"""The service's own time for a sync call, after which it answers 504 (docs, workflows)."""

SYNC_TIMEOUT_SECONDS: Final = 130.0
"""Ours for a sync call, as in the vendor's script (workflows)."""

# -- links ------------------------------------------------------------------------------------------------------


def opens_in_browser(url: object) -> bool:
    """Tell whether a person can open an address of an answer: a page, and no download that asks for the key.

    An answer's ``url`` is a page for people (clients) or the download's address (docs), which wants the key in a
    header.

    Examples
    --------
    >>> opens_in_browser("https://app.re-port-flow.com/file/Q7mW2xkP9tLr4BzE")
    True
    >>> opens_in_browser("https://api.re-port-flow.com/v1/file/download/Q7mW2xkP9tLr4BzE")
    False
    """
    if not isinstance(url, str):
        return False
    parts = urlsplit(url.strip())
    return parts.scheme in ("http", "https") and bool(parts.netloc) and "/file/download/" not in parts.path


# -- names -------------------------------------------------------------------------------------------------------


def without_pdf(name: str) -> str:
    """Leave ``.pdf`` out, whatever its case: the service takes one away and adds it again (examples).

    Examples
    --------
    >>> without_pdf("INV-7.PDF")
    'INV-7'
    """
    while name[-4:].lower() == ".pdf":
        name = name[:-4]
    return name
