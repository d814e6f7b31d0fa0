"""loop="nest": what is checked before anything is patched. Real nesting is tested in a real kernel."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any

import pytest

import reportflow_pandas as rf
from reportflow_pandas import event_loop
from reportflow_pandas.settings import current


class Patcher(types.ModuleType):
    """A package that notes what it is asked to patch, and patches nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.patched: list[Any] = []

    def apply(self, running: Any = None) -> None:
        """Note it."""
        self.patched.append(running)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Patcher]:
    """The packages that can be imported; a test takes one away by deleting it."""
    packages = {name: Patcher(name) for name in ("nest_asyncio", "nest_asyncio2")}
    monkeypatch.setattr(event_loop, "_package", packages.get)
    return packages


def ipykernel(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    module = types.SimpleNamespace(__version__=version)
    monkeypatch.setitem(sys.modules, "ipykernel", module)  # type: ignore[arg-type]


def python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]) -> None:
    monkeypatch.setattr(event_loop.sys, "version_info", version)


class OtherLoop(asyncio.AbstractEventLoop):
    """As uvloop's: no BaseEventLoop."""


def test_configuring_patches_nothing(installed: dict[str, Patcher]) -> None:
    assert rf.configure(loop="nest").loop == "nest"
    assert installed["nest_asyncio2"].patched == installed["nest_asyncio"].patched == []


def test_the_package_that_is_kept_up_comes_first(
    installed: dict[str, Patcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    ipykernel(monkeypatch, "7.4.0")
    running = asyncio.new_event_loop()
    event_loop.make_reentrant(running)
    running.close()
    assert installed["nest_asyncio2"].patched == [running]
    assert installed["nest_asyncio"].patched == []


@pytest.mark.parametrize("version", ["7.0.0", "7.4.0", "8.0.0a1"])
def test_the_old_package_is_refused_where_it_loses_cells(
    version: str, installed: dict[str, Patcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    del installed["nest_asyncio2"]
    python(monkeypatch, (3, 13))
    ipykernel(monkeypatch, version)
    with pytest.raises(rf.ConfigurationError, match=r"loses the cells.*pip install nest_asyncio2.*loop='thread'"):
        rf.configure(loop="nest")
    assert current().loop == "thread", "a refusal leaves the settings as they were"
    assert installed["nest_asyncio"].patched == []


def test_the_old_package_is_refused_where_it_breaks_time_outs(
    installed: dict[str, Patcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    del installed["nest_asyncio2"]
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    python(monkeypatch, (3, 14))
    with pytest.raises(rf.ConfigurationError, match=r"3\.14.*pip install nest_asyncio2"):
        rf.configure(loop="nest")


def test_the_old_package_serves_where_it_does_no_harm(
    installed: dict[str, Patcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    del installed["nest_asyncio2"]
    python(monkeypatch, (3, 11))
    ipykernel(monkeypatch, "6.31.0")
    running = asyncio.new_event_loop()
    event_loop.make_reentrant(running)
    running.close()
    assert installed["nest_asyncio"].patched == [running]


def test_without_any_package_the_way_out_is_named(installed: dict[str, Patcher]) -> None:
    installed.clear()
    with pytest.raises(rf.ConfigurationError, match="pip install nest_asyncio2"):
        rf.configure(loop="nest")


def test_a_loop_of_another_type_is_refused_before_anything_is_patched(installed: dict[str, Patcher]) -> None:
    """A failed apply() leaves asyncio half patched."""
    with pytest.raises(rf.ConfigurationError, match=r"OtherLoop.*loop='thread'"):
        event_loop.make_reentrant(OtherLoop())
    assert installed["nest_asyncio2"].patched == []


def test_a_script_without_a_running_loop_has_nothing_to_nest_in(installed: dict[str, Patcher]) -> None:
    rf.configure(loop="nest")

    async def where() -> bool:
        return asyncio.get_running_loop() is event_loop.private_loop()

    assert event_loop.run(where())
    assert installed["nest_asyncio2"].patched == []


def test_a_refusal_at_the_call_sends_nothing_and_leaves_no_coroutine(installed: dict[str, Patcher]) -> None:
    """As when settings with loop="nest" are given to one call."""
    installed.clear()
    begun = []

    async def work() -> None:
        begun.append(1)

    async def cell() -> None:
        event_loop.run(work(), how="nest")

    with pytest.raises(rf.ConfigurationError):
        asyncio.run(cell())
    assert begun == []


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(rf.ConfigurationError, match="'thread'"):
        rf.configure(loop="threads")
