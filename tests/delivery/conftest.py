"""What tests of mailing share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.mailed_runs import downloaded_run


@pytest.fixture
def results(tmp_path: Path) -> Iterator[pd.DataFrame]:
    """Eight documents of the run "november", each with an address."""
    with downloaded_run(tmp_path) as made:
        yield made
