"""The service's rate limits: two windows for a workspace."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

from reportflow_pandas.local.http_answers import Refusal
from reportflow_pandas.settings import Limits

__all__ = ["Rates"]


class _Window:
    """So many calls in a window of time."""

    def __init__(self, calls: int, length: float, kind: str) -> None:
        self.calls, self.length, self.kind = calls, length, kind
        self._opened = -math.inf
        self._count = 0
        self._times: deque[float] = deque()

    def taken(self, now: float) -> float | None:
        """Count a call, or return the seconds until one is allowed again."""
        if self.kind == "sliding":
            while self._times and self._times[0] + self.length <= now:
                self._times.popleft()
            if len(self._times) >= self.calls:
                return self._times[0] + self.length - now
            self._times.append(now)
            return None
        if now >= self._opened + self.length:
            self._opened = now if self.kind == "fixed" else math.floor(now / self.length) * self.length
            self._count = 0
        if self._count >= self.calls:
            return self._opened + self.length - now
        self._count += 1
        return None


class Rates:
    """Sync generation has one window, everything else another; refused calls do not count.

    ``kind``: ``"fixed"`` windows open with the first call after the one before has closed, ``"aligned"`` ones at
    whole multiples of their length, ``"sliding"`` ones look back from each call.
    """

    def __init__(self, limits: Limits | None, kind: Literal["fixed", "aligned", "sliding"]) -> None:
        self._windows: dict[bool, _Window] = {}
        if limits is not None:
            for sync, calls in ((True, limits.sync_calls), (False, limits.async_calls)):
                if calls is not None:
                    self._windows[sync] = _Window(calls, limits.window, kind)

    def take(self, endpoint: str, now: float) -> None:
        """Count a call.

        Raises
        ------
        Refusal
            429 with the whole seconds until the window has room.
        """
        window = self._windows.get(endpoint.startswith("sync/"))
        pause = window.taken(now) if window else None
        if window and pause is not None:
            raise Refusal(
                429,
                f"リクエスト数が上限({window.length:g} 秒間に {window.calls} 回)を超えました。"
                "しばらく待ってから再度お試しください。",
                max(1, math.ceil(pause)),
            )
