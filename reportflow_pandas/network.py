"""How the service is reached: its address, proxies, certificate authorities, hosts that do without TLS.

What is not configured is taken from the environment, by the variables and rules of curl, pip and requests.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from yarl import URL

from reportflow_pandas.contract import API_URL
from reportflow_pandas.errors import ConfigurationError

__all__ = [
    "Proxy",
    "checked_bundle",
    "checked_proxy",
    "is_loopback",
    "may_be_plain",
    "named_hosts",
    "proxy_for",
    "service_address",
    "tls_context",
]

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Read by requests, pip and curl; OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR by itself."""

_PROXY_FORM = (
    "an address such as 'http://proxy.example.com:3128', or 'http://USER:PASSWORD@proxy.example.com:3128'"
)


class _Credentials(NamedTuple):
    user: str
    password: str

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True)
class Proxy:
    """A proxy on the way to the service.

    Attributes
    ----------
    url : str
        Its address, without user and password.
    credentials : tuple of str or None
        User and password.
    source : str
        Where it was set, for messages.
    """

    url: str
    credentials: _Credentials | None = field(default=None, repr=False)
    source: str = "rf.configure(proxy=…)"

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine itself."""
    name = (host or "").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def checked_proxy(value: str, source: str = "rf.configure(proxy=…)") -> Proxy:
    """Return a proxy's address taken apart.

    Raises
    ------
    ConfigurationError
        It is no address of an HTTP proxy. The text never repeats the value, which may hold a password.
    """
    text = value.strip()
    if "://" not in text:
        text = f"http://{text}"
    # the last @ ends the password, as in curl: one that holds a sign of its own needs no encoding
    scheme, _, rest = text.partition("://")
    authority, _, path = rest.partition("/")
    while "@" in path:  # a password with a slash in it
        more, _, path = path.partition("/")
        authority = f"{authority}/{more}"
    userinfo, _, place = authority.rpartition("@")
    scheme = scheme.lower()
    if scheme.startswith("socks"):
        raise ConfigurationError(
            f"{source} names a SOCKS proxy, which is not supported: give the address of an HTTP proxy, "
            f"{_PROXY_FORM}; proxy='' goes without one"
        )
    try:
        parts = urlsplit(f"{scheme}://{place}")
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        host, port = "", None
    if scheme not in ("http", "https") or not host or path.strip("/") or not place.isprintable() or " " in place:
        raise ConfigurationError(f"{source} is not the address of a proxy: it takes {_PROXY_FORM}")
    user, _, password = userinfo.partition(":")
    host = f"[{host}]" if ":" in host else host
    return Proxy(
        f"{scheme}://{host}" + (f":{port}" if port is not None else ""),
        _Credentials(unquote(user), unquote(password)) if userinfo else None,
        source,
    )


def proxy_for(url: str, configured: str | None) -> Proxy | None:
    """Return the proxy through which an address is reached; None for a direct connection.

    Parameters
    ----------
    url : str
        Where the call goes.
    configured : str or None
        ``rf.configure(proxy=…)``; ``""`` for none, None for what the environment says.

    Raises
    ------
    ConfigurationError
        What is set is no address of a proxy.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    if configured == "" or is_loopback(host):
        return None
    environment = getproxies_environment()
    if _excepted(host, port, environment.get("no", "")):
        return None
    if configured is not None:
        return checked_proxy(configured)
    for scheme in (parts.scheme, "all"):
        if environment.get(scheme):
            return checked_proxy(environment[scheme], _variable(f"{scheme}_proxy"))
    return None


def _variable(name: str) -> str:
    """Return an environment variable's name as it is written here."""
    return name if os.environ.get(name) else name.upper()


def _excepted(host: str, port: int, exceptions: str) -> bool:
    """Tell whether ``NO_PROXY`` names a host: by name or domain, with a port, by network, or by ``*``."""
    host = host.rstrip(".").lower()
    for entry in exceptions.replace(" ", ",").split(","):
        name = entry.strip().lower().partition("://")[2] or entry.strip().lower()
        if name == "*":
            return True
        if _in_network(host, name):
            return True
        bare, colon, wanted = name.rpartition(":")
        if colon and wanted.isdecimal() and not bare.count(":"):
            if int(wanted) != port:
                continue
            name = bare
        name = name.strip("[]").removeprefix("*").lstrip(".").rstrip(".")
        if name and (host == name or host.endswith(f".{name}")):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False


