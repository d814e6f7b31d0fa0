"""Credentials, address and limits of this process; the environment is read here and nowhere else."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from yarl import URL

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.contract import (
    API_URL,
    ASYNC_CALLS_PER_WINDOW,
    SYNC_CALLS_PER_WINDOW,
    TOKEN_URL,
    WINDOW_SECONDS,
)
from reportflow_pandas.errors import ConfigurationError

__all__ = ["EMBEDDED", "Limits", "Owner", "Settings", "configure", "current", "point_at", "when_configured"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
EMBEDDED = "embedded"
"""What the embedded service is called as the owner of a run: it begins anew on any port and with any key."""
_EMBEDDED_KEY = "ak_local_"


@dataclass(frozen=True)
class Limits:
    """At most so many calls in any ``window`` seconds, per workspace.

    The defaults are the service's documented limits: 30 sync generation calls and 100
    of all other calls a minute.

    Parameters
    ----------
    async_calls : int or None
        Async generation, downloads and look-ups. ``None``: no limit.
    sync_calls : int or None
        Sync generation. ``None``: no limit.
    window : float
        Seconds.

    Examples
    --------
    >>> Limits(async_calls=50)
    Limits(async_calls=50, sync_calls=30, window=60.0)
    """

    async_calls: int | None = ASYNC_CALLS_PER_WINDOW
    sync_calls: int | None = SYNC_CALLS_PER_WINDOW
    window: float = WINDOW_SECONDS

    def __post_init__(self) -> None:
        for name in ("async_calls", "sync_calls"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigurationError(
                    f"Limits({name}={value!r}): a whole number of calls from 1, or None for no limit"
                )
        if not self.window > 0:
            raise ConfigurationError(f"Limits(window={self.window!r}): seconds, more than 0")

    @classmethod
    def off(cls) -> Limits:
        """Return no limit at all: for a service that has none, such as the local one by default."""
        return cls(async_calls=None, sync_calls=None)


class _Derived(str):
    """A workspace's name that nobody gave: derived anew where the address or the key is another."""

    __slots__ = ()


class Owner(NamedTuple):
    """To whom runs and results belong.

    Attributes
    ----------
    service : str
        The service's address, or `EMBEDDED`.
    workspace : str
        The workspace's name, `EMBEDDED`, or a hash that stands for the credential.
    """

    service: str
    workspace: str


