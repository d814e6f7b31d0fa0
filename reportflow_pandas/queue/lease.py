"""The right to send a call, asked for before each first byte: in one step with the note that it is being sent.

A worker that was paused, cut off or slow may have lost its call to another one, or the run may have been
cancelled. It finds out here, and sends nothing. What was noted here and never answered is unknown; what was not
noted was never sent.
"""

from __future__ import annotations

from typing import Any

from reportflow_pandas.engine.batching import Call
from reportflow_pandas.errors import JournalError

__all__ = ["CANCELLED", "SENT", "Lease", "LeaseLost"]

SENT = "sent"
"""The field of a job that counts the tries whose first byte may have left."""

CANCELLED = "cancelled"
"""The key of a queue that exists when its run was cancelled."""

_INTENT = """
if redis.call('EXISTS', KEYS[3]) == 1 then return 'cancelled' end
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then return 'lost' end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return 'ok'
"""


class LeaseLost(JournalError):  # noqa: N818 - says what happened
    """The call must not be sent by this worker.

    Attributes
    ----------
    cancelled : bool
        The run was cancelled; else another worker has the call, or none.
    """

    def __init__(self, message: str, *, cancelled: bool) -> None:
        super().__init__(message)
        self.cancelled = cancelled


class Lease:
    """A worker's right to one call.

    Parameters
    ----------
    client : redis.asyncio.Redis
        The connection.
    job_key, cancelled_key : str
        Keys of the job and of its queue's cancellation.
    token : str
        The worker's, in the job's lock.

    Attributes
    ----------
    tries : int
        Tries whose first byte may have left.
    """

    def __init__(self, client: Any, *, job_key: str, cancelled_key: str, token: str) -> None:
        self._script = client.register_script(_INTENT)
        self._keys = [f"{job_key}:lock", job_key, cancelled_key]
        self._token = token
        self.tries = 0

    async def intend(self, call: Call) -> int:  # noqa: ARG002 - the lease is of one call
        """Note that the call is about to be sent.

        Raises
        ------
        LeaseLost
            It must not be.
        """
        verdict = await self._script(keys=self._keys, args=[self._token, SENT])
        if verdict != "ok":
            raise LeaseLost(
                "the run was cancelled" if verdict == "cancelled" else "another worker has taken this call over",
                cancelled=verdict == "cancelled",
            )
        self.tries += 1
        return self.tries

    def refused(self, intent: int, call: Call) -> None:
        """Leave the note: a call with it and without an answer is a person's to look up."""
