"""Slips that a type checker finds before anything is run: each marked line is an error to both."""

from __future__ import annotations

import pandas as pd

from reportflow_pandas.accessor import DataFrame

rows = DataFrame(pd.DataFrame({"Name": ["Ann"]}))
rows.reportflow.generat("design")  # wrong: the verb
rows.reportflow.generate(desin="design")  # wrong: the argument
rows.reportflow.generate("design", endpoint="sync")  # wrong: no such endpoint
rows.reportflow.generate("design", download=3)  # wrong: a number is no folder
