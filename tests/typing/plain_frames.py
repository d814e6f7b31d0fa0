"""A plain pandas frame, of which mypy knows ``reportflow`` through the plugin."""

from __future__ import annotations

from typing import assert_type

import pandas as pd

import reportflow_pandas as rf

rows = pd.DataFrame({"Name": ["Ann"]})
assert_type(rows.reportflow.plan("design"), rf.Plan)
assert_type(rf.read_rows("orders.xlsx").reportflow.plan("design"), rf.Plan)
