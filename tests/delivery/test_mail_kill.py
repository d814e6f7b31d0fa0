"""kill -9 at any instant of mailing: no mail is sent twice, nothing is lost; counted at the mail server."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from support.killed_processes import Children
from support.mail_server import mail_server

import reportflow_pandas as rf
from reportflow_pandas.settings import current

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="killed children are forked"),
    pytest.mark.filterwarnings("ignore::reportflow_pandas.delivery.release.DeliveryWarning"),
]

PEOPLE = 24
CONNECTIONS = 4


def die_and_go_on(deaths: int, seed: int, folder: Path) -> Counter[str]:
    """Let that many processes die while they mail, go on after each, and return what became of the mails."""
    chance = random.Random(seed)  # noqa: S311 - a test's chance
    frame = pd.DataFrame({"No": range(PEOPLE)})
    addresses = [f"person{at}@example.com" for at in range(PEOPLE)]
    told: Counter[str] = Counter()
    with (
        rf.use_local(render=False) as service,
        mail_server() as server,
        Children("support.killed_mails") as children,
    ):
        rf.configure(runs=folder / "runs", smtp=server.address, sender="billing@example.com")
        server.pause = lambda: chance.uniform(0, 0.01)
        settings = {
            "base_url": service.base_url,
            "app_key": service.app_key,
            "runs": str(current().runs),
            "smtp": server.address,
            "sender": "billing@example.com",
        }
        for number in range(deaths):
            run = f"run-{number}"
            frame.reportflow.generate(
                "certificate",
                check=False,
                params=["No"],
                run=run,
                download=folder / run,
                progress=False,
                limits=False,
            )
            server.taken.clear()
            child = children.start(run=run, settings=settings, addresses=addresses)
            after, deadline = chance.randrange(PEOPLE + 1), time.monotonic() + 20
            while len(server.taken) < after and time.monotonic() < deadline:
                time.sleep(0.0005)
            time.sleep(chance.uniform(0, 0.01))
            told["killed"] += children.kill(child)
            made = rf.load(run).reportflow.mail(
                to="Email",
                subject="No. {index}",
                body="Here.",
                source=frame.assign(Email=addresses),
                progress=False,
            )
            counted = server.recipients
            assert max(counted.values()) == 1, "a person was mailed twice"
            unknown = made["mail_status"] == "unknown"
            assert unknown.sum() <= CONNECTIONS
            assert set(made["mail_status"]) <= {"sent", "unknown"}
            assert {addresses[at] for at in range(PEOPLE) if not unknown.iloc[at]} <= set(counted), (
                "a mail was lost"
            )
            told["unknown"] += int(unknown.sum())
            told["mails"] += len(made)
    return told


def test_20_deaths_mail_nobody_twice_and_lose_nothing(tmp_path: Path) -> None:
    told = die_and_go_on(20, 20261127, tmp_path)
    assert told["killed"] >= 10
    print(dict(told))  # noqa: T201 - shown with -rP


@pytest.mark.long
def test_200_deaths_mail_nobody_twice_and_lose_nothing(tmp_path: Path) -> None:
    told = die_and_go_on(200, 20261128, tmp_path)
    assert told["killed"] >= 100
    print(dict(told))  # noqa: T201 - shown with -rP
