"""The embedded service is for this machine, and for designs of strangers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService

Local = Callable[..., LocalService]

FOREIGN = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8787",
    "192.168.0.7",
    "[2001:db8::1]",
    "a b",
]
OWN = ["127.0.0.1", "127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "localhost."]


def asked(service: LocalService, method: str, path: str, host: str, body: object = None) -> tuple[int, bytes]:
    """Ask as a browser does that another site's name led here."""
    parts = urlsplit(service.page_url)
    line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {"Host": host, "appkey": service.app_key, "Content-Type": "application/json"}
    try:
        line.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


ORDER = {"designId": "certificate", "version": 1, "content": {"fileName": "a", "params": {}}}
PLACES = [
    ("POST", "/v1/file/async/single", ORDER),
    ("GET", "/v1/file/designs", None),
    ("POST", "/api/v1/oauth/token", None),
    ("GET", "/", None),
    ("POST", "/__emulator__/complete", None),
    ("GET", "/nowhere", None),
]


@pytest.mark.parametrize("host", FOREIGN)
def test_another_sites_name_for_this_machine_opens_nothing(host: str, service: LocalService) -> None:
    """DNS rebinding: the site's page may send any header, and the key of the embedded service is known."""
    for method, path, body in PLACES:
        status, said = asked(service, method, path, host, body)
        assert status in (400, 403), (method, path)
        assert service.app_key.encode() not in said
    assert not service.documents


@pytest.mark.parametrize("host", OWN)
def test_this_machines_own_names_are_served(host: str, service: LocalService) -> None:
    assert asked(service, "POST", "/v1/file/async/single", host, ORDER)[0] == 202


def test_where_it_listens_for_other_machines_any_name_of_theirs_is_served() -> None:
    """``reportflow-pandas serve --host 0.0.0.0``: their names for this machine are not known."""
    service = rf.local_service(render=False)
    service.host = "0.0.0.0"  # noqa: S104 - that is what is tested
    with service:
        assert asked(service, "POST", "/v1/file/async/single", "reportflow:8787", ORDER)[0] == 202


def test_another_sites_page_is_not_allowed_to_ask() -> None:
    """The key goes in a header, for which a browser asks first: it gets no leave."""
    with rf.local_service(render=False) as service:
        parts = urlsplit(service.page_url)
        line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        line.request("OPTIONS", "/v1/file/async/single", headers=asking)
        answer = line.getresponse()
        assert answer.status >= 400
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
        line.close()
