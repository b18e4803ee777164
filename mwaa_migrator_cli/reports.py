"""Reports of migrations that have ended."""

from __future__ import annotations

import json
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from rich.console import Console

from migration.aws import clients
from migration.exchange import layout
from migration.report import judging

from .account import NotFound, Stack
from .exchange import Exchange
from .progress import summary


def show(stack: Stack, migration_id: str, form: str, *, opens: bool) -> bool:
    """Prints the last report of a migration as `text`, `json` or `html`, or opens its page. Whether it is in order.

    Raises:
        NotFound: there is none, or it has no page.
    """
    exchange = Exchange(clients.s3(), stack.bucket, migrations=layout.migration(migration_id))
    reports = exchange.reports()
    if not reports:
        raise NotFound(
            f"There is no report of {migration_id} in {stack.bucket}. The id is in the execution's output and in the "
            "notification; a migration whose plan was refused has none."
        )
    report = reports[-1]
    if opens:
        _open(_page(exchange, report))
    elif form == "html":
        sys.stdout.write(_page(exchange, report))
    elif form == "json":
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        Console().print(summary(report))
    return judging.verdict(report) != judging.FAIL


def _page(exchange: Exchange, report: dict[str, Any]) -> str:
    page = exchange.page(report)
    if page is None:
        raise NotFound(f"The report of {report['migration_id']} has no page. Print it as text or json.")
    return page


def _open(page: str) -> None:
    """In a file that stays, because the browser reads it when we are gone."""
    with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(page)
    webbrowser.open(Path(file.name).as_uri())
