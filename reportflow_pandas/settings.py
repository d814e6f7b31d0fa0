"""Credentials, address and limits of this process; the environment is read here and nowhere else."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Unpack
from urllib.parse import urlsplit

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.configuration import Configuration
from reportflow_pandas.contract import (
    API_URL,
    ASYNC_CALLS_PER_WINDOW,
    LOCAL_KEY_PREFIX,
    SYNC_CALLS_PER_WINDOW,
    TOKEN_URL,
    WINDOW_SECONDS,
)
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.network import (
    Proxy,
    checked_bundle,
    checked_proxy,
    is_loopback,
    may_be_plain,
    named_hosts,
    proxy_for,
    service_address,
)

__all__ = [
    "EMBEDDED",
    "OUTAGE_SECONDS",
    "RUNS",
    "Limits",
    "Owner",
    "Settings",
    "absolute_path",
    "configure",
    "current",
    "duration",
    "plain_environment",
    "point_at",
    "when_configured",
]

OUTAGE_SECONDS = 120.0
"""How long a run waits for a network that is away, unless ``rf.configure(outage=…)`` says otherwise."""

RUNS = Path(".reportflow/runs")
"""Folder of the journals, below the working directory, unless ``rf.configure(runs=…)`` says otherwise."""

EMBEDDED = "embedded"
"""What the embedded service is called as the owner of a run: it starts empty on any port and with any key."""

_SECRET = re.compile(r"(?i)^REPORT_?FLOW|_PROXY$|KEY|SECRET|TOKEN|PASSW|CREDENTIAL")
"""Variables of ours, proxies (a password may stand in one), and what other programs call their secrets."""


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
    """A workspace's name that was not given: derived again where the address or the key is another."""

    __slots__ = ()


class Owner(NamedTuple):
    """The service and workspace that runs and results belong to.

    Attributes
    ----------
    service : str
        The service's address, or `EMBEDDED`.
    workspace : str
        The workspace's name, `EMBEDDED`, or a hash that stands for the credential.
    """

    service: str
    workspace: str

    @property
    def is_named(self) -> bool:
        """Whether people gave the name, and no hash stands for it."""
        return self.workspace != EMBEDDED and not re.fullmatch("[0-9a-f]{18}", self.workspace)


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
    proxy : str, optional
        Address of an HTTP proxy, with user and password where it asks for them:
        ``"http://USER:PASSWORD@proxy.example.com:3128"``. ``""``: none. ``None``: what ``HTTPS_PROXY``,
        ``HTTP_PROXY`` and ``ALL_PROXY`` say. Hosts that ``NO_PROXY`` names are reached directly, and this machine.
    ca_bundle : path, optional
        File (PEM) or folder of certificate authorities that are trusted beside this machine's own, such as a
        company's. ``None``: what ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE`` name.
    plain_http : str or list of str
        Hosts that may be spoken to without TLS, such as ``"reportflow"`` in a docker compose network: the key
        travels there unencrypted. This machine needs no mention.
    outage : float or str
        How long a run waits for a network that is away: seconds, or a text such as ``"10min"``. Default 2 minutes.
    language : str, optional
        Of the review workbook.
    smtp : str, optional
        Address of the mail server, ``"smtps://USER:PASSWORD@mail.example.com"``.
    sender : str, optional
        Address that mails come from.
    max_documents : int, optional
        Refuse, before anything is sent, what would have more documents made than this in one call of a verb.

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
    runs: Path = RUNS
    loop: Literal["thread", "nest"] = "thread"
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False, compare=False)
    proxy: str | Literal[False] | None = field(default=None, repr=False)
    ca_bundle: Path | None = None
    plain_http: tuple[str, ...] = ()
    outage: float = OUTAGE_SECONDS
    language: str | None = None
    smtp: str | None = field(default=None, repr=False)
    sender: str | None = None
    max_documents: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain_http", named_hosts(self.plain_http, "plain_http"))
        object.__setattr__(self, "base_url", service_address(self.base_url, self.plain_http))
        object.__setattr__(self, "runs", absolute_path(self.runs, "runs"))
        object.__setattr__(self, "outage", duration(self.outage, "outage"))
        self._check_network()
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

    def _check_network(self) -> None:
        if self.proxy is not None:
            if self.proxy is not False and not isinstance(self.proxy, str):
                raise ConfigurationError("proxy: the address of a proxy as text, or '' for none")
            if self.proxy:
                checked_proxy(self.proxy)
        if self.ca_bundle is not None:
            bundle = absolute_path(self.ca_bundle, "ca_bundle")
            object.__setattr__(self, "ca_bundle", checked_bundle(bundle, "ca_bundle"))
        for name in ("language", "smtp", "sender"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise ConfigurationError(f"{name}: a text")
        most = self.max_documents
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
            raise ConfigurationError(f"max_documents={most!r}: a whole number of documents, or None for no limit")

    def __repr__(self) -> str:
        """Show the address and which credentials there are, never a secret."""
        shown = [f"base_url={self.base_url!r}"]
        secrets = ("app_key", "client_id", "client_secret", "smtp")
        shown += [f"{name}='***'" for name in secrets if getattr(self, name)]
        if not self._workspace_is_derived:
            shown.append(f"workspace={self.workspace!r}")
        if self.proxy:
            shown.append(f"proxy={checked_proxy(self.proxy).url!r}")
        if self.ca_bundle is not None:
            shown.append(f"ca_bundle={str(self.ca_bundle)!r}")
        plain = ("plain_http", "language", "sender", "max_documents")
        shown += [f"{name}={getattr(self, name)!r}" for name in plain if getattr(self, name) not in (None, ())]
        return f"Settings({', '.join(shown)})"

    @property
    def owner(self) -> Owner:
        """What runs and results of this process belong to: decided here alone."""
        named = self.workspace if not self._workspace_is_derived else self._derived_workspace()
        return Owner(EMBEDDED if self._is_embedded else self.base_url, named)

    @property
    def _is_embedded(self) -> bool:
        return self.on_this_machine and (self.app_key or "").startswith(LOCAL_KEY_PREFIX)

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
        return is_loopback(urlsplit(self.base_url).hostname)

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy through which an address is reached; None for a direct connection."""
        return proxy_for(url, self.proxy or "" if self.proxy is not None else None)

    def may_be_plain(self, url: str) -> bool:
        """Tell whether an address may be spoken to without TLS: this machine's, and those of ``plain_http``."""
        return may_be_plain(url, self.plain_http)

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


def absolute_path(value: str | os.PathLike[str], name: str) -> Path:
    """Return a file or folder as an absolute path: ``~`` and the working directory are looked at once, here."""
    try:
        return Path(value).expanduser().absolute()
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name}={value!r}: the path of a file or folder") from None
    except RuntimeError:
        raise ConfigurationError(f"{name}={str(value)!r}: there is no such user, or no home folder") from None
    except OSError as reason:
        raise ConfigurationError(
            f"{name}={str(value)!r}: the folder that this process works in is gone ({reason.strerror}); give the "
            "whole path"
        ) from None