@dataclass(frozen=True)
class Settings:
    """Where the service is and how to be let in.

    Parameters
    ----------
    app_key : str, optional
        The workspace's key (``ak_…``). Sent as the header ``appkey``.
    base_url : str
        Address of the service, with or without ``/v1``.
    client_id, client_secret : str, optional
        OAuth 2.0 client credentials, in place of ``app_key``.
    token_url : str
        Where an access token is fetched.
    workspace : str, optional
        Name of the workspace: what belongs to it stays its own when the key is renewed. Without one a hash of
        address and key stands for it; the embedded service is a workspace of its own, whatever its port and key.
    runs : pathlib.Path
        Folder of the journals of durable runs.
    loop : {"thread", "nest"}
        ``"thread"``: work runs on a private event loop in a thread. ``"nest"``: on the caller's own running loop.
    clock : Clock
        Time and chance; tests pass their own.

    Examples
    --------
    >>> Settings(app_key="ak_secret_0123456789", base_url="http://127.0.0.1:8787")
    Settings(base_url='http://127.0.0.1:8787/v1', app_key='***')
    """

    app_key: str | None = field(default=None, repr=False)
    base_url: str = API_URL
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    token_url: str = TOKEN_URL
    workspace: str = _Derived()
    runs: Path = Path(".reportflow/runs")
    loop: Literal["thread", "nest"] = "thread"
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _with_version(self.base_url))
        object.__setattr__(self, "runs", Path(self.runs))
        if not isinstance(self.workspace, str) or not (self.workspace.strip() or self._workspace_is_derived):
            raise ConfigurationError(f"workspace={self.workspace!r}: the workspace's name, as text")
        if self.loop not in ("thread", "nest"):
            raise ConfigurationError(f"loop={self.loop!r}: either 'thread' (the default) or 'nest'")
        for name in ("app_key", "client_id", "client_secret"):
            value = getattr(self, name)
            if value is not None and (
                not isinstance(value, str) or not value.isascii() or not value.isprintable()
            ):
                raise ConfigurationError(f"{name}: a text of plain ASCII characters without line breaks")
            if value is not None and value != value.strip():
                object.__setattr__(self, name, value.strip())

        if self._workspace_is_derived or self._is_embedded:
            object.__setattr__(self, "workspace", _Derived(self._derived_workspace()))

    def __repr__(self) -> str:
        """Show the address and which credentials there are, never a secret."""
        shown = [f"base_url={self.base_url!r}"]
        shown += [f"{name}='***'" for name in ("app_key", "client_id", "client_secret") if getattr(self, name)]
        return f"Settings({', '.join(shown)})"

    @property
    def owner(self) -> Owner:
        """To whom runs and results of this process belong: one decision for all that asks."""
        named = self.workspace if not self._workspace_is_derived else self._derived_workspace()
        return Owner(EMBEDDED if self._is_embedded else self.base_url, named)

    @property
    def _is_embedded(self) -> bool:
        return self.on_this_machine and (self.app_key or "").startswith(_EMBEDDED_KEY)

    @property
    def _workspace_is_derived(self) -> bool:
        return isinstance(self.workspace, _Derived)

    def _derived_workspace(self) -> str:
        if self._is_embedded:
            return EMBEDDED
        return _hash(self.base_url, self.app_key or self.client_id or "")

    @property
    def workspace_id(self) -> str:
        """A hash of address and workspace, which tells no key: names what counts together, limits and queues."""
        return _hash(self.base_url, self.owner.workspace)

    @property
    def host(self) -> str:
        """Host and port of the service, for messages."""
        return urlsplit(self.base_url).netloc

    @property
    def on_this_machine(self) -> bool:
        """Whether the service runs on this machine: the embedded one, which bills nothing."""
        return urlsplit(self.base_url).hostname in _LOOPBACK

    def checked(self) -> Settings:
        """Return these settings if a call could be made with them.

        Raises
        ------
        ConfigurationError
            No key, half of a client's credentials, or both kinds of credential at once (the service's
            choice between them is unknown).
        """
        if bool(self.client_id) != bool(self.client_secret):
            missing = "client_secret" if self.client_id else "client_id"
            raise ConfigurationError(f"{missing} is missing: OAuth needs client_id and client_secret together")
        if self.app_key and self.client_id:
            raise ConfigurationError(
                "both app_key and client_id/client_secret are set; keep one. "
                "(rf.configure(app_key=None) takes the key back; look at the environment too)"
            )
        if not self.app_key and not self.client_id:
            raise ConfigurationError(
                "no key for Report Flow. Either set yours: rf.configure(app_key='ak_…') or the environment's "
                "REPORT_FLOW_APP_KEY (in the web app: Workspace settings, Developer, API key). Or try everything "
                "without an account: rf.use_local() starts the embedded service."
            )
        return self


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=9).hexdigest()


