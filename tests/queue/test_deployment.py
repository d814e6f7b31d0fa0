"""The files with which workers are deployed are right in the eyes of the programs that read them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import required

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own words
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )


@pytest.fixture
def compose() -> list[str]:
    """Return the command of Docker's own Compose, or of the older program."""
    if shutil.which("docker") and run("docker", "compose", "version").returncode == 0:
        return ["docker", "compose"]
    required("docker-compose", shutil.which("docker-compose"))
    return ["docker-compose"]


def test_compose_reads_the_example_and_asks_for_the_key(compose: list[str]) -> None:
    command = [*compose, "-f", EXAMPLES / "compose.yaml", "config"]
    read = run(*command, REPORT_FLOW_APP_KEY="ak_example")
    assert read.returncode == 0, read.stderr
    services = yaml.safe_load(read.stdout)["services"]
    assert "reportflow-pandas worker" in " ".join(str(services["worker"]["command"]).split())
    # Redis is reached from this machine alone
    assert "127.0.0.1" in str(services["redis"]["ports"])
    refused = run(*command, REPORT_FLOW_APP_KEY="")
    assert refused.returncode != 0
    assert "the key of the workspace" in refused.stderr


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    required("systemd-analyze", shutil.which("systemd-analyze"))
    unit = (EXAMPLES / "reportflow-worker@.service").read_text(encoding="utf-8")
    installed = "/opt/reportflow/bin/reportflow-pandas"
    assert installed in unit
    # systemd looks whether the program is there
    (tmp_path / "reportflow-worker@1.service").write_text(
        unit.replace(installed, sys.executable), encoding="utf-8"
    )
    read = run("systemd-analyze", "verify", "--man=no", tmp_path / "reportflow-worker@1.service")
    assert read.returncode == 0, read.stderr
    assert "reportflow-worker" not in read.stderr
