"""The embedded service as an object: started, stopped, looked at."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from aiohttp import web

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.credentials import Credentials
from reportflow_pandas.local.designs import Design, load_designs, packaged_designs
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.page_routes import Page
from reportflow_pandas.local.records import CallRecord, Document, WebhookRecord
from reportflow_pandas.local.render_queue import Rendering, require_compiler
from reportflow_pandas.local.routes import Api
from reportflow_pandas.local.state import Workspace
from reportflow_pandas.local.switches import FaultChoice, Seconds, Switches
from reportflow_pandas.local.webhook import Webhook
from reportflow_pandas.settings import Limits

__all__ = ["LocalService", "local_service"]

HOST = "127.0.0.1"
DesignFolders = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Mapping[str, Design]


class LocalService:
    """The embedded service; made by `local_service`.

    It runs in a thread of its own with an event loop of its own, on this machine's loopback only. After `stop`
    it can be started again on the same port and knows its documents still.
    """

    def __init__(
        self,
        designs: DesignFolders | None,
        port: int,
        switches: Switches,
        credentials: Credentials,
        *,
        clock: Clock,
        seed: int | None,
    ) -> None:
        self._designs = _all_designs(designs)
        self._port = port
        self._credentials = credentials
        self._workspace = Workspace(switches, clock, seed)
        self._webhook = Webhook(self._workspace)
        self._rendering = Rendering(self._workspace, self._webhook.look)
        self._api = Api(self._workspace, self._designs, credentials, self._rendering)
        self._page = Page(self._workspace, self._designs, self._rendering, self._api.in_thread, self.complete)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._afterwards: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        where = f"http://{HOST}:{self._port}/v1" if self._thread else "stopped"
        return f"<LocalService {where}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # life

    def start(self) -> Self:
        """Start the service if it does not run, and return it.

        Returns
        -------
        LocalService
            This one.

        Raises
        ------
        ConfigurationError
            The port is taken, or rendering needs packages that are not installed.

        Examples
        --------
        >>> service = local_service(render=False).start()
        >>> service.base_url.endswith("/v1")
        True
        >>> service.stop()
        """
        if self._thread is not None and self._thread.is_alive():
            return self
        if self._workspace.switches.render:
            require_compiler()
        started = threading.Event()
        failed: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(started, failed), name="reportflow-local-service", daemon=True
        )
        self._thread.start()
        started.wait()
        if failed:
            self._thread.join()
            self._thread = None
            if isinstance(failed[0], OSError):
                raise ConfigurationError(
                    f"the embedded service cannot listen on port {self._port} of {HOST}: {failed[0].strerror}. "
                    "Leave port out (or 0) for any free one"
                ) from failed[0]
            raise failed[0]
        return self

    def stop(self) -> None:
        """Stop the service; calls under way lose their connection. Stopping twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        while self._afterwards:
            self._afterwards.pop()()

    def when_stopped(self, afterwards: Callable[[], None]) -> None:
        """Have something called once when the service has stopped."""
        self._afterwards.append(afterwards)

    def _run(self, started: threading.Event, failed: list[BaseException]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve(started))
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits in start()
            failed.append(error)
        finally:
            self._loop = self._stopping = None
            started.set()

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.add_routes(self._api.routes())
        application.add_routes(self._page.routes())
        application.router.add_route("*", "/{other:.*}", self._api.unknown())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, HOST, self._port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        origin = f"http://{HOST}:{self._port}"
        self._webhook.page = f"{origin}/__emulator__/file"
        self._page.base_url = f"{origin}/v1"
        self._api.start(origin)
        self._rendering.start()
        started.set()
        try:
            await self._stopping.wait()
        finally:
            await site.stop()
            await runner.cleanup()
            await self._webhook.stop()
            await self._rendering.stop()
            self._api.stop()

    # addresses and credentials

    @property
    def _origin(self) -> str:
        if self._thread is None:
            raise ConfigurationError(
                "the embedded service does not run yet: `with rf.local_service() as service:` or `.start()`"
            )
        return f"http://{HOST}:{self._port}"

    @property
    def base_url(self) -> str:
        """Address of the API, ending in ``/v1``."""
        return f"{self._origin}/v1"

    @property
    def token_url(self) -> str:
        """Where OAuth clients fetch a token."""
        return f"{self._origin}/api/v1/oauth/token"

    @property
    def page_url(self) -> str:
        """The page for people."""
        return f"{self._origin}/"

    @property
    def app_key(self) -> str:
        """The workspace's key. It opens this service only."""
        return self._credentials.app_key

    @property
    def client_id(self) -> str:
        """The OAuth client."""
        return self._credentials.client_id

    @property
    def client_secret(self) -> str:
        """The OAuth client's secret. It opens this service only."""
        return self._credentials.client_secret

    @property
    def designs(self) -> Mapping[str, Design]:
        """The designs by id."""
        return self._designs

    def regenerate_key(self, app_key: str) -> None:
        """Replace the workspace's key; the old one is answered with 401 from now on."""
        self._credentials.app_key = app_key

    def revoke_tokens(self) -> None:
        """Make every access token issued so far worthless: 401 until a new one is fetched."""
        self._credentials.revoke()

    # what happened

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """All calls in the order of their arrival, those under way too (the last 200,000)."""
        return self._workspace.calls()

    @property
    def documents(self) -> tuple[Document, ...]:
        """All accepted documents in the order of their acceptance."""
        return self._workspace.documents()

    @property
    def webhooks(self) -> tuple[WebhookRecord, ...]:
        """All attempts to reach ``webhook_url``."""
        return self._workspace.webhooks()

    def counts(self) -> Counter[str]:
        """Return how many calls arrived, by endpoint.

        Examples
        --------
        >>> local_service(render=False).counts()
        Counter()
        """
        return self._workspace.counts()

    def clear(self) -> None:
        """Forget all calls and documents; what is under way ends as if it were forgotten later."""
        self._workspace.clear()
        self._on_loop(self._rendering.clear)

    def complete(self, file_name: str | None = None, *, request_id: str | None = None) -> int:
        """Make documents ready that wait for a manual step or a render delay, all or the named.

        Parameters
        ----------
        file_name : str, optional
            Bare file name; None: whatever its name.
        request_id : str, optional
            Only documents of this request.

        Returns
        -------
        int
            How many requests are concerned. A document that still renders is ready as soon as that is done.
        """
        return self._step(None, file_name, request_id)

    def fail(self, file_name: str, *, request_id: str | None = None, message: str = "変換に失敗しました。") -> int:
        """Let accepted documents of this name fail, as if their rendering had.

        Parameters
        ----------
        file_name : str
            Bare file name.
        request_id : str, optional
            Only documents of this request.
        message : str
            The reason that a download is answered with.

        Returns
        -------
        int
            How many requests are concerned. For documents that come later use ``Fault("failed_document")``.
        """
        return self._step(message, file_name, request_id)

    def _step(self, failure: str | None, file_name: str | None, request_id: str | None) -> int:
        concerned = self._workspace.step(failure=failure, request_id=request_id, file_name=file_name)

        def look() -> None:
            for request in concerned:
                self._webhook.look(request)

        self._on_loop(look)
        return len(concerned)

    def _on_loop(self, work: Callable[[], None]) -> None:
        """Do something on the service's loop and wait for it; at once when the service does not run."""
        loop = self._loop
        if loop is None or self._thread is None or threading.current_thread() is self._thread:
            work()
            return

        async def run() -> None:
            work()

        task: Coroutine[Any, Any, None] = run()
        asyncio.run_coroutine_threadsafe(task, loop).result(timeout=30)