_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def duration(value: float | str, name: str) -> float:
    """Return a duration in seconds: a number, or a text such as ``"90s"``, ``"15min"``, ``"2h"``."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)?\s*", value)
        if found:
            return float(found[1]) * _UNITS[found[2] or ""]
    elif not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < math.inf:
        return float(value)
    raise ConfigurationError(f"{name}={value!r}: seconds, or a text such as '90s', '15min', '2h'")


_chosen: dict[str, object] = {}
"""What ``configure`` was told; the environment fills the rest each time."""

_checks: list[Callable[[Settings], None]] = []
"""What must agree before `configure` does: packages above know whether this process can keep a promise."""

_ENVIRONMENT = {
    "app_key": ("REPORT_FLOW_APP_KEY", "REPORTFLOW_API_KEY"),
    "base_url": ("REPORTFLOW_API_BASE_URL",),
    "client_id": ("REPORTFLOW_CLIENT_ID",),
    "client_secret": ("REPORTFLOW_CLIENT_SECRET",),
    "token_url": ("REPORTFLOW_TOKEN_URL",),
    "workspace": ("REPORTFLOW_WORKSPACE",),
    "runs": ("REPORTFLOW_RUNS",),
    "plain_http": ("REPORTFLOW_PLAIN_HTTP",),
    "outage": ("REPORTFLOW_OUTAGE",),
    "smtp": ("REPORTFLOW_SMTP",),
    "sender": ("REPORTFLOW_SENDER",),
}


def configure(**values: Unpack[Configuration]) -> Settings:
    """Set this process's settings.

    Parameters
    ----------
    **values
        Fields of `Settings`: ``app_key``, ``base_url``, ``client_id``, ``client_secret``, ``token_url``,
        ``workspace``, ``runs``, ``loop``, ``clock``, ``proxy``, ``ca_bundle``, ``plain_http``, ``outage``,
        ``language``, ``smtp``, ``sender``, ``max_documents``. Only those named change; ``None`` takes a value
        back, after which the environment decides again. Relative paths are those of this moment.

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
        for name in ("runs", "ca_bundle"):
            if name in _chosen:
                _chosen[name] = getattr(settings, name)
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


def plain_environment() -> dict[str, str]:
    """Return the environment for programs that make or read PDFs: they need no secret and no network."""
    return {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
