"""Work on the caller's own running loop: the one case that needs a patched asyncio, and its guards.

Nothing here runs unless ``rf.configure(loop="nest")`` asks for it. Patching is for the whole process and cannot be
undone, so everything is checked before it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.notebook.carried import Carried
from reportflow_pandas.settings import Settings, when_configured

__all__ = ["check", "make_reentrant", "running_loop", "wait"]

T = TypeVar("T")

DEFAULT_WAY = "Leave it at rf.configure(loop='thread'), the default: it works in every notebook"


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, as in a notebook's cell; None in a plain script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def check(settings: Settings) -> None:
    """Refuse ``loop="nest"`` where it would do damage; nothing is patched.

    Raises
    ------
    ConfigurationError
        The running loop is of a type that cannot be patched, or the only package to patch it with breaks this
        kernel.
    """
    if settings.loop == "nest":
        _patcher(running_loop())


def make_reentrant(loop: asyncio.AbstractEventLoop) -> None:
    """Patch the running loop, and with it asyncio, for the rest of this process."""
    _patcher(loop).apply(loop)


def wait(
    carried: Carried[T], loop: asyncio.AbstractEventLoop, paint: Callable[[], None] | None, every: float
) -> None:
    """Run a loop that runs already until the work has ended and nothing of it is left."""
    task = carried.start_here(loop)

    async def watch() -> None:
        # `ended` is set by a callback, a step of the loop after the task is done
        while not carried.ended.is_set():
            await asyncio.wait([task], timeout=every)
            if paint is not None:
                paint()

    while not carried.ended.is_set():
        try:
            loop.run_until_complete(loop.create_task(watch()))
        except BaseException as reason:  # noqa: BLE001 - see `Carried.answer`
            carried.broken_off(reason)


def _patcher(loop: asyncio.AbstractEventLoop | None) -> Any:
    """Return the package that can patch this loop."""
    if loop is not None and not isinstance(loop, asyncio.BaseEventLoop):
        # before apply(): a failed one leaves asyncio half patched
        kind = type(loop)
        raise ConfigurationError(
            f"loop='nest': this notebook's event loop is a {kind.__module__}.{kind.__qualname__}, which cannot be "
            f"nested. {DEFAULT_WAY}, on this loop too"
        )
    kept_up = _package("nest_asyncio2")
    if kept_up is not None:
        return kept_up
    reason = ""
    if sys.version_info >= (3, 14):
        reason = "on Python 3.14 and later it breaks time-outs"
    elif _ipykernel() >= 7:
        reason = f"with ipykernel {_ipykernel()} it loses the cells that wait behind the running one"
    if reason:
        raise ConfigurationError(
            f"loop='nest': only nest-asyncio is installed, whose last version 1.6.0 is not kept up: {reason}. "
            f"Install its successor, pip install nest_asyncio2. Or: {DEFAULT_WAY}"
        )
    old = _package("nest_asyncio")
    if old is None:
        raise ConfigurationError(
            f"loop='nest' needs a package that is missing: pip install nest_asyncio2. Or: {DEFAULT_WAY}"
        )
    return old


def _package(name: str) -> ModuleType | None:
    """Return a package if it is installed; importing it patches nothing."""
    return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None


def _ipykernel() -> int:
    """Return the major version of the ipykernel in use, 0 outside a kernel."""
    module = sys.modules.get("ipykernel")
    return int(str(getattr(module, "__version__", "0")).split(".")[0]) if module is not None else 0


when_configured(check)
