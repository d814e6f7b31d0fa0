"""A company's network: every call goes through its proxy and trusts its authority, counted at both ends."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import trustme
from support.proxies import Proxy, proxying, tls_in_front_of

import reportflow_pandas as rf
from reportflow_pandas.local.service import LocalService

HOST = "api.test"
FRAME = pd.DataFrame(
    {
        "ReceiptId": [f"R{number}" for number in range(12)],
        "ReceiptDate": "2026-11-05",
        "CustomerName": "A",
        "Company": "B",
        "Amount": 1.5,
        "Description": "d",
        "PaymentMethod": "cash",
    }
)


@pytest.fixture(autouse=True)
def _known_by_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service behind a proxy be called what the proxy's people call it."""
    monkeypatch.setattr("reportflow_pandas.local.service.EVERYWHERE", ("127.0.0.1",))


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA(organization_name="company")
    made.cert_pem.write_to_path(tmp_path / "company.pem")
    return made


@pytest.fixture
def secure(service: LocalService, authority: trustme.CA) -> Iterator[tuple[str, int]]:
    """The service behind TLS, under a name that only a proxy knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with tls_in_front_of(("127.0.0.1", int(service.base_url.split(":")[2].split("/")[0])), context) as port:
        yield "127.0.0.1", port


def generated(**options: object) -> pd.DataFrame:
    return FRAME.reportflow.generate("receipt", progress=False, **options)


def test_a_run_goes_through_the_proxy_of_the_environment_in_tunnels_that_are_kept(
    service: LocalService, secure: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying({f"{HOST}:443": secure}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "company.pem"))
        rf.configure(base_url=f"https://{HOST}", app_key=service.app_key)
        results = generated(endpoint="async/single", concurrency=2, download=tmp_path / "pdfs")
    assert results["status"].tolist() == ["ready"] * 12
    assert len(service.documents) == 12
    assert {(one.method, one.target) for one in proxy.asked} == {("CONNECT", f"{HOST}:443")}
    assert len(proxy.asked) < 12
    for one in proxy.asked:
        assert service.app_key not in str(one.headers)


@pytest.mark.parametrize("written", ["me:p%40ss%2Fw%C3%B6rd", "me:p@ss/wörd"])
def test_a_proxy_gets_the_password_that_it_was_given(
    service: LocalService, secure: tuple[str, int], tmp_path: Path, written: str
) -> None:
    with proxying({f"{HOST}:443": secure}, password=("me", "p@ss/wörd")) as proxy:
        rf.configure(
            base_url=f"https://{HOST}",
            app_key=service.app_key,
            proxy=f"http://{written}@127.0.0.1:{proxy.port}",
            ca_bundle=tmp_path / "company.pem",
        )
        assert generated()["status"].eq("accepted").all()
    assert len(service.documents) == 12


def test_plain_http_goes_through_a_proxy_by_its_whole_address(
    service: LocalService, secure: tuple[str, int]
) -> None:
    place = ("127.0.0.1", int(service.base_url.split(":")[2].split("/")[0]))
    with proxying({"reportflow:8787": place}, password=("me", "hush")) as proxy:
        rf.configure(
            base_url="http://reportflow:8787",
            plain_http="reportflow",
            app_key=service.app_key,
            proxy=f"http://me:hush@127.0.0.1:{proxy.port}",
        )
        assert generated()["status"].eq("accepted").all()
    assert len(service.documents) == 12
    assert all(one.target.startswith("http://reportflow:8787/v1/file/") for one in proxy.asked)
    assert {one.headers["host"] for one in proxy.asked} == {"reportflow:8787"}


def refused(proxy: Proxy) -> str:
    rf.configure(
        base_url=f"https://{HOST}", app_key="ak_0123456789abcdef", proxy=f"me:hush@127.0.0.1:{proxy.port}"
    )
    with pytest.raises(rf.ConnectionFailed) as error:
        generated(attempts=1)
    assert "hush" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (407, "does not take the user and password"),
        (403, "lets nothing through to this address (403)"),
        (502, "answered 502 in place of a connection"),
    ],
)
def test_a_proxy_that_refuses_is_named(status: int, words: str) -> None:
    with proxying({}, status=status) as proxy:
        said = refused(proxy)
    assert f"the proxy 127.0.0.1:{proxy.port} (rf.configure(proxy=…))" in said
    assert words in said


def test_a_proxy_that_wants_a_password_says_how_it_is_given(
    service: LocalService, secure: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying({"reportflow:80": secure}, password=("me", "hush")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        for address in (f"https://{HOST}", "http://reportflow"):
            rf.configure(base_url=address, plain_http="reportflow", app_key=service.app_key)
            with pytest.raises(rf.ConnectionFailed, match=r"PROXY|proxy") as error:
                generated(attempts=1)
            assert "asks for a user and a password: rf.configure(proxy='http://USER:PASSWORD@" in str(error.value)
    assert not service.documents


def test_a_proxy_that_is_not_there_is_told_from_a_service_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxying({}) as proxy:
        pass
    assert "cannot be reached" in refused(proxy)
    rf.configure(proxy="http://proxy.invalid:3128")
    with pytest.raises(rf.ConnectionFailed, match=r"address of the proxy proxy\.invalid:3128 .* not found"):
        generated(attempts=1)


def test_what_speaks_no_http_is_no_proxy(service: LocalService, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with proxying({}, tls=context) as proxy:
        said = refused(proxy)
    assert f"through the proxy 127.0.0.1:{proxy.port}" in said


def test_this_machine_and_named_exceptions_are_reached_directly(
    service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying({}) as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert generated()["status"].eq("accepted").all()
        rf.configure(proxy=proxy.url)
        assert generated()["status"].eq("accepted").all()
    assert proxy.asked == []


def test_a_netrc_is_never_read(service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text(
        "machine 127.0.0.1 login me password hush\nmachine reportflow login me password hush\n"
        "default login a password b"
    )
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    place = ("127.0.0.1", int(service.base_url.split(":")[2].split("/")[0]))
    with proxying({"reportflow:8787": place}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        rf.configure(base_url="http://reportflow:8787", plain_http="reportflow", app_key=service.app_key)
        assert generated()["status"].eq("accepted").all()
    for one in proxy.asked:
        assert not {"authorization", "proxy-authorization"} & one.headers.keys()


@pytest.mark.parametrize(
    ("issued", "words"),
    [(HOST, "rf.configure(ca_bundle='company.pem') or the environment's REQUESTS_CA_BUNDLE")],
)
def test_an_untrusted_certificate_says_the_way_out(
    service: LocalService, secure: tuple[str, int], issued: str, words: str
) -> None:
    with proxying({f"{HOST}:443": secure}) as proxy:
        rf.configure(base_url=f"https://{HOST}", app_key=service.app_key, proxy=proxy.url)
        with pytest.raises(rf.ConnectionFailed) as error:
            generated(attempts=1)
    assert words in str(error.value)
    assert not service.documents


def test_a_certificate_of_another_name_is_no_matter_of_authorities(
    service: LocalService, authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(context)
    place = ("127.0.0.1", int(service.base_url.split(":")[2].split("/")[0]))
    with tls_in_front_of(place, context) as port, proxying({f"{HOST}:443": ("127.0.0.1", port)}) as proxy:
        rf.configure(
            base_url=f"https://{HOST}",
            app_key=service.app_key,
            proxy=proxy.url,
            ca_bundle=tmp_path / "company.pem",
        )
        with pytest.raises(rf.ConnectionFailed, match=r"is base_url right\?"):
            generated(attempts=1)


def test_a_proxy_may_be_reached_over_tls_itself(
    service: LocalService, secure: tuple[str, int], authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with proxying({f"{HOST}:443": secure}, tls=context) as proxy:
        rf.configure(
            base_url=f"https://{HOST}",
            app_key=service.app_key,
            proxy=f"https://localhost:{proxy.port}",
            ca_bundle=tmp_path / "company.pem",
        )
        assert generated()["status"].eq("accepted").all()
    assert proxy.asked