def _with_version(base_url: str) -> str:
    """Return an address that ends in ``/v1``: the wire's paths begin behind it."""
    parts = urlsplit(base_url.strip() if isinstance(base_url, str) else "")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(f"base_url={base_url!r}: an address such as {API_URL!r}")
    if parts.username or parts.password:
        raise ConfigurationError("base_url holds a user name or password; the key goes into app_key")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(
            f"base_url={base_url!r}: the key would travel unencrypted. Plain http is for this machine only "
            "(127.0.0.1, localhost); elsewhere use https"
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/v1"):
        path += "/v1"
    try:
        (parts.hostname or "").encode("idna")
        return str(URL(f"{parts.scheme}://{parts.netloc}{path}"))
    except ValueError:
        raise ConfigurationError(f"base_url={base_url!r}: no host or no port can be called so") from None


_chosen: dict[str, object] = {}
"""What ``configure`` was told; the environment fills the rest each time."""

_checks: list[Callable[[Settings], None]] = []
"""What must agree before `configure` does: rooms above this one know whether this process can keep a promise."""

_ENVIRONMENT = {
    "app_key": ("REPORT_FLOW_APP_KEY", "REPORTFLOW_API_KEY"),
    "base_url": ("REPORTFLOW_API_BASE_URL",),
    "client_id": ("REPORTFLOW_CLIENT_ID",),
    "client_secret": ("REPORTFLOW_CLIENT_SECRET",),
    "token_url": ("REPORTFLOW_TOKEN_URL",),
    "workspace": ("REPORTFLOW_WORKSPACE",),
    "runs": ("REPORTFLOW_RUNS",),
}


def configure(**values: object) -> Settings:
    """Set this process's settings.

    Parameters
    ----------
    **values
        Fields of `Settings`: ``app_key``, ``base_url``, ``client_id``, ``client_secret``, ``token_url``,
        ``workspace``, ``runs``, ``loop``, ``clock``. Only those named change; ``None`` takes a value back, after
        which the environment decides again.

    Returns
    -------
    Settings
        The settings as they are now. Its text shows no secret.

    Raises
    ------
    ConfigurationError
        An unknown name or a value that cannot be.

    Examples
    --------
    >>> import reportflow_pandas as rf
    >>> rf.configure(app_key="ak_0123456789abcdef")          # doctest: +SKIP
    Settings(base_url='https://api.re-port-flow.com/v1', app_key='***')
    """
    known = {spec.name for spec in dataclasses.fields(Settings)}
    for name in values:
        if name not in known:
            raise ConfigurationError(
                f"rf.configure() knows no {name!r}; it takes {', '.join(sorted(known - {'clock'}))}"
            )
    before = dict(_chosen)
    _chosen.update(values)
    for name in [name for name, value in _chosen.items() if value is None]:
        del _chosen[name]
    try:
        settings = current()
        for check in _checks:
            check(settings)
        return settings  # noqa: TRY300 - both steps may refuse
    except ConfigurationError:
        _chosen.clear()
        _chosen.update(before)
        raise


def when_configured(check: Callable[[Settings], None]) -> None:
    """Have new settings checked: ``check`` raises `ConfigurationError`, and they stay as they were."""
    _checks.append(check)


def point_at(base_url: str, app_key: str) -> Callable[[], None]:
    """Make another service this process's, and return what brings the earlier one back."""
    before = dict(_chosen)
    for name in ("client_id", "client_secret", "token_url"):
        _chosen.pop(name, None)
    configure(base_url=base_url, app_key=app_key)
    pointed = dict(_chosen)

    def restore() -> None:
        # what was configured meanwhile stays
        for name in ("base_url", "app_key", "client_id", "client_secret", "token_url"):
            if _chosen.get(name) == pointed.get(name):
                _chosen.pop(name, None)
                if name in before:
                    _chosen[name] = before[name]

    return restore


def current() -> Settings:
    """Return the settings of this process: what was configured, else the environment, else the defaults."""
    values: dict[str, object] = {}
    for name, variables in _ENVIRONMENT.items():
        for variable in variables:
            if os.environ.get(variable):
                values[name] = os.environ[variable]
                break
    if "app_key" in _chosen and "client_id" not in _chosen:
        values.pop("client_id", None)
        values.pop("client_secret", None)
    if "client_id" in _chosen and "app_key" not in _chosen:
        values.pop("app_key", None)
    values.update(_chosen)
    return Settings(**values)  # type: ignore[arg-type]
