"""CollectLogResults: adds up what the batches did, judges it, and writes `logs.json`."""

from __future__ import annotations

from dataclasses import dataclass

from aws_lambda_powertools.metrics import MetricUnit

from migration.aws import clients
from migration.exchange import layout
from migration.exchange.store import Store
from migration.logs import early_copy
from migration.logs.request import LogCopy
from migration.logs.results import Sums, journals
from migration.observability import logger, metrics
from migration.state import state


@dataclass(frozen=True, kw_only=True)
class Collected:
    """`key` is that of logs.json."""

    streams: int
    events_copied: int
    key: str


@state
def handler(*, copy: LogCopy, failure: dict[str, str]) -> Collected:
    """`failure` is empty where there is none. Raises LogsIncomplete, or the failure of a batch."""
    store = Store(clients.s3(), copy["bucket"], copy["prefix"])
    sums, batches = Sums(), store.read(layout.LOG_BATCHES)
    for batch, journal in journals(clients.s3(), copy["bucket"], copy["prefix"], batches):
        sums.add(batch, journal)
    before = early_copy.of(clients.s3(), copy)
    for batch, journal in before.others(batches) if before is not None else ():
        sums.add(batch, journal)
    index = store.write(layout.LOG_ARCHIVES, sums.archived) if sums.archived else None
    report = {
        **sums.report(),
        "archive": index and f"s3://{copy['bucket']}/{index}",
        "missing_groups": store.read(layout.LOG_GROUPS)["missing"],
    }
    # Before it is judged: the report of a failed migration says how far the copy came.
    store.write(layout.LOGS, report)
    sums.judge(failure.get("cause", ""))
    phases = Store(clients.s3(), copy["bucket"], copy["phases"])
    phases.end_phase(copy["phase"])
    phase = next(phase for phase in phases.phases() if phase["name"] == copy["phase"])
    report["seconds"] = phase["seconds"]
    key = store.write(layout.LOGS, report)
    metrics.add_metric(name="LogsCopySeconds", unit=MetricUnit.Seconds, value=report["seconds"])
    logger.info("collected", extra={key: value for key, value in report.items() if isinstance(value, int | float)})
    return Collected(streams=report["streams"], events_copied=report["events_copied"], key=key)
