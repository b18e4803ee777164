"""Adds up what the batches' journals say, and judges whether it is all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from migration import errors, wording
from migration.exchange import layout
from migration.exchange.store import Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from migration.logs.copying import Batch

_READERS = 10
_NAMED = 5


def journals(
    s3: S3Client, bucket: str, prefix: str, batches: list[Batch]
) -> Iterator[tuple[Batch, dict[str, Any] | None]]:
    """Each batch with its journal, None where it has not been begun; a few in memory at a time."""

    store = Store(s3, bucket, prefix)

    def read(batch: Batch) -> dict[str, Any] | None:
        journal: dict[str, Any] | None = store.read(layout.log_journal(batch["index"]))
        return journal

    with ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, len(batches), _READERS):
            some = batches[first : first + _READERS]
            yield from zip(some, readers.map(read, some), strict=True)


class Sums:
    """The result of a whole copy."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.archived: list[dict[str, Any]] = []
        self._wrong: list[str] = []
        self._gone = 0
        self._seconds = 0.0
        self.failure: dict[str, str] | None = None

    def add(self, batch: Batch, journal: dict[str, Any] | None) -> None:
        found = journal["streams"] if journal is not None else {}
        if journal is not None:
            self.calls.update(journal["totals"].get("calls", {}))
            self._counts["throttles"] += journal["totals"].get("throttles", 0)
            self._seconds += journal["totals"].get("seconds", 0.0)
            # Of all its streams: also of those that another copy has looked at again.
            self._counts["bytes"] += sum(result["bytes"] for result in found.values())
            self.failure = self.failure or journal.get("failure")
        for stream in batch["streams"]:
            result = found.get(stream)
            if result is None:
                self._wrong.append(f"{batch['source']} {stream} was not finished")
                continue
            self._counts["streams"] += result["source"] > 0
            self._counts["gone"] += result["gone"]
            for name in ("source", "copied", "present", "archived", "foreign"):
                self._counts[name] += result[name]
            self._reasons.update(result["reasons"])
            if result["copied"] + result["present"] + result["archived"] != result["source"]:
                self._wrong.append(
                    f"{batch['source']} {stream}: {result['copied']} copied, {result['present']} there before and "
                    f"{result['archived']} archived of {result['source']}"
                )
            if result["archived"]:
                self.archived.append(
                    {
                        "group": batch["source"],
                        "stream": stream,
                        "key": result["archive"],
                        "events": result["archived"],
                        "reasons": result["reasons"],
                        "first": result["first"],
                        "last": result["last"],
                    }
                )

    def judge(self, cause: str) -> None:
        """Raises LogsIncomplete, or the failure that a batch ended with; `cause`: what else is known, or empty."""
        if self.failure is not None:
            raise errors.named(self.failure["name"], self.failure["message"])
        if self._wrong or cause:
            streams = wording.listed(self._wrong, _NAMED, "; ")
            raise errors.LogsIncomplete(
                f"Log streams are not whole in the target: {len(self._wrong)} ({streams}). {cause} Redrive the "
                "execution or start it again: what was copied is found and not copied twice."
            )

    def report(self) -> dict[str, Any]:
        """What `logs.json` and the report say."""
        counts = self._counts
        copied = counts["copied"] + counts["present"]
        return {
            "streams": counts["streams"],
            "streams_deleted_meanwhile": counts["gone"],
            "events_source": counts["source"],
            "events_copied": copied,
            "events_archived": counts["archived"],
            "events_lost": counts["source"] - copied - counts["archived"],
            "events_there_before": counts["present"],
            "events_of_the_target": counts["foreign"],
            "archived_because": dict(self._reasons),
            "bytes": counts["bytes"],
            "throttles": counts["throttles"],
            "calls": dict(sorted(self.calls.items())),
            "worker_seconds": round(self._seconds, 3),
        }
