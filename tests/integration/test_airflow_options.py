"""The table of renamed and removed options is what the installed releases say."""

from __future__ import annotations

import json

from tools import airflow_options


def test_the_table_is_fresh() -> None:
    assert json.loads(airflow_options.FILE.read_text(encoding="utf-8")) == airflow_options.make(), "run `make generate`"
