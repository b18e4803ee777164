"""What a rehearsal's report knows of the ones before it, with moto's S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

import report
from migration import errors
from migration.aws import clients
from migration.exchange import json_object
from migration.report.rehearsal_history import History
from tests.unit.functions.conftest import Commands, Environments, Handler

KEY = "rehearsals/eu-west-1/prod-2-10.json"
REFUSES = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::exchange/rehearsals/*"}
    ],
}


def told(key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(clients.s3().get_object(Bucket="exchange", Key=key)["Body"].read())
    return content


@pytest.fixture
def rehearse(mwaa: Environments, commands: Commands, planned: dict[str, Any], call: Handler) -> Any:
    """Writes the report of a rehearsal of that id; the earlier ones in it."""

    def once(migration_id: str, mode: str = "rehearse") -> list[dict[str, Any]]:
        migration = planned | {"id": migration_id, "mode": mode}
        written = told(call(report, migration=migration, failure={}, rollBackFailure={}, unchecked=[])["key"])
        found: list[dict[str, Any]] = written.get("rehearsals", [])
        return found

    return once


def test_a_report_lists_the_rehearsals_before_it(rehearse: Any) -> None:
    assert rehearse("one") == []
    assert [item["migration_id"] for item in rehearse("two")] == ["one"]
    (first, second) = rehearse("three")
    assert (first["migration_id"], second["migration_id"]) == ("one", "two")
    assert first["time"] < second["time"]
    # Nothing was exported, so nothing was verified.
    assert (first["verdict"], first["downtime_seconds"]) == ("fail", 0.0)


def test_a_report_that_is_written_again_is_remembered_once(rehearse: Any) -> None:
    rehearse("one")
    assert rehearse("one") == []
    assert [item["migration_id"] for item in rehearse("two")] == ["one"]


def test_a_migration_is_no_rehearsal(rehearse: Any) -> None:
    rehearse("one")
    assert rehearse("two", mode="migrate") == []
    assert [item["migration_id"] for item in rehearse("three")] == ["one"]


def test_a_year_of_weekly_ones_is_kept(planned: dict[str, Any]) -> None:
    for number in range(54):
        migration: Any = planned | {"id": f"m{number}"}
        History(clients.s3(), migration).add({"time": "2026-11-25T03:00:00+00:00", "downtime_seconds": 1.0}, "pass")
    migration = planned | {"id": "last"}
    kept = [item["migration_id"] for item in History(clients.s3(), migration).earlier()]
    assert (len(kept), kept[0], kept[-1]) == (52, "m2", "m53")


def test_two_that_end_at_once_are_both_remembered(planned: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    this, other = (History(clients.s3(), planned | {"id": name}) for name in ("this", "other"))  # type: ignore[arg-type]
    said = {"time": "2026-11-25T03:00:00+00:00", "downtime_seconds": 1.0}
    read = json_object.read

    def meanwhile(*place: Any) -> Any:
        found = read(*place)
        monkeypatch.undo()
        other.add(said, "pass")
        return found

    monkeypatch.setattr(json_object, "read", meanwhile)
    this.add(said, "warn")
    assert [item["migration_id"] for item in told(KEY)] == ["other", "this"]  # type: ignore[index]


def test_an_object_that_never_stays_is_a_transient_fault(
    planned: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(clients.s3(), planned)  # type: ignore[arg-type]
    monkeypatch.setattr(json_object, "read", lambda *_: json_object.Tagged([], '"another"'))
    with pytest.raises(errors.TransientFault, match=KEY):
        history.add({"time": "2026-11-25T03:00:00+00:00", "downtime_seconds": 1.0}, "pass")


def test_a_history_that_is_refused_costs_no_report(rehearse: Any, caplog: pytest.LogCaptureFixture) -> None:
    clients.s3().put_bucket_policy(Bucket="exchange", Policy=json.dumps(REFUSES))
    assert rehearse("one") == []
    assert "the history of rehearsals was not written" in caplog.text
