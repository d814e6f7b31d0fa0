"""Slips that a type checker finds before anything is run: each marked line is an error to both."""

from __future__ import annotations

import pandas as pd

import reportflow_pandas as rf
from reportflow_pandas.accessor import DataFrame

rows = DataFrame(pd.DataFrame({"Name": ["Ann"]}))
rows.reportflow.generat("design")  # wrong: the verb
rows.reportflow.generate(desin="design")  # wrong: the argument
rows.reportflow.generate("design", endpoint="sync")  # wrong: no such endpoint
rows.reportflow.generate("design", download=3)  # wrong: a number is no folder
rows.reportflow.generate("design", params={"Name": ["name"]})  # wrong: one column for a parameter
rows.reportflow.generate("design", share="everyone")  # wrong: no such way to share
rf.configure(app_kye="ak_0123456789abcdef")  # wrong: no such setting
rf.use_local(latncy=0.2)  # wrong: no such switch
rf.forget("november", older_than="90d")  # wrong: a name or an age
rows.reportflow.mail(to="Email", subject="…")  # wrong: without a body
rows.reportflow.combine("all.pdf", by="Country").unlink()  # wrong: a path for each country
rows.reportflow.mail(to="Email", subject="…", body="…").result()  # wrong: a frame, for it is no background job
