"""No key, password or token is in anything that a run shows, writes, hands on or leaves behind."""

from __future__ import annotations

import logging
import pickle
import shutil
import subprocess
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import required
from support.mail_server import accepting, mail_server
from support.proxies import proxying
from support.queue_workers import RedisServer
from support.virtual_service import people, plain

import reportflow_pandas as rf
from reportflow_pandas.cli.command import _parser
from reportflow_pandas.local.faults import Fault
from reportflow_pandas.local.service import LocalService
from reportflow_pandas.settings import current

KEY = "ak_local_5ecret0f0urs5ecret"
CLIENT_SECRET = "cl13nt5ecret0f0urs"
PASSWORD = "pa55w0rd0f0urs"
SECRETS = (KEY, CLIENT_SECRET, PASSWORD)

Local = Callable[..., LocalService]


def traced(error: BaseException) -> str:
    """Return a traceback with local variables, as reporting services and ``%xmode Verbose`` have it.

    Those of the tests, which made the secrets up, are left out.
    """
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    lines: list[str] = []
    while told is not None:
        for frame in told.stack:
            if "/tests/" not in frame.filename:
                lines += [f"{name}={value}" for name, value in (frame.locals or {}).items()]
        lines += told.format_exception_only()
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)
    return "\n".join(lines)


def displayed(value: Any) -> str:
    """Return what an object is shown as, anywhere."""
    forms = [getattr(value, name, None) for name in ("__repr__", "__str__", "_repr_html_", "_repr_mimebundle_")]
    return "\n".join(str(make()) for make in forms if callable(make))


def written(folder: Path) -> bytes:
    """Return the content of all files of a folder, those in archives and workbooks too."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    found += [archive.read(name) for name in archive.namelist()]
    return b"\n".join(found)


def clean(*told: str | bytes) -> None:
    for one in told:
        text = one.decode("latin-1") if isinstance(one, bytes) else one
        for secret in SECRETS:
            assert secret not in text, f"{secret} in …{text[max(0, text.find(secret) - 200) :][:300]}…"


ECHOES = {
    "all is well": None,
    "a refusal that repeats the key": Fault(status=400, times=None, message=f"the key {KEY} is not allowed"),
    "a refused key": Fault(status=401, times=None, message=f"unknown key {KEY}"),
    "a broken service": Fault(status=500, times=None, message=f"stack trace: appkey={KEY}"),
    "a page": Fault("html", times=None),
    "no answer": Fault("dropped_before", times=None),
}


@pytest.mark.parametrize("case", ECHOES)
def test_the_key_is_nowhere(case: str, local: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Shown, logged, in a traceback with local variables, pickled, in the ledger and in the workbook."""
    fault = ECHOES[case]
    local(app_key=KEY, faults=() if fault is None else fault)
    caplog.set_level(logging.DEBUG)
    error: rf.ReportFlowError | None = None
    try:
        results = people(4).reportflow.generate(
            **plain(), run="november", download=tmp_path / "pdfs", backoff=0.01, attempts=2, on_error="raise"
        )
    except rf.ReportFlowError as stopped:
        error, results = stopped, stopped.results
    assert results["status"].eq("ready").all() == (fault is None)
    results.reportflow.to_excel(tmp_path / "review.xlsx")
    clean(displayed(results), str(results.attrs), displayed(results.reportflow.summary()), caplog.text)
    clean(pickle.dumps(results), results.to_csv(), written(tmp_path))
    plan = people(4).reportflow.plan(**plain())
    clean(displayed(plan), pickle.dumps(plan), displayed(current()), displayed(rf.Client()))
    if error is not None:
        clean(displayed(error), traced(error), pickle.dumps(error))


def test_the_key_is_in_no_job(local: Local, tmp_path: Path) -> None:
    local(app_key=KEY, latency=0.05)
    job = people(20).reportflow.submit(**plain(), endpoint="async/single")
    clean(displayed(job))
    clean(displayed(job.result()), displayed(job), str(vars(job)), displayed(rf.runs()), written(tmp_path))


