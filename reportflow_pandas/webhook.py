"""Receiving the service's ``file.completed``: rows become ready beside the process that sends them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from aiohttp import web

from reportflow_pandas import event_loop
from reportflow_pandas.api.client import Client
from reportflow_pandas.contract import FILE_COMPLETED
from reportflow_pandas.engine.attempts import Channel, GivenUp, channel_to
from reportflow_pandas.errors import ConfigurationError, NotReady, ReportFlowError
from reportflow_pandas.journal import marks, runs
from reportflow_pandas.lru import LruDict
from reportflow_pandas.notify import Notifier, ended
from reportflow_pandas.printable import counted
from reportflow_pandas.settings import Limits, Settings, current

__all__ = ["Webhook"]

log = logging.getLogger("reportflow_pandas")

LARGEST_EVENT_BYTES = 4 * 1024 * 1024
"""Bytes of an event: a hundred files of a request need 60,000."""

MOST_WAITING_EVENTS = 10_000
"""Events that wait for their turn; more are answered with 503, and the service may try again."""

REMEMBERED_REQUESTS = 100_000
"""Requests of which a second event is ignored."""

EVENTS_AT_ONCE = 4
PAUSES_SECONDS = (1.0, 5.0, 30.0)
"""Seconds before a file is asked for again that should be there and is not."""


@dataclass(frozen=True)
class Event:
    """One request that the service says is complete, as far as it is believed: its ids, no address.

    Attributes
    ----------
    request_id : str
        The request.
    files : dict
        File ids by our own id, which the service echoed.
    """

    request_id: str
    files: dict[str, str]

    @classmethod
    def read(cls, body: bytes) -> Event | None:
        """Return the event in a body; None where it is of another kind or holds none of our ids.

        Raises
        ------
        ValueError
            No JSON object.
        """
        value = orjson.loads(body)
        if not isinstance(value, dict):
            raise ValueError("an event is an object")  # noqa: TRY004 - as for what is no JSON at all
        request_id, files = value.get("requestId"), value.get("files")
        if value.get("event") != FILE_COMPLETED or not isinstance(files, list) or not _text(request_id):
            return None
        ours: dict[str, str] = {}
        for file in files:
            if isinstance(file, dict) and isinstance(file.get("passthrough"), dict) and _text(file.get("fileId")):
                identity = file["passthrough"].get("rf")
                if _text(identity):
                    ours[identity] = file["fileId"]
        return cls(str(request_id), ours) if ours else None


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


class Webhook:
    """Listens for the service's events and marks rows of the runs' folder as ready.

    It takes no run's lock: the process that sends goes on, and sees the marks at its end, as `rf.load` does at
    once. An event is believed only as far as the service itself confirms it: a file of the request is fetched with
    this process's own key from the configured address. Addresses in an event are never read. A row that was
    ``unknown`` is accepted and ready, once its own file was there. A request is looked at once, however many
    events tell of it.

    Parameters
    ----------
    settings : Settings, optional
        Address, key and the runs' folder; None: this process's.
    host : str
        Where it listens. The default is this machine only: a reverse proxy or a tunnel brings HTTPS.
    port : int
        0: any free one.
    notify : str or list of str, optional
        Addresses of Apprise's that are told when all rows of a run have their PDF or have failed.

    Attributes
    ----------
    seen : Counter
        Events by what became of them: ``marked``, ``known``, ``repeated``, ``foreign``, ``unconfirmed``.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> settings = rf.Settings(app_key="ak_local_demo_key_0001", base_url="http://127.0.0.1:8787")
    >>> with Webhook(settings, port=0) as webhook:
    ...     webhook.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 8788,
        notify: str | Sequence[str] | None = None,
    ) -> None:
        self.settings = (settings or current()).checked()
        self.seen: Counter[str] = Counter()
        self._host, self._port = host, port
        self._notifier = Notifier(notify)
        self._known: LruDict[str, None] = LruDict(REMEMBERED_REQUESTS)
        self._last_run = ""
        self._told: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where events are sent, behind whatever brings HTTPS."""
        return f"http://{self._host}:{self._port}/"

    # -- life ------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen.

        Raises
        ------
        ConfigurationError
            The port is taken.
        """
        event_loop.run(self._start())
        return self

    def stop(self) -> None:
        """Stop listening; events that wait are dropped, and `rf.load` or a download finds out without them."""
        event_loop.run(self._stop())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _start(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue(MOST_WAITING_EVENTS)
        application = web.Application(client_max_size=LARGEST_EVENT_BYTES)
        application.router.add_post("/{path:.*}", self._receive)
        application.router.add_get("/{path:.*}", self._greet)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(
                f"the webhook cannot listen on port {self._port} of {self._host}: {error.strerror or error}. "
                "Choose another with port= (--port), 0 for any free one"
            ) from error
        self._port = self._runner.addresses[0][1]
        self._client = await Client(self.settings).__aenter__()
        # half of the workspace's limit at most: the process that sends should not feel it
        self._channel = channel_to(self.settings, limits=Limits(async_calls=50))
        self._tasks = [asyncio.create_task(self._work(self._client, self._channel)) for _ in range(EVENTS_AT_ONCE)]

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is None:
            return
        await runner.cleanup()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    # -- events ----------------------------------------------------------------------------------------------

    async def _greet(self, _request: web.Request) -> web.Response:
        return web.Response(text="reportflow-pandas webhook: POST file.completed here\n")

    async def _receive(self, request: web.Request) -> web.Response:
        """Answer at once; everything else comes later."""
        try:
            event = Event.read(await request.read())
        except ValueError:
            return web.Response(status=400, text="an event is JSON\n")
        if event is None:
            self.seen["foreign"] += 1
        elif event.request_id in self._known:
            self.seen["repeated"] += 1
        else:
            try:
                self._events.put_nowait(event)
            except asyncio.QueueFull:
                return web.Response(status=503, headers={"Retry-After": "60"})
            self._known[event.request_id] = None
        return web.Response(status=204)

    async def _work(self, client: Client, channel: Channel) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._look_at(event, client, channel)
            except ReportFlowError as problem:
                # the service may tell again, or another process: then it is looked at again
                self._known.pop(event.request_id, None)
                self.seen["unconfirmed"] += 1
                log.warning("webhook: request %s is not confirmed: %s", event.request_id, problem)
            except Exception:
                self._known.pop(event.request_id, None)
                log.exception("webhook: request %s could not be looked at", event.request_id)

    async def _look_at(self, event: Event, client: Client, channel: Channel) -> None:
        settings = self.settings
        owner = await asyncio.to_thread(
            marks.owner_of, settings.runs, settings.owner, event.files, event.request_id, self._last_run
        )
        if owner is None:
            self.seen["foreign"] += 1
            log.info("webhook: request %s belongs to no run in %s", event.request_id, settings.runs)
            return
        self._last_run = owner.run
        # one file stands for a request that is written down; of one that is not, each row may have been unknown
        asked = owner.documents[:1] if owner.answered else owner.documents
        for identity in asked:
            await self._confirm(event.request_id, event.files[identity], client, channel)
        marked = await asyncio.to_thread(self._mark, owner, event)
        self.seen["marked" if marked else "known"] += 1
        log.info("webhook: ready in run %s: %s", owner.run, counted(marked, "row"))
        if marked and self._notifier and self._events.empty():
            await asyncio.to_thread(self._tell, owner.run)

    async def _confirm(self, request_id: str, file_id: str, client: Client, channel: Channel) -> None:
        """Return if the service has the file for us."""
        for pause in (*PAUSES_SECONDS, None):
            try:
                await channel.ask(lambda: client.download_file(request_id, file_id), kind="download")
            except GivenUp as refused:
                if pause is None or not isinstance(refused.error, NotReady):
                    raise refused.error from None
                await self.settings.clock.sleep(pause)
            else:
                return

    def _mark(self, owner: marks.Owned, event: Event) -> int:
        settings = self.settings
        marked = [
            marks.mark_ready(
                settings.runs,
                owner.run,
                identity,
                settings.clock,
                file_id=event.files[identity],
                request_id=event.request_id,
            )
            for identity in owner.documents
        ]
        return marked.count("marked")

    def _tell(self, run: str) -> None:
        """Tell once when every row of a run has its PDF, or never will."""
        recorded = runs.load(self.settings.runs, run)
        counts = recorded.outcomes.counts()
        if run in self._told or not recorded.meta["planned"] or counts["not_sent"] or counts["accepted"]:
            return
        self._told.add(run)
        design = recorded.meta.get("design") or recorded.meta.get("design_id", "")
        message = ended(run, {"total": len(recorded.outcomes), **counts}, design=design)
        for problem in self._notifier.tell(message):
            log.warning("webhook: %s", problem)