def local_service(
    designs: DesignFolders | None = None,
    port: int = 0,
    *,
    limits: Limits | None = None,
    limit_window: Literal["fixed", "aligned", "sliding"] = "fixed",
    limit_counted: Literal["arrival", "answer"] = "arrival",
    max_in_flight: int | None = None,
    retry_after: bool = True,
    latency: Seconds = 0.0,
    render: bool = True,
    render_delay: Seconds = 0.0,
    manual: bool = False,
    not_ready_status: int = 404,
    not_ready_retry_after: int | None = None,
    expired_status: int = 404,
    failure_mode: Literal["error", "never"] = "error",
    early_files: bool = True,
    retention: float = 86400.0,
    sync_status: int = 201,
    sync_timeout: float = 120.0,
    sync_timeout_completes: bool = True,
    too_many_status: int = 400,
    both_credentials_status: int = 400,
    url_mode: Literal["download", "page"] = "download",
    schema_shape: Literal["array", "object"] = "array",
    id_style: Literal["short", "uuid"] = "short",
    share_url: bool = False,
    share_words: bool = False,
    echo_passthrough: bool = True,
    echo_params: bool = False,
    plan_pages: int | None = None,
    webhook_url: str | None = None,
    webhook_attempts: int = 1,
    webhook_copies: int = 1,
    token_life: float = 3600.0,
    keep_bytes: int = 256 * 1024 * 1024,
    faults: Fault | FaultChoice | Sequence[Fault | FaultChoice] = (),
    app_key: str = "ak_local_demo_key_0001",
    client_id: str = "cl_local_demo",
    client_secret: str = "local_demo_secret_0001",  # noqa: S107 - opens nothing but this service
    clock: Clock = SYSTEM_CLOCK,
    seed: int | None = None,
) -> LocalService:
    """Return the embedded service: the API's eight endpoints on this machine, with real PDFs.

    Parameters
    ----------
    designs : path, list of paths, or mapping of designs, optional
        Folders of designs beside the packaged ones; the same id replaces. A mapping takes the place of all.
    port : int
        TCP port on 127.0.0.1; 0: any free one.
    limits : Limits, optional
        Calls allowed in a window, enforced with 429; None: no limit. ``Limits()`` are the documented ones.
    limit_window : {"fixed", "aligned", "sliding"}
        Windows that open with their first call, that begin at whole minutes, or that look back from each call.
    limit_counted : {"arrival", "answer"}
        Whether a call counts when it arrives or after its latency, just before its answer.
    max_in_flight : int, optional
        More calls than this at once are answered with 429.
    retry_after : bool
        Whether ``Retry-After`` is sent.
    latency : float or function
        Seconds between a call's arrival and its answer, or a function that returns them anew each time.
        What a call orders is accepted on arrival (with ``limit_counted="answer"``: after its latency).
    render : bool
        False: PDFs are tiny placeholders, made on demand. For counting thousands of documents.
    render_delay : float or function
        Seconds from acceptance before a document may be ready, each document's own.
    manual : bool
        Async documents are ready only after `LocalService.complete`.
    not_ready_status : int
        Answer to a download that comes too early: 404, 409, 425, 423, 202, 204 or 400.
    not_ready_retry_after : int, optional
        ``Retry-After`` of that answer, in seconds.
    expired_status : int
        Answer to a download that comes too late: 404 or 410.
    failure_mode : {"error", "never"}
        A download of a document that failed is answered with 500, or as not ready for ever.
    early_files : bool
        Whether one file of a batch can be fetched before the others are ready.
    retention : float
        Seconds that a ready document is kept.
    sync_status : int
        Success of sync calls: 201, or 200 as the docs say.
    sync_timeout : float
        Seconds after which a sync call is answered with 504.
    sync_timeout_completes : bool
        Whether its documents exist nevertheless.
    too_many_status : int
        Refusal of more than 100 documents in a call.
    both_credentials_status : int
        Refusal of a call with key and token.
    url_mode : {"download", "page"}
        What ``url`` and ``File-URL`` are: the download's address, or a page for people.
    schema_shape : {"array", "object"}
        Shape of a design's parameters.
    id_style : {"short", "uuid"}
        16 letters and digits, or UUIDs.
    share_url : bool
        Whether entries of answers carry ``share.url``; those of webhooks always do.
    share_words : bool
        Whether requests may say ``"workspace"`` in place of ``"01"``.
    echo_passthrough, echo_params : bool
        Whether entries carry what was sent.
    plan_pages : int, optional
        Pages of the plan, one a document; when they are used up, 429 without ``Retry-After``.
    webhook_url : str, optional
        Address that is told of completed requests; plain http is fine.
    webhook_attempts, webhook_copies : int
        Tries until a 2xx, and how many times each event is sent.
    token_life : float
        Seconds that an access token is valid.
    keep_bytes : int
        Bytes of PDFs kept in memory; others are rendered again when they are asked for.
    faults : Fault, function, or sequence of these
        Misbehaviour on purpose, see `Fault`; a function ``(endpoint, body) -> Fault or None`` decides per call.
    app_key, client_id, client_secret : str
        The credentials that open it.
    clock : Clock
        Time; tests pass their own.
    seed : int or None
        Ids are the same for the same seed and order of calls; None (default): different each time, so that
        no two services ever issue the same ones.

    Returns
    -------
    LocalService
        Not started: use ``with`` or ``.start()``.

    Raises
    ------
    ConfigurationError
        A switch has a value it cannot have.

    Examples
    --------
    >>> with local_service(render=False) as service:
    ...     service.counts()["async/multiple"]
    0
    """
    switches = Switches(
        limits=limits,
        limit_window=limit_window,
        limit_counted=limit_counted,
        max_in_flight=max_in_flight,
        retry_after=retry_after,
        latency=latency,
        render=render,
        render_delay=render_delay,
        manual=manual,
        not_ready_status=not_ready_status,
        not_ready_retry_after=not_ready_retry_after,
        expired_status=expired_status,
        failure_mode=failure_mode,
        early_files=early_files,
        retention=retention,
        sync_status=sync_status,
        sync_timeout=sync_timeout,
        sync_timeout_completes=sync_timeout_completes,
        too_many_status=too_many_status,
        both_credentials_status=both_credentials_status,
        url_mode=url_mode,
        schema_shape=schema_shape,
        id_style=id_style,
        share_url=share_url,
        share_words=share_words,
        echo_passthrough=echo_passthrough,
        echo_params=echo_params,
        plan_pages=plan_pages,
        webhook_url=webhook_url,
        webhook_attempts=webhook_attempts,
        webhook_copies=webhook_copies,
        token_life=token_life,
        keep_bytes=keep_bytes,
        faults=faults,  # type: ignore[arg-type]
    )
    credentials = Credentials(
        app_key,
        client_id,
        client_secret,
        clock=clock,
        token_life=token_life,
        both_status=both_credentials_status,
    )
    return LocalService(designs, port, switches, credentials, clock=clock, seed=seed)


def _all_designs(designs: DesignFolders | None) -> dict[str, Design]:
    """Return the packaged designs and those of the folders, which replace them."""
    if isinstance(designs, Mapping):
        return dict(designs)
    found = dict(packaged_designs())
    folders = [designs] if isinstance(designs, (str, os.PathLike)) else designs or []
    for folder in folders:
        found |= load_designs(Path(folder))
    return found
