"""The releases that Airflow 3's own migrations begin at, as the installed Airflows have them."""

from __future__ import annotations

import json

from tools import oldest_sources


def test_the_file_is_what_the_migrations_say() -> None:
    assert json.loads(oldest_sources.FILE.read_text(encoding="utf-8")) == oldest_sources.make(), "run `make generate`"
