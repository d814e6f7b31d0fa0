"""``python -m reportflow_pandas.cli``: the command line without its script."""

from __future__ import annotations

import sys

from reportflow_pandas.cli import main

sys.exit(main())
