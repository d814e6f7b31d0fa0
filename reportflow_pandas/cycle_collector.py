"""Python's cycle collector, paused where many objects are made that all stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["without_cycle_collector"]


@contextlib.contextmanager
def without_cycle_collector() -> Iterator[None]:
    """Pause the cycle collector: it goes through all objects again and again, and finds none to give back."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
