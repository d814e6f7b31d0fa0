"""Which credential goes with a call: the workspace's key, or a token that is renewed in time.

The key goes to the configured host only: where a GET is redirected to another one, `api.transport` leaves it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol
from urllib.parse import quote_plus

from multidict import CIMultiDict
from yarl import URL

from reportflow_pandas.api.responses import Answer, messages_from, parsed
from reportflow_pandas.contract import (
    KEY_HEADER,
    OAUTH_SCOPE,
    TOKEN_LIFETIME_SECONDS,
    TOKEN_RENEWAL_SECONDS,
)
from reportflow_pandas.errors import (
    AuthError,
    ConfigurationError,
    ConnectionFailed,
    OutcomeUnknown,
    ReportFlowError,
)
from reportflow_pandas.settings import Settings

__all__ = ["AppKey", "ClientCredentials", "Credential", "credential_for"]

Post = Callable[[URL, bytes], Awaitable[Answer]]
"""Sends a form once, without any credential in a header."""

Failure = Callable[[], ReportFlowError]
"""Makes the error of a failed renewal, a new one for each call that waited for it."""


class Hidden(CIMultiDict[str]):
    """Headers with a credential that their text doesn't show: tracebacks with local variables travel far."""

    def __repr__(self) -> str:
        """Show the names."""
        return f"<{', '.join(self)}: ***>"


class Credential(Protocol):
    """The one credential of a client."""

    async def headers(self) -> Mapping[str, str]:
        """Return the header that lets a call in. The same object as long as the credential is the same."""
        ...

    async def renewed(self, used: Mapping[str, str]) -> bool:
        """After a 401 to ``used``: whether there is another credential now, so that a replay makes sense."""
        ...

    def hidden(self, text: str) -> str:
        """Return a text without the secrets in it."""
        ...

    async def close(self) -> None:
        """Leave no work behind."""
        ...


def credential_for(settings: Settings, post: Post) -> Credential:
    """Return the credential of checked settings: exactly one, never both."""
    if settings.app_key:
        return AppKey(settings.app_key)
    if settings.client_id and settings.client_secret:
        return ClientCredentials(settings.client_id, settings.client_secret, settings, post)
    raise ConfigurationError("no credential: set app_key, or client_id and client_secret")


class AppKey:
    """The workspace's key, in the header ``appkey``."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._headers = Hidden({KEY_HEADER: key})

    async def headers(self) -> Mapping[str, str]:
        """Return the key's header."""
        return self._headers

    async def renewed(self, used: Mapping[str, str]) -> bool:  # noqa: ARG002 - a key has no successor
        """Return False: a refused key stays refused."""
        return False

    def hidden(self, text: str) -> str:
        """Return a text without the key."""
        return text.replace(self._key, "***")

    async def close(self) -> None:
        """Leave no work behind: there is none."""


class ClientCredentials:
    """A token got for OAuth 2.0 client credentials, kept, and renewed before it ends.

    However many calls wait for a token, one request for it is under way; all of them get its outcome.
    """

    def __init__(self, client_id: str, client_secret: str, settings: Settings, post: Post) -> None:
        url, clock = URL(settings.token_url), settings.clock
        plain = url.scheme == "http" and settings.may_be_plain(settings.token_url)
        if not plain and (url.scheme != "https" or not url.host):
            raise ConfigurationError(
                f"token_url={settings.token_url!r}: an https address (plain http is for this machine and hosts "
                "that rf.configure(plain_http=…) names)"
            )
        self._url = url
        self._client_id = client_id
        self._secret = client_secret
        self._clock = clock
        self._post = post
        self._headers: Hidden | None = None
        self._token = ""
        self._renew_at = 0.0
        self._renewal: asyncio.Task[Failure | None] | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the token's header, after getting a token if there is none or it is about to end."""
        headers = self._headers
        if headers is None or self._clock.monotonic() >= self._renew_at:
            headers = await self._renew()
        return headers

    async def renewed(self, used: Mapping[str, str]) -> bool:
        """After a 401: get a new token, unless another call has already got one."""
        if self._headers is used:
            await self._renew()
        return True

    def hidden(self, text: str) -> str:
        """Return a text without the secret and the token."""
        for secret in (self._secret, quote_plus(self._secret), self._token):
            if secret:
                text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        """Leave no work behind."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _renew(self) -> Hidden:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._fetch(), name="reportflow_pandas token")
        renewal = self._renewal
        # Shielded: the call that began the renewal may be cancelled while others wait for it.
        failure = await asyncio.shield(renewal)
        if failure is not None:
            raise failure()
        assert self._headers is not None  # noqa: S101 - a renewal ends in one or the other
        return self._headers

    async def _fetch(self) -> Failure | None:
        try:
            return await self._exchange()
        finally:
            self._renewal = None

    async def _exchange(self) -> Failure | None:
        form = (
            f"grant_type=client_credentials&client_id={quote_plus(self._client_id)}"
            f"&client_secret={quote_plus(self._secret)}&scope={quote_plus(OAUTH_SCOPE)}"
        ).encode()
        started = self._clock.monotonic()
        try:
            answer = await self._post(self._url, form)
        except (ConnectionFailed, OutcomeUnknown) as error:
            return self._unreached(str(error))
        status = answer.status
        said = [self.hidden(message) for message in messages_from(answer.body)]
        if status == 429 or status >= 500:
            return self._unreached("; ".join([f"the token server answered {status}", *said]))
        value = parsed(answer.body) if 200 <= status < 300 else None
        value = value if isinstance(value, dict) else {}
        token = value.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
            why = said if status >= 300 and said else ["the token server's answer holds no access token"]
            return partial(AuthError, status, why, hint="Check client_id, client_secret and token_url")
        lifetime = _seconds(value.get("expires_in"))
        self._token = token
        self._headers = Hidden({"Authorization": f"Bearer {token}"})
        # A token shorter than two such spans is used for its first half.
        self._renew_at = started + max(lifetime - TOKEN_RENEWAL_SECONDS, lifetime / 2)
        return None

    def _unreached(self, problem: str) -> Failure:
        return partial(ConnectionFailed, f"no access token, so nothing was sent: {self.hidden(problem)}")


def _seconds(value: object) -> float:
    """Return how long a token lives: an hour where the answer does not say."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else TOKEN_LIFETIME_SECONDS
    except (ValueError, OverflowError):
        return TOKEN_LIFETIME_SECONDS
    return seconds if 0 < seconds < 1e9 else TOKEN_LIFETIME_SECONDS
