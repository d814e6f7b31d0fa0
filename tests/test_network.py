"""Proxies, certificate authorities and plain http, by the environment and by `rf.configure`."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import trustme

import reportflow_pandas as rf
from reportflow_pandas.network import checked_proxy, is_loopback, named_hosts, proxy_for, tls_context
from reportflow_pandas.settings import Settings

API = "https://api.test/v1/file/designs"
PASSWORD = "hush:@/#?% word"


@pytest.mark.parametrize(
    ("given", "url", "credentials"),
    [
        ("http://proxy.test:3128", "http://proxy.test:3128", None),
        ("proxy.test:3128", "http://proxy.test:3128", None),
        ("https://proxy.test", "https://proxy.test", None),
        (" HTTP://proxy.test:3128/ ", "http://proxy.test:3128", None),
        ("http://[::1]:3128", "http://[::1]:3128", None),
        ("http://me:hush@proxy.test:3128", "http://proxy.test:3128", ("me", "hush")),
        ("me:hush@proxy.test:3128", "http://proxy.test:3128", ("me", "hush")),
        ("http://DOMAIN%5Cme:p%40ss@proxy.test", "http://proxy.test", ("DOMAIN\\me", "p@ss")),
        ("http://me:p@ss@proxy.test:1", "http://proxy.test:1", ("me", "p@ss")),
        ("http://me:p/s#s?@proxy.test:1", "http://proxy.test:1", ("me", "p/s#s?")),
        ("http://me:鍵@proxy.test:1", "http://proxy.test:1", ("me", "鍵")),
        ("http://me@proxy.test:1", "http://proxy.test:1", ("me", "")),
    ],
)
def test_a_proxy_is_its_address_and_who_uses_it(given: str, url: str, credentials: tuple[str, str] | None) -> None:
    proxy = checked_proxy(given)
    assert proxy.url == url
    assert proxy.credentials == credentials


@pytest.mark.parametrize(
    "given",
    [
        "http://",
        "ftp://me:hush@proxy.test",
        "http://me:hush@",
        "http://me:hush@proxy.test:port",
        "http://me:hush@proxy.test:99999",
        "http://me:hush@proxy.test:1/path",
        "http://me:hush@a..test",
        "socks5://me:hush@proxy.test:1080",
        "socks5h://me:hush@proxy.test:1080",
    ],
)
def test_what_is_no_http_proxy_is_refused_without_its_password(given: str) -> None:
    with pytest.raises(rf.ConfigurationError, match=r"http://proxy\.example\.com:3128") as refused:
        rf.configure(proxy=given)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, API, None),
        ({"HTTPS_PROXY": "http://p:1"}, API, "http://p:1"),
        ({"https_proxy": "http://p:1"}, API, "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, API, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, API, None),
        ({"HTTP_PROXY": "http://p:1"}, "http://reportflow:8787/v1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, API, "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, API, "http://q:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https://127.0.0.1:8787/v1", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://127.9.9.9/v1", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://[::1]:8787/v1", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://localhost:8787/v1", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.test"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "other, API.test"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".test"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.test"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "test"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "est"}, API, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "pi.test"}, API, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.test:443"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.test:8443"}, API, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, API, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3/v1", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://11.1.2.3/v1", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "fd00::/8"}, "https://[fd00::7]/v1", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "fd00::7"}, "https://[fd00::7]/v1", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ""}, API, "http://p:1"),
    ],
)
def test_the_environment_names_the_proxy_and_its_exceptions(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(url, None)
    assert (found.url if found else None) == proxy


def test_what_is_configured_outweighs_the_environments_proxy_but_not_its_exceptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://environment.test:1")
    found = Settings(proxy="http://mine.test:2").proxy_for(API)
    assert found is not None
    assert found.url == "http://mine.test:2"
    assert Settings(proxy="").proxy_for(API) is None
    assert Settings(proxy=False).proxy_for(API) is None
    monkeypatch.setenv("NO_PROXY", "api.test")
    assert Settings(proxy="http://mine.test:2").proxy_for(API) is None


def test_an_environment_that_names_no_http_proxy_is_told_which_variable_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@proxy.test:1080")
    with pytest.raises(rf.ConfigurationError, match=r"ALL_PROXY names a SOCKS proxy.*proxy=''") as refused:
        proxy_for(API, None)
    assert "hush" not in str(refused.value)


def test_no_text_of_the_settings_shows_a_password() -> None:
    settings = Settings(
        app_key="ak_secret_0123456789",
        proxy="http://me:hush@proxy.test:3128",
        smtp="smtps://me:hush@mail.test",
        sender="me@mail.test",
        plain_http="reportflow",
        max_documents=5,
    )
    assert repr(settings) == (
        f"Settings(base_url={settings.base_url!r}, app_key='***', smtp='***', proxy='http://proxy.test:3128', "
        "plain_http=('reportflow',), sender='me@mail.test', max_documents=5)"
    )
    assert "hush" not in repr(settings.proxy_for(API))
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own


def test_a_companys_certificate_authority_is_trusted_beside_this_machines_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tls_context(None) is None
    bundle = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    monkeypatch.chdir(tmp_path)
    settings = rf.configure(ca_bundle="company.pem")
    monkeypatch.chdir("/")
    assert settings.ca_bundle == bundle
    context = tls_context(rf.configure().ca_bundle)
    assert context is not None
    names = [dict(pair[0] for pair in one["subject"]) for one in context.get_ca_certs()]
    assert sum(name.get("organizationName", "").startswith("trustme") for name in names) == 1


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_usual_variables_name_certificate_authorities(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "company.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    monkeypatch.setenv(variable, str(bundle))
    context = tls_context(None)
    assert context is not None
    assert any("trustme" in str(one["subject"]) for one in context.get_ca_certs())
    monkeypatch.setenv(variable, str(tmp_path / "gone.pem"))
    with pytest.raises(rf.ConfigurationError, match=rf"{variable} names .*gone\.pem"):
        tls_context(None)
    (tmp_path / "other.pem").write_text("no certificate")
    monkeypatch.setenv(variable, str(tmp_path / "other.pem"))
    with pytest.raises(rf.ConfigurationError, match=rf"{variable} names .*other\.pem.*holds no certificate"):
        tls_context(None)


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\x80"])
def test_a_bundle_without_a_certificate_is_refused_at_once(tmp_path: Path, content: bytes | None) -> None:
    bundle = tmp_path / "company.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(rf.ConfigurationError, match=r"ca_bundle names .*company\.pem"):
        rf.configure(ca_bundle=bundle)
    assert rf.configure().ca_bundle is None


def test_a_bundle_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    trustme.CA(organization_name="first").cert_pem.write_to_path(bundle)
    first = tls_context(bundle)
    bundle.unlink()
    trustme.CA(organization_name="second").cert_pem.write_to_path(bundle)
    second = tls_context(bundle)
    assert first is not None
    assert second is not None
    assert "second" in str(second.get_ca_certs())


def test_plain_http_is_for_hosts_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(rf.ConfigurationError, match="plain_http='reportflow'"):
        rf.configure(base_url="http://reportflow:8787")
    settings = rf.configure(base_url="http://reportflow:8787", plain_http="reportflow")
    assert settings.base_url == "http://reportflow:8787/v1"
    assert settings.may_be_plain("http://reportflow:9000/token")
    assert not settings.may_be_plain("http://reportflow.example.com/token")
    with pytest.raises(rf.ConfigurationError, match="unencrypted"):
        rf.configure(plain_http=None)
    rf.configure(base_url=None, plain_http=None)
    monkeypatch.setenv("REPORTFLOW_API_BASE_URL", "http://reportflow:8787")
    monkeypatch.setenv("REPORTFLOW_PLAIN_HTTP", "other,reportflow:8787")
    assert rf.configure().base_url == "http://reportflow:8787/v1"


@pytest.mark.parametrize("value", ["http://reportflow", "*", "a b", "a/b", [7], "me@host"])
def test_plain_http_takes_names_of_hosts_alone(value: object) -> None:
    with pytest.raises(rf.ConfigurationError, match="plain_http"):
        rf.configure(plain_http=value)
    assert named_hosts(" A.test , b ,", "plain_http") == ("a.test", "b")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_documents": -1}, "max_documents"),
        ({"max_documents": True}, "max_documents"),
        ({"outage": "soon"}, "'15min'"),
        ({"proxy": 7}, "proxy"),
        ({"smtp": ""}, "smtp"),
        ({"runs": "~no-such-user-here/x"}, "runs"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(values: dict[str, object], words: str) -> None:
    before = rf.configure()
    with pytest.raises(rf.ConfigurationError, match=words):
        rf.configure(**values)
    assert rf.configure() == before


def test_an_outage_is_told_in_seconds_or_words() -> None:
    assert Settings().outage == 120.0
    assert rf.configure(outage="10min").outage == 600.0


def test_a_folder_of_runs_is_the_one_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    rf.configure(runs="journals")
    monkeypatch.chdir("/")
    assert rf.configure().runs == tmp_path / "journals"
    assert rf.configure(runs="~/journals").runs == tmp_path / "home" / "journals"


def test_this_machine_is_told_from_names_that_look_like_it() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST", "localhost."):
        assert is_loopback(host)
    for host in ("127.0.0.1.test", "localhost.test", "::2", "0.0.0.0", "", None):  # noqa: S104 - none of ours
        assert not is_loopback(host)
