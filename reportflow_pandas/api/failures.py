"""Why there is no answer, in an analyst's words and with a way out: the one map of the network's errors."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from reportflow_pandas.api.responses import Answer
from reportflow_pandas.network import Proxy

__all__ = ["FAILURES", "CutOff", "problem_of"]

FAILURES = (aiohttp.ClientError, HttpProcessingError, TimeoutError)
"""No whole answer. (Any other OSError is the disk's, where a ZIP is written to a file.)"""


class CutOff(aiohttp.ClientPayloadError):
    """The answer ends before its end."""


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.InvalidURL, "no host can be called so"),
    (aiohttp.ConnectionTimeoutError, "the connection took too long"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, "its address was not found (is base_url right, is there a network?)"),
    (aiohttp.ClientSSLError, "no TLS connection"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ServerDisconnectedError, "the connection was lost"),
    (aiohttp.ClientOSError, "the connection was lost"),
    (aiohttp.ClientPayloadError, "the answer was cut off"),
    (HttpProcessingError, "the answer is no valid HTTP"),
    (aiohttp.ClientResponseError, "the answer is no valid HTTP"),
)

_PROXY_WAY = "proxy='http://USER:PASSWORD@HOST:PORT'"


def problem_of(error: Exception | Answer, proxy: Proxy | None) -> str:
    """Return why there is no answer, and where a setting can help, which.

    Parameters
    ----------
    error : Exception or Answer
        What aiohttp raised; or a proxy's answer in the service's place.
    proxy : Proxy or None
        Through which it went.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _untrusted(error)
    if proxy is not None and (words := _of_proxy(error, proxy)):
        return words
    through = f" (through the proxy {proxy.place}, {proxy.source})" if proxy is not None else ""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            cause = error.os_error.strerror if kind is aiohttp.ClientConnectorError else None  # type: ignore[attr-defined]
            return (cause or words) + through
    return type(error).__name__ + through


def _untrusted(error: aiohttp.ClientConnectorCertificateError) -> str:
    """Say what is wrong with a certificate: a company that reads its people's traffic signs with its own."""
    reason = error.certificate_error
    said = getattr(reason, "verify_message", "") or "it cannot be verified"
    code = getattr(reason, "verify_code", 0)
    if code in _WRONG_TIME:
        way = "is this machine's clock right?"
    elif isinstance(reason, ssl.SSLCertVerificationError) and code in _OTHER_NAME:
        way = "is base_url right?"
    else:
        way = (
            "if a company's network signs with an authority of its own, name the file of its certificates: "
            "rf.configure(ca_bundle='company.pem') or the environment's REQUESTS_CA_BUNDLE (your IT has it)"
        )
    return f"its TLS certificate is not trusted here ({said}): {way}"


_WRONG_TIME, _OTHER_NAME = (9, 10), (62, 64)
"""OpenSSL's codes of verification (``x509_vfy.h``)."""


def _of_proxy(  # noqa: PLR0911 - one return for each thing that a proxy does
    error: Exception | Answer, proxy: Proxy
) -> str:
    """Say what a proxy did; empty where it was not the proxy."""
    where = f"the proxy {proxy.place} ({proxy.source})"
    if isinstance(error, aiohttp.ClientHttpProxyError | Answer):
        if error.status == 407:
            known = (
                "does not take the user and password that it was given"
                if proxy.credentials
                else ("asks for a user and a password")
            )
            return f"{where} {known}: rf.configure({_PROXY_WAY})"
        if error.status in (401, 403):
            return f"{where} lets nothing through to this address ({error.status}); ask your IT to allow it"
        return f"{where} answered {error.status} in place of a connection"
    if isinstance(error, aiohttp.ClientConnectorDNSError) and error.host == URL(proxy.url).raw_host:
        return f"the address of {where} was not found; rf.configure(proxy='') goes without a proxy"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"{where} cannot be reached ({error.os_error.strerror or 'no connection'})"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{where} is no HTTP proxy: its answer is no valid HTTP"
    return ""
