"""The embedded service as an object: started, stopped, looked at."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import fields
from typing import Any, Self, Unpack

from aiohttp import web

from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.local.credentials import Credentials
from reportflow_pandas.local.design_folders import DesignFolders, FolderChoice
from reportflow_pandas.local.designs import Design
from reportflow_pandas.local.http_answers import names_this_machine, refusal_body
from reportflow_pandas.local.page_routes import Page
from reportflow_pandas.local.records import CallRecord, Document, WebhookRecord
from reportflow_pandas.local.render_queue import Rendering, require_compiler
from reportflow_pandas.local.routes import Api
from reportflow_pandas.local.state import Workspace
from reportflow_pandas.local.switches import SwitchArguments, Switches, with_switches
from reportflow_pandas.local.webhook import Webhook

__all__ = ["LocalService", "local_service"]

HOST = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - the person's own choice


class LocalService:
    """The embedded service; made by `local_service`.

    It runs in a thread of its own with an event loop of its own, on this machine's loopback only. After `stop`
    it can be started again on the same port and knows its documents still.
    """

    def __init__(self, designs: FolderChoice | None, port: int, switches: Switches) -> None:
        self._designs = DesignFolders(designs, switches.clock)
        self._port = port
        self._credentials = Credentials(switches)
        self._workspace = Workspace(switches)
        self._webhook = Webhook(self._workspace)
        self._rendering = Rendering(self._workspace, self._webhook.look)
        self._api = Api(self._workspace, self._designs, self._credentials, self._rendering)
        self._page = Page(self._workspace, self._designs, self._rendering, self._api.in_thread, self.complete)
        self.host = HOST
        """Where it listens; ``"0.0.0.0"`` for other machines, too: then its key is all that guards it."""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._afterwards: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        where = f"http://{self._address}:{self._port}/v1" if self._thread else "stopped"
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
                    f"the embedded service cannot listen on port {self._port} of {self.host}: "
                    f"{failed[0].strerror}. "
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
        application = web.Application(middlewares=[self._refuse_foreign_names])
        application.add_routes(self._api.routes())
        application.add_routes(self._page.routes())
        application.router.add_route("*", "/{other:.*}", self._api.unknown())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self._port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        origin = f"http://{self._address}:{self._port}"
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

    @web.middleware
    async def _refuse_foreign_names(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse a browser that was led here by another site's name, which could use the known key.

        Where the service listens for other machines, their names for this one are not known.
        """
        if not self._for_others and not names_this_machine(request.host):
            words = f"this service is for this machine only: call it 127.0.0.1 or localhost, not {request.host}"
            return web.Response(status=403, body=refusal_body(403, words), content_type="application/json")
        return await handler(request)

    # addresses and credentials

    @property
    def _for_others(self) -> bool:
        """Whether other machines may call."""
        return self.host in EVERYWHERE or not names_this_machine(self._address)

    @property
    def _address(self) -> str:
        """The address by which this machine reaches it."""
        if self.host in EVERYWHERE:
            return HOST
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def _origin(self) -> str:
        if self._thread is None:
            raise ConfigurationError(
                "the embedded service does not run yet: `with rf.local_service() as service:` or `.start()`"
            )
        return f"http://{self._address}:{self._port}"

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


@with_switches
def local_service(
    designs: FolderChoice | None = None, port: int = 0, **switches: Unpack[SwitchArguments]
) -> LocalService:
    """Return the embedded service: the API's eight endpoints on this machine, with real PDFs.

    Parameters
    ----------
    designs : path, list of paths, or mapping of designs, optional
        Folders of designs beside the packaged ones; the same id replaces. A mapping takes the place of all. A
        folder is read again when a file in it changes.
    port : int
        TCP port on 127.0.0.1; 0: any free one.
    **switches
        Of `Switches`.

    Returns
    -------
    LocalService
        Not started: use ``with`` or ``.start()``.

    Raises
    ------
    ConfigurationError
        A switch has a value it cannot have.
    TypeError
        There is no such switch.

    Examples
    --------
    >>> with local_service(render=False) as service:
    ...     service.counts()["async/multiple"]
    0
    """
    unknown = switches.keys() - {spec.name for spec in fields(Switches)}
    if unknown:
        raise TypeError(
            f"local_service() has no switch {', '.join(sorted(unknown))}; help(rf.local_service) lists them"
        )
    return LocalService(designs, port, Switches(**switches))
