"""Who may call: the workspace's key, or a token of the service's own OAuth server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from reportflow_pandas.contract import OAUTH_SCOPES as SCOPES
from reportflow_pandas.local.http_answers import Answer, Refusal, json_answer
from reportflow_pandas.local.switches import Switches

__all__ = ["SCOPES", "WORKSPACE", "Credentials"]

WORKSPACE = "ws_demo"


class Credentials:
    """One workspace's key and one OAuth client; tokens are signed and carry their own end."""

    def __init__(self, switches: Switches) -> None:
        self.app_key, self.client_id = switches.app_key, switches.client_id
        self.client_secret = switches.client_secret
        self._clock, self._life = switches.clock, switches.token_life
        self._both_status = switches.both_credentials_status
        self._signing = secrets.token_bytes(32)

    def revoke(self) -> None:
        """Make every token issued so far worthless."""
        self._signing = secrets.token_bytes(32)

    def check(self, headers: Mapping[str, str]) -> None:
        """Let a call pass or refuse it.

        Raises
        ------
        Refusal
            412 without a credential, 400 with both, 401 for a wrong one, 403 for a token without
            ``pdf:generate``.
        """
        key = headers.get("appkey", "").strip()
        scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
        bearer = scheme.lower() == "bearer"
        if key and bearer:
            raise Refusal(
                self._both_status, "appkey と Authorization が両方送信されました。どちらか一方にしてください。"
            )
        if not key and not bearer:
            raise Refusal(412, "認証ヘッダー appkey が送信されていません。")
        if key:
            if not hmac.compare_digest(key.encode(), self.app_key.encode()):
                raise Refusal(401, "appkey が正しくないか、無効になっています。")
            return
        claims = self._claims(token.strip())
        if claims is None or claims["exp"] <= self._clock.timestamp():
            raise Refusal(401, "アクセストークンが正しくないか、有効期限が切れています。")
        if "pdf:generate" not in claims["scope"].split():
            raise Refusal(403, "このアクセストークンには pdf:generate の権限がありません。")

    def issue(self, form: Mapping[str, Any], authorization: str) -> Answer:
        """Answer a token request: client credentials by ``client_secret_post`` or ``client_secret_basic``."""
        client_id, client_secret = form.get("client_id"), form.get("client_secret")
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return _token_error(401, "invalid_client", "the Basic header cannot be read")
        if form.get("grant_type") != "client_credentials":
            return _token_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        if not client_id or not client_secret:
            return _token_error(401, "invalid_client", "client_id and client_secret are required")
        if str(client_id) != self.client_id or not hmac.compare_digest(
            str(client_secret).encode(), self.client_secret.encode()
        ):
            return _token_error(401, "invalid_client", "client_id or client_secret is wrong")
        scope = " ".join(str(form.get("scope") or SCOPES).split())
        unknown = set(scope.split()) - set(SCOPES.split())
        if unknown:
            return _token_error(400, "invalid_scope", f"unknown scope: {' '.join(sorted(unknown))}")
        now = self._clock.timestamp()
        claims = {
            "sub": self.client_id,
            "workspace_id": WORKSPACE,
            "scope": scope,
            "iat": int(now),
            "exp": now + self._life,
            "jti": secrets.token_hex(8),
        }
        answer = json_answer(
            {
                "access_token": self._signed(claims),
                "token_type": "Bearer",
                "expires_in": int(self._life),
                "scope": scope,
            }
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _signed(self, claims: Mapping[str, Any]) -> str:
        head = b".".join(_base64(orjson.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return b".".join((head, _base64(self._seal(head)))).decode()

    def _seal(self, text: bytes) -> bytes:
        return hmac.digest(self._signing, text, hashlib.sha256)

    def _claims(self, token: str) -> dict[str, Any] | None:
        """Return what a token says, None unless this service signed it."""
        head, _, seal = token.encode("utf-8", "replace").rpartition(b".")
        if not head or not hmac.compare_digest(_base64(self._seal(head)), seal):
            return None
        payload = head.partition(b".")[2]
        claims: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        return claims


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _token_error(status: int, error: str, description: str) -> Answer:
    """Return an OAuth error."""
    answer = json_answer({"error": error, "error_description": description}, status)
    answer.headers["Cache-Control"] = "no-store"
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="reportflow"'
    return answer
