from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reportflow_pandas as rf
from reportflow_pandas.contract import API_URL
from reportflow_pandas.settings import Settings, current

KEY = "ak_secret_0123456789"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.test", "https://api.test/v1"),
        ("https://api.test/v1", "https://api.test/v1"),
        ("https://api.test/v1/", "https://api.test/v1"),
        (" https://api.test/proxy/ ", "https://api.test/proxy/v1"),
        ("https://api.test:8443", "https://api.test:8443/v1"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787/v1"),
        ("http://localhost:1", "http://localhost:1/v1"),
        ("http://[::1]:1", "http://[::1]:1/v1"),
        ("https://テスト.jp", "https://xn--zckzah.jp/v1"),
        ("https://api.test/my proxy", "https://api.test/my%20proxy/v1"),
    ],
)
def test_an_address_ends_in_v1_and_can_be_sent_as_it_is(given: str, kept: str) -> None:
    assert Settings(base_url=given).base_url == kept
    assert Settings(base_url=kept).base_url == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("api.test", "an address such as"),
        ("", "an address such as"),
        (None, "an address such as"),
        ("ftp://api.test", "an address such as"),
        ("https://", "an address such as"),
        ("https://api.test/?key=1", "an address such as"),
        ("http://api.test", "unencrypted"),
        ("http://127.0.0.1.api.test", "unencrypted"),
        ("https://me:secret@api.test", "user name or password"),
        ("https://api.test:99999", "no host or no port"),
        ("https://api.test:https", "no host or no port"),
        ("https://a..test", "no host or no port"),
        ("https://" + "a" * 64 + ".test", "no host or no port"),
    ],
)
def test_an_address_that_cannot_be_is_refused_before_anything_is_sent(given: Any, words: str) -> None:
    with pytest.raises(rf.ConfigurationError, match=words) as refused:
        Settings(base_url=given)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["app_key", "client_id", "client_secret"])
@pytest.mark.parametrize("value", ["a\nb", "a\r\nx: y", "a\0b", "鍵", 7])
def test_a_credential_that_could_not_travel_in_a_header_is_refused(name: str, value: Any) -> None:
    with pytest.raises(rf.ConfigurationError, match=f"{name}: a text of plain ASCII"):
        Settings(**{name: value})


def test_blanks_around_a_credential_are_not_part_of_it() -> None:
    assert Settings(app_key=f" {KEY} ").app_key == KEY


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "no key for Report Flow"),
        ({"client_id": "id"}, "client_secret is missing"),
        ({"client_secret": "hush"}, "client_id is missing"),
        ({"app_key": KEY, "client_id": "id", "client_secret": "hush"}, "keep one"),
    ],
)
def test_settings_without_one_whole_credential_are_no_use(values: dict[str, str], words: str) -> None:
    with pytest.raises(rf.ConfigurationError, match=words):
        Settings(**values).checked()  # type: ignore[arg-type]


def test_no_text_of_settings_shows_a_secret() -> None:
    settings = Settings(client_id="id_1", client_secret="hush_hush")
    for text in (repr(settings), str(settings), repr(Settings(app_key=KEY)), Settings(app_key=KEY).workspace):
        assert not any(secret in text for secret in (KEY, "hush", "id_1"))


def test_a_workspace_is_an_address_and_a_credential() -> None:
    one = Settings(app_key=KEY)
    assert one.workspace == Settings(app_key=KEY, runs=Path("elsewhere")).workspace
    assert one.workspace != Settings(app_key=KEY + "x").workspace
    assert one.workspace != Settings(app_key=KEY, base_url="https://api.test").workspace


def test_the_environment_decides_until_something_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert current().base_url == API_URL
    monkeypatch.setenv("REPORTFLOW_API_KEY", "ak_second_name")
    assert current().app_key == "ak_second_name"
    monkeypatch.setenv("REPORT_FLOW_APP_KEY", "ak_first_name")
    monkeypatch.setenv("REPORTFLOW_API_BASE_URL", "https://api.test")
    assert (current().app_key, current().base_url) == ("ak_first_name", "https://api.test/v1")
    assert rf.configure(app_key=KEY).app_key == KEY
    assert rf.configure(app_key=None).app_key == "ak_first_name"


def test_what_is_configured_takes_the_place_of_the_environments_other_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REPORT_FLOW_APP_KEY", KEY)
    settings = rf.configure(client_id="id", client_secret="hush")
    assert (settings.app_key, settings.client_id) == (None, "id")
    rf.configure(client_id=None, client_secret=None)
    monkeypatch.setenv("REPORTFLOW_CLIENT_ID", "id")
    monkeypatch.setenv("REPORTFLOW_CLIENT_SECRET", "hush")
    settings = rf.configure(app_key=KEY)
    assert (settings.app_key, settings.client_id) == (KEY, None)


def test_what_is_refused_changes_nothing() -> None:
    rf.configure(app_key=KEY)
    for values in ({"base_url": "nowhere"}, {"app_keys": KEY}, {"loop": "twisted"}):
        with pytest.raises(rf.ConfigurationError):
            rf.configure(**values)
    assert current() == Settings(app_key=KEY, runs=current().runs)


def test_a_misspelled_setting_is_told_the_right_ones() -> None:
    with pytest.raises(rf.ConfigurationError, match="knows no 'appkey'; it takes app_key, base_url"):
        rf.configure(appkey=KEY)


def test_settings_go_to_another_process_whole() -> None:
    assert pickle.loads(pickle.dumps(Settings(app_key=KEY))) == Settings(app_key=KEY)  # noqa: S301 - our own


# to whom runs belong


@pytest.mark.parametrize("port", [8787, 9999])
@pytest.mark.parametrize("key", ["ak_local_demo_key_0001", "ak_local_demo_key_0002"])
def test_the_embedded_service_is_one_owner_whatever_its_port_and_key(port: int, key: str) -> None:
    owner = Settings(base_url=f"http://127.0.0.1:{port}", app_key=key, workspace="acme").owner
    assert owner == ("embedded", "embedded")


def test_a_named_workspace_outlives_its_key_and_an_unnamed_one_is_known_by_it() -> None:
    first, second = (Settings(app_key=f"ak_key_of_a_workspace_{number}") for number in range(2))
    assert first.owner.workspace != second.owner.workspace
    assert first.owner.service == second.owner.service == API_URL
    assert not any("ak_key" in part for part in (*first.owner, first.workspace_id))
    assert replace(first, app_key=second.app_key).owner == second.owner
    named = [Settings(app_key=f"ak_key_of_a_workspace_{number}", workspace="acme") for number in range(2)]
    assert {one.owner for one in named} == {(API_URL, "acme")}
    assert len({one.workspace_id for one in named}) == 1


def test_a_workspace_is_named_by_the_environment_or_by_configure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTFLOW_WORKSPACE", "of the environment")
    assert current().owner.workspace == "of the environment"
    assert rf.configure(workspace="acme").owner.workspace == "acme"
    with pytest.raises(rf.ConfigurationError, match="workspace"):
        rf.configure(workspace=" ")
    assert current().owner.workspace == "acme"
