"""OAuth: a token of the service's own opens it, and everything else does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from support.plain_http import Caller, HandClock, Reply


def ask(call: Caller, *, kind: str = "form", headers: dict[str, str] | None = None, **fields: str) -> Reply:
    form = {
        "grant_type": "client_credentials",
        "client_id": call.service.client_id,
        "client_secret": call.service.client_secret,
        "scope": "pdf:generate",
    } | fields
    form = {name: value for name, value in form.items() if value}
    body = json.dumps(form).encode() if kind == "json" else urlencode(form).encode()
    content_type = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
    return call(
        "POST",
        "/oauth/token",
        body,
        key=None,
        root="/api/v1",
        headers={"Content-Type": content_type} | (headers or {}),
    )


def bearer(token: str) -> dict[str, Any]:
    return {"key": None, "headers": {"Authorization": f"Bearer {token}"}}


@pytest.mark.parametrize("kind", ["form", "json"])
def test_client_credentials_become_a_token_that_opens_all_endpoints(call: Caller, kind: str) -> None:
    reply = ask(call, kind=kind)
    assert reply.status == 200
    assert reply.json["token_type"] == "Bearer"
    assert reply.json["expires_in"] == 3600
    assert reply.json["scope"] == "pdf:generate"
    token = reply.json["access_token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["workspace_id"] == "ws_demo"
    assert claims["exp"] - claims["iat"] == 3600
    assert call.get("/file/designs", **bearer(token)).status == 200
    assert call.get("/file/design/parameter/order", **bearer(token)).status == 200


def test_the_secret_may_come_as_basic(call: Caller) -> None:
    pair = base64.b64encode(f"{call.service.client_id}:{call.service.client_secret}".encode()).decode()
    reply = ask(call, client_id="", client_secret="", headers={"Authorization": f"Basic {pair}"})
    assert reply.status == 200


def test_a_token_ends_after_an_hour(call: Caller, clock: HandClock) -> None:
    token = ask(call).json["access_token"]
    clock.advance(3599)
    assert call.get("/file/designs", **bearer(token)).status == 200
    clock.advance(1)
    assert call.get("/file/designs", **bearer(token)).status == 401


def test_a_token_s_life_can_be_chosen(serve: Callable[..., Caller]) -> None:
    assert ask(serve(token_life=5.0)).json["expires_in"] == 5


def test_revoked_tokens_are_answered_with_401(call: Caller) -> None:
    token = ask(call).json["access_token"]
    call.service.revoke_tokens()
    assert call.get("/file/designs", **bearer(token)).status == 401
    assert call.get("/file/designs", **bearer(ask(call).json["access_token"])).status == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "日本".encode().decode("latin-1")])
def test_a_made_up_token_is_answered_with_401(call: Caller, token: str) -> None:
    assert call.get("/file/designs", **bearer(token)).status == 401


def test_a_token_that_was_changed_is_answered_with_401(call: Caller) -> None:
    head, payload, seal = ask(call, scope="designs:read").json["access_token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["scope"] = "pdf:generate"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert call.get("/file/designs", **bearer(f"{head}.{forged}.{seal}")).status == 401


def test_a_token_without_the_scope_is_answered_with_403(call: Caller) -> None:
    token = ask(call, scope="openid designs:read").json["access_token"]
    reply = call.get("/file/designs", **bearer(token))
    assert (reply.status, reply.json["error"]) == (403, "Forbidden")


def test_basic_without_a_key_is_no_credential(call: Caller) -> None:
    assert call.get("/file/designs", key=None, headers={"Authorization": "Basic eDp5"}).status == 412


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"scope": "everything"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
    ],
)
def test_a_refused_token_says_why_in_oauth_s_words(
    call: Caller, fields: dict[str, str], status: int, error: str
) -> None:
    reply = ask(call, **fields)
    assert reply.status == status
    assert set(reply.json) == {"error", "error_description"}
    assert reply.json["error"] == error
    assert call.service.calls[-1].refused == (reply.json["error_description"],)


def test_the_discovery_names_the_token_s_address(call: Caller) -> None:
    found = call.get("/.well-known/openid-configuration", key=None, root="/api/v1").json
    assert found["token_endpoint"] == call.service.token_url


def test_no_secret_is_in_what_the_service_tells_of_itself(call: Caller) -> None:
    token = ask(call).json["access_token"]
    call.get("/file/designs", **bearer(token))
    told = repr(call.service) + repr(call.service.calls) + repr(call.service.documents)
    for secret in (call.service.app_key, call.service.client_secret, token):
        assert secret not in told