def named_hosts(value: str | Iterable[str], name: str) -> tuple[str, ...]:
    """Return the hosts that may be spoken to over plain http: from a list, or a text with commas.

    Raises
    ------
    ConfigurationError
        Not names of hosts.
    """
    listed = value.split(",") if isinstance(value, str) else list(value)
    hosts = []
    for entry in listed:
        host = entry.strip().lower().rstrip(".") if isinstance(entry, str) else ""
        if not host and isinstance(entry, str):
            continue
        if not host or any(sign in host for sign in "/@*? ") or not host.isprintable():
            raise ConfigurationError(
                f"{name}={value!r}: the name of a host as it stands in base_url, such as 'reportflow', or a list"
            )
        hosts.append(host)
    return tuple(hosts)


def may_be_plain(url: str, named: Iterable[str]) -> bool:
    """Tell whether an address may be spoken to without TLS: this machine's, and hosts that were named for it."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return is_loopback(host) or host in named or parts.netloc.lower() in named


def service_address(base_url: str, plain_http: Iterable[str]) -> str:
    """Return an address that ends in ``/v1``: the wire's paths begin behind it."""
    parts = urlsplit(base_url.strip() if isinstance(base_url, str) else "")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(f"base_url={base_url!r}: an address such as {API_URL!r}")
    if parts.username or parts.password:
        raise ConfigurationError("base_url holds a user name or password; the key goes into app_key")
    if parts.scheme == "http" and not may_be_plain(base_url, plain_http):
        raise ConfigurationError(
            f"base_url={base_url!r}: the key would travel unencrypted. Plain http is for this machine "
            "(127.0.0.1, localhost); elsewhere use https. In a network that you trust, such as docker compose's: "
            f"rf.configure(base_url={base_url!r}, plain_http={parts.hostname!r}), or REPORTFLOW_PLAIN_HTTP"
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/v1"):
        path += "/v1"
    try:
        (parts.hostname or "").encode("idna")
        return str(URL(f"{parts.scheme}://{parts.netloc}{path}"))
    except ValueError:
        raise ConfigurationError(f"base_url={base_url!r}: no host or no port can be called so") from None


def checked_bundle(value: str | os.PathLike[str], source: str) -> Path:
    """Return the absolute path of a file (or folder) of certificate authorities, tried.

    Raises
    ------
    ConfigurationError
        It is not there, or holds no certificate.
    """
    path = Path(value).expanduser().absolute()
    _loaded(_Trust(path, source, "", ""))
    return path


class _Trust(NamedTuple):
    bundle: Path | None
    source: str
    cert_file: str
    cert_dir: str


def tls_context(ca_bundle: Path | None) -> ssl.SSLContext | None:
    """Return what decides which certificates are trusted; None for the default of this machine.

    The authorities of ``ca_bundle`` (else of ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``) are trusted beside those
    of this machine, so that a company's own is enough.

    Raises
    ------
    ConfigurationError
        What is named is not there, or holds no certificate.
    """
    source = "rf.configure(ca_bundle=…)"
    if ca_bundle is None:
        for variable in _CA_VARIABLES:
            if os.environ.get(variable):
                ca_bundle, source = Path(os.environ[variable]).expanduser().absolute(), variable
                break
    cert_file, cert_dir = os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
    if ca_bundle is None and not cert_file and not cert_dir:
        return None
    if cert_file and not Path(cert_file).exists():
        raise ConfigurationError(
            f"SSL_CERT_FILE names {cert_file!r}, which is not there: no certificate could be trusted"
        )
    if cert_file:
        # OpenSSL reads it by itself, and says nothing where it holds no certificate
        _loaded(_Trust(Path(cert_file).absolute(), "SSL_CERT_FILE", cert_file, cert_dir))
    return _loaded(_Trust(ca_bundle, source, cert_file, cert_dir))


def _loaded(trust: _Trust) -> ssl.SSLContext:
    bundle = trust.bundle
    try:
        changed = bundle.stat().st_mtime_ns if bundle is not None else 0
    except OSError as reason:
        raise ConfigurationError(
            f"{trust.source} names {str(bundle)!r}, which cannot be read ({reason.strerror}): it takes a file of "
            "certificate authorities in PEM form, such as your company's"
        ) from None
    return _context(trust, changed)


@lru_cache(maxsize=8)
def _context(trust: _Trust, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - a file that changed is read again
    context = ssl.create_default_context()
    if (bundle := trust.bundle) is not None:
        try:
            if bundle.is_dir():
                context.load_verify_locations(capath=bundle)
            else:
                context.load_verify_locations(cafile=bundle)
        except (ssl.SSLError, OSError) as reason:
            raise ConfigurationError(
                f"{trust.source} names {str(bundle)!r}, which holds no certificate in PEM form ({reason})"
            ) from None
    return context