@pytest.mark.parametrize("case", ["a token", "a refused client", "no token server"])
def test_the_clients_secret_and_its_token_are_nowhere(
    case: str, local: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = local(client_secret=CLIENT_SECRET if case == "a token" else "another")
    token_url = service.token_url if case != "no token server" else "http://127.0.0.1:9/token"
    rf.configure(app_key=None, client_id="cl_us", client_secret=CLIENT_SECRET, token_url=token_url)
    rf.configure(client_id=service.client_id)
    caplog.set_level(logging.DEBUG)
    try:
        results = people(3).reportflow.generate(**plain(), backoff=0.01)
    except rf.ReportFlowError as error:
        clean(traced(error), displayed(error), pickle.dumps(error), displayed(error.results))
    else:
        clean(displayed(results), pickle.dumps(results))
    clean(caplog.text, written(tmp_path), displayed(current()))
    assert "Bearer ey" not in caplog.text


def test_a_proxys_password_is_nowhere(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    with proxying({}, password=("me", "another")) as proxy:
        rf.configure(
            base_url="http://reportflow",
            plain_http="reportflow",
            app_key=KEY,
            proxy=f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}",
        )
        with pytest.raises(rf.ConnectionFailed) as refused:
            people(3).reportflow.generate("certificate", attempts=1)
    clean(traced(refused.value), displayed(refused.value), pickle.dumps(refused.value), caplog.text)
    clean(displayed(current()), displayed(refused.value.results), written(tmp_path))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("right", [True, False])
def test_a_mail_servers_password_is_nowhere(
    *, right: bool, local: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    local()
    frame = people(2).assign(Email="ann@example.com")
    results = frame.reportflow.generate(**plain(), run="november", download=tmp_path / "pdfs")
    caplog.set_level(logging.DEBUG)
    known = accepting("ann", PASSWORD if right else "another")
    with mail_server(authenticator=known, auth_required=True, auth_require_tls=False) as server:
        rf.configure(smtp=f"smtp://ann:{PASSWORD}@127.0.0.1:{server.port}", sender="billing@example.com")
        told = {"to": "Email", "subject": "x", "body": "x", "source": frame, "progress": False}
        if right:
            results = results.reportflow.mail(**told)
        else:
            with pytest.raises(rf.AuthError) as refused:
                results.reportflow.mail(**told)
            clean(traced(refused.value), displayed(refused.value), pickle.dumps(refused.value))
    # what aiosmtpd, which these tests run, logs of the other side is no log of ours
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    results.reportflow.to_excel(tmp_path / "review.xlsx")
    clean(displayed(results), str(results.attrs), pickle.dumps(results), ours, written(tmp_path))


@pytest.mark.parametrize("right", [True, False])
def test_no_secret_is_in_redis_or_in_what_is_told_of_it(
    *, right: bool, local: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("bullmq")
    required("redis-server", shutil.which("redis-server"))
    local(app_key=KEY)
    caplog.set_level(logging.DEBUG)
    server = RedisServer(tmp_path / "redis", "--requirepass", PASSWORD if right else "another").start()
    try:
        url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
        if right:
            job = people(3).reportflow.submit(**plain(), queue=url, run="november")
            clean(displayed(job))
            job.cancel()
            assert job.wait(20)
            clean(displayed(job), str(job.warnings), written(tmp_path))
        else:
            with pytest.raises(rf.ReportFlowError) as refused:
                people(3).reportflow.submit(**plain(), queue=url, run="november").result(20)
            # the address that was typed is a local variable of the caller's, and of the verb
            clean(traced(refused.value).replace(url, "…"), displayed(refused.value), pickle.dumps(refused.value))
            clean(written(tmp_path / "runs"))
    finally:
        server.kill()
    clean(caplog.text)


def programs_noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, str] | None]]:
    """Return a list that gets the words and the environment of each program that is started."""
    started: list[tuple[Any, dict[str, str] | None]] = []
    begin = subprocess.Popen.__init__

    def noted(self: Any, words: Any, *more: Any, **options: Any) -> None:
        started.append((words, options.get("env")))
        begin(self, words, *more, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    return started


def test_no_secret_is_seen_in_the_process_list(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that are started get no secret in their words, and no command takes one."""
    pytest.importorskip("pypdfium2")
    local(app_key=KEY)
    started = programs_noted(monkeypatch)
    results = people(2).reportflow.generate(**plain(), download=tmp_path, verify=True)
    assert "verdict" in results
    assert started
    clean(str([words for words, _ in started]))


def test_programs_that_are_started_know_no_secret_of_the_environment(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read and make PDFs: who takes one over by a hostile file finds nothing."""
    pytest.importorskip("pypdfium2")
    local(render=True)
    secret = {
        **dict.fromkeys(["REPORT_FLOW_APP_KEY", "REPORTFLOW_CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY"], KEY),
        **dict.fromkeys(["REPORTFLOW_SMTP", "REPORTFLOW_QUEUE", "GITHUB_TOKEN", "MY_PASSWORD"], PASSWORD),
    }
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@127.0.0.1:9")
    started = programs_noted(monkeypatch)
    results = people(2).reportflow.generate(**plain(), download=tmp_path, verify=True)
    assert "verdict" in results
    assert started
    assert all(environment is not None for _, environment in started)  # else it would be the whole of this process
    clean(str(started))


def test_no_librarys_debug_log_has_the_key(
    local: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asyncio's debug mode names tasks and callbacks, and says which of them were slow."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    caplog.set_level(logging.DEBUG)
    local(app_key=KEY, faults=Fault(status=503, times=1, message=f"appkey={KEY}"))
    results = people(3).reportflow.generate(**plain(), download=tmp_path / "pdfs", backoff=0.01)
    assert results["status"].eq("ready").all()
    assert any(record.name == "asyncio" for record in caplog.records)
    clean(caplog.text, *(str(vars(record)) for record in caplog.records))


def test_no_command_takes_a_key_or_a_password() -> None:
    options = [word for one in _parsers(_parser()) for action in one._actions for word in action.option_strings]
    assert "--queue-file" in options, "a password of Redis comes from a file or the environment"
    assert not [word for word in options if any(part in word for part in ("key", "secret", "password", "smtp"))]


def _parsers(one: Any) -> Iterator[Any]:
    yield one
    for action in one._actions:
        if isinstance(getattr(action, "choices", None), dict):
            for below in action.choices.values():
                yield from _parsers(below)
