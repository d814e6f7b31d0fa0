"""An address is read with care for its password: parsed, or refused without a part of it."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, strategies as st

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.queue.address import RedisAddress

SECRET = "hunter2"


def connection_of(text: str) -> dict[str, Any]:
    """Return what redis-py is told to connect with."""
    client = RedisAddress.of(text).client(retries=0)
    return dict(client.connection_pool.connection_kwargs)


@given(password=st.text(st.characters(codec="utf-8"), min_size=1), user=st.text(string.ascii_letters))
def test_a_percent_encoded_password_arrives_whatever_its_characters(password: str, user: str) -> None:
    address = RedisAddress.of(f"redis://{user}:{quote(password, safe='')}@localhost:6380/3")
    assert address.password == password
    assert address.username == (user or None)
    assert (address.hosts, address.path) == ((("localhost", 6380),), "/3")


@given(left=st.text(string.printable, max_size=6), right=st.text(string.printable, max_size=6))
@example(left="", right="%80")
def test_a_password_with_any_character_is_parsed_or_refused_and_never_shown(left: str, right: str) -> None:
    password = f"{left}{SECRET}{right}"
    try:
        address = RedisAddress.of(f"redis://:{password}@127.0.0.1:1/0")
    except ConfigurationError as error:
        told = [str(error), repr(error.__cause__), repr(error.__context__)]
    else:
        assert address.hosts == (("127.0.0.1", 1),)
        told = [str(address), repr(address), address.recorded]
    assert not any(SECRET in text for text in told)


@pytest.mark.parametrize(
    "text",
    [
        f"redis://:{SECRET}#x@127.0.0.1:1/0",
        f"redis://:57/{SECRET}@127.0.0.1:1/0",
        f"redis://:57?{SECRET}@127.0.0.1:1/0",
        f"redis://:[{SECRET}@127.0.0.1:1/0",
        f"redis://:]{SECRET}\\@127.0.0.1:1/0",
        f"redis://:{SECRET} x@127.0.0.1:1/0",
        f"redis://:{SECRET}\n@127.0.0.1:1/0",
        f"redis://:%ff{SECRET}@127.0.0.1:1/0",
    ],
)
def test_what_cannot_be_told_apart_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"Percent-encode|UTF-8") as refused:
        RedisAddress.of(text)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"redis://127.0.0.1:{SECRET}/0", "no host with a port"),
        (f"redis://:{SECRET}", "no host with a port"),
        ("redis://127.0.0.1:99999/0", "no host with a port"),
        ("redis:///0", "no host with a port"),
        (f"redis://127.0.0.1:1/{SECRET}", "no number of a database"),
        ("redis://127.0.0.1:1/0?ssl_cert_reqs=none", "rediss://"),
        ("rediss://127.0.0.1:1/0?ssl_cert_reqs=maybe", "none, optional or required"),
        ("rediss://127.0.0.1:1/0?ssl_ca_certs=/nowhere/ca.pem", "the file that ssl_ca_certs names is not there"),
        ("redis://127.0.0.1:1/0?sentinel_password=x", r"redis\+sentinel://"),
        (f"redis://127.0.0.1:1/0?{SECRET}=1", "takes the options"),
        ("redis://127.0.0.1:1/0?prefix=", "prefix is"),
        ("redis://a:1,b:2/0", "several hosts are for sentinels"),
        ("redis+sentinel://a:1,b:2", "name that the sentinels know"),
        ("unix://", "three slashes"),
        (f"http://:{SECRET}@localhost", "redis://localhost:6379/0"),
        (SECRET, "redis://localhost:6379/0"),
        ("", "redis://localhost:6379/0"),
        (None, "redis://localhost:6379/0"),
        (b"redis://localhost", "redis://localhost:6379/0"),
    ],
)
def test_what_is_no_address_is_refused_with_what_one_looks_like(text: object, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as refused:
        RedisAddress.of(text)
    assert SECRET not in str(refused.value)


def test_connections_have_time_outs_and_keep_alive_by_default() -> None:
    said = connection_of("redis://:open%20sesame@example.com:6380/3")
    assert said["credential_provider"].get_credentials() == ("open sesame",)
    assert (said["host"], said["port"], said["db"]) == ("example.com", 6380, 3)
    assert 0 < said["socket_timeout"] <= 30
    assert 0 < said["socket_connect_timeout"] <= 30
    assert said["socket_keepalive"] is True
    assert said["health_check_interval"] > 0


def test_the_same_address_in_every_text_has_no_password() -> None:
    address = RedisAddress.of(f"rediss://me:{SECRET}@[::1]/0?ssl_cert_reqs=none&prefix=app:reportflow")
    assert str(address) == "rediss://***@[::1]:6379/0"
    assert address.recorded == "rediss://[::1]:6379/0?ssl_cert_reqs=none&prefix=app%3Areportflow"
    assert address.keys.of("x") == "app:reportflow:x"
    assert SECRET not in repr(address) + str(vars(address)["hosts"])
    assert RedisAddress.of(address.recorded).recorded == address.recorded


def test_sentinels_have_hosts_a_service_and_a_database() -> None:
    address = RedisAddress.of(
        f"redis+sentinel://:{SECRET}@a:26379,b,[::1]:7/mymaster/2?sentinel_password={SECRET}"
    )
    assert address.hosts == (("a", 26379), ("b", 26379), ("::1", 7))
    assert str(address) == "redis+sentinel://***@a:26379,b:26379,[::1]:7/mymaster/2"
    assert SECRET not in address.recorded
    client = address.client(retries=0)
    assert client.connection_pool.service_name == "mymaster"
    assert client.connection_pool.connection_kwargs["db"] == 2
    asked = client.connection_pool.sentinel_manager.sentinels
    logged_in = [one.connection_pool.connection_kwargs["credential_provider"].get_credentials() for one in asked]
    assert logged_in == [(SECRET,)] * 3
    assert SECRET not in repr(client) + repr(asked), "whatever version of redis shows them"
    assert [one.get_retry().get_retries() for one in asked] == [0, 0, 0], "a dead one does not hold up the others"


def test_an_address_comes_from_the_command_line_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "queue"
    file.write_text("redis://from-the-file/0\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="REPORTFLOW_QUEUE"):
        RedisAddress.given(None)
    monkeypatch.setenv("REPORTFLOW_QUEUE", "redis://from-the-environment/0")
    assert RedisAddress.given(None).hosts[0][0] == "from-the-environment"
    monkeypatch.setenv("REPORTFLOW_QUEUE_FILE", str(file))
    assert RedisAddress.given(None).hosts[0][0] == "from-the-file"
    assert RedisAddress.given("redis://said/0").hosts[0][0] == "said"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        RedisAddress.given(None, str(tmp_path / "missing"))
