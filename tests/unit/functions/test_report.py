"""Report: its objects, its page and its notification, also where AWS refuses one of them."""

from __future__ import annotations

import json
import os
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator
from moto.sns.models import sns_backends

import check_dag_run
import clean_up
import cut_over
import report
import roll_back
import trigger_dag_run
import verify
from migration import errors
from migration.airflow import our_dags, runs
from migration.airflow.cli import AirflowCli
from migration.airflow.endpoint import Answer
from migration.aws import clients
from migration.checks import check_results
from migration.exchange.store import Store, of_attempt
from migration.report import price
from tests.unit.functions.conftest import REGION, Commands, Environments, Handler
from tests.unit.functions.objects import SCHEMA, Plan, leave, read, refuse, table


def test_report_of_a_success(mwaa: Environments, planned: Plan, commands: Commands, call: Handler) -> None:
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    commands.answers[("dags", "list")] = Answer(True, f'[{{"dag_id": "a"}}, {{"dag_id": "{our_dags.IMPORT}"}}]', "")
    commands.answers[("dags", "list-import-errors")] = Answer(True, "[]", "")
    unfinished = {"dag_runs": 0, "task_instances": 0}
    leave(planned, our_dags.EXPORT, "export", unfinished=unfinished, tables={"dag": {"rows": 3}})
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables={"dag_run": table()})
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert written["status"] == told["status"] == "SUCCEEDED"
    assert written["source"]["airflow_version"] == "2.10.3"
    assert written["target"]["airflow_version"] == "3.2.1"
    assert written["path"] == ["2.10.3", "2.11.2", "3.2.1"]
    assert [phase["name"] for phase in written["phases"]] == ["plan"]
    assert written["tables"]["dag_run"] == table()
    assert written["dags"] == {"source": 3, "parsed_in_target": 1, "import_errors": []}
    assert set(written["logs"]) == {"streams", "events_source", "events_copied", "events_archived", "events_lost"}


def test_a_web_server_that_does_not_answer_is_no_failure(
    mwaa: Environments, planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*command: str) -> Answer:
        raise errors.TransientError("no answer in time")

    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "2.11.2"}
    monkeypatch.setattr(runs, "final_cli", lambda migration, version: AirflowCli(hang, version))
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert (told["status"], written["dags"]["parsed_in_target"]) == ("SUCCEEDED", None)


def test_report_of_a_failure(planned: Plan, call: Handler) -> None:
    cause = json.dumps({"errorMessage": "part 3", "errorType": "ArtifactDamaged", "stackTrace": []})
    failure = {"state": "CheckImport", "error": "ArtifactDamaged", "cause": cause}
    told = call(report, migration=planned, failure=failure, rollBackFailure={}, unchecked=[])
    written = json.loads(clients.s3().get_object(Bucket="exchange", Key=told["key"])["Body"].read())
    assert written["status"] == "FAILED"
    assert written["failure"] == {"state": "CheckImport", "error": "ArtifactDamaged", "message": "part 3"}
    assert written["verified"] is False


@pytest.mark.usefixtures("by_cli")
def test_no_answer_grows_with_the_number_of_dags(
    mwaa: Environments, planned: Plan, commands: Commands, call: Handler
) -> None:
    """What travels through the state machine is far below its 256 KiB with 3,000 DAGs of the longest names."""
    ids = [f"{number:04d}".ljust(250, "x") for number in range(3000)]
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1"}
    listed = json.dumps([{"dag_id": name} for name in ids])
    broken = json.dumps([{"filepath": name, "error": "SyntaxError " * 100} for name in ids])
    commands.answers[("dags", "list")] = Answer(True, listed, "")
    commands.answers[("dags", "list-import-errors")] = Answer(True, broken, "")
    leave(planned, our_dags.EXPORT, "quiesce", active_dags=ids, paused=3000)
    leave(planned, our_dags.EXPORT, "export", unfinished={}, tables={"dag": {"rows": 3000}})
    leave(planned, our_dags.IMPORT, "import")
    leave(planned, our_dags.IMPORT, "verify", verified=True, tables={f"table_{n}": table() for n in range(40)})
    answers = [
        call(trigger_dag_run, migration=planned, dag=our_dags.EXPORT),
        call(check_dag_run, migration=planned, dag=our_dags.EXPORT, waitedSeconds=0),
        call(verify, migration=planned, dag=our_dags.IMPORT),
        call(cut_over, migration=planned, done=0),
        call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[]),
        call(clean_up, migration=planned, failed=False, waitedSeconds=0),
    ]
    leave(planned, our_dags.RESUME, "resume", resumed=3000)
    answers.append(call(roll_back, migration=planned, waitedSeconds=0, done=0))
    assert max(len(json.dumps(answer)) for answer in [planned, *answers]) < 4096


def test_a_report_is_data_a_page_and_a_summary(planned: Plan, call: Handler) -> None:
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    folder = told["key"].removesuffix("report.json")
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(read(told["key"])))
    assert "prod-2-10" in read(f"{folder}report.html")
    assert "prod-2-10" in read(f"{folder}report.md")
    page = clients.s3().head_object(Bucket="exchange", Key=f"{folder}report.html")
    assert page["ContentType"] == "text/html; charset=utf-8"


def test_the_price_of_the_target_is_in_the_report(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = price.Price(1.85, "2.50 hours of mw1.medium")
    monkeypatch.setattr(price, "of_target", lambda *_: cost)
    rehearsal = {**planned, "mode": "rehearse"}
    told = call(report, migration=rehearsal, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(read(told["key"]))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(written)
    assert (written["price_usd"], written["price_basis"], written.get("price_on_the_day_usd")) == cost
    page = read(told["key"].replace(".json", ".html"))
    assert "$1.85" in page
    assert "2.50 hours of mw1.medium" in page
    assert "- Price of the target's hours: $1.85" in read(told["key"].replace(".json", ".md"))
    # The next rehearsal's report has it too.
    told = call(report, migration={**rehearsal, "id": "another"}, failure={}, rollBackFailure={}, unchecked=[])
    assert json.loads(read(told["key"]))["rehearsals"][0]["price_usd"] == 1.85
    assert read(told["key"].replace(".json", ".html")).count('<td class="number">$1.85</td>') == 2


def test_a_roll_back_by_hand_has_no_price(planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "of_target", lambda *_: price.Price(1.85, "hours"))
    told = call(report, migration={**planned, "rollBack": True}, failure={}, rollBackFailure={}, unchecked=[])
    assert "price_usd" not in json.loads(read(told["key"]))


def test_what_was_checked_is_in_the_report_and_makes_its_verdict(planned: Plan, call: Handler) -> None:
    store = of_attempt(clients.s3(), planned)  # type: ignore[arg-type]
    found: list[check_results.Check] = [
        {"name": "Ruff", "result": "fail", "message": "One", "findings": [{"file": "a.py", "line": 3, "message": "m"}]}
    ]
    check_results.write(store, "files", [{"name": "Again", "result": "warn", "message": "An earlier try's"}])
    check_results.write(store, "files", found)
    check_results.write(store, "target", [{"name": "Missing DAGs", "result": "pass", "message": "None"}])
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    written = json.loads(read(told["key"]))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(written)
    assert [(check["name"], check["result"]) for check in written["checks"]] == [
        ("Ruff", "fail"),
        ("Missing DAGs", "pass"),
    ]
    assert told["verdict"] == written["verdict"] == "fail"
    assert "a.py:3" in read(told["key"].replace(".json", ".html"))


def published() -> list[tuple[str, str, str | None]]:
    """`(topic, message, subject)` of each notification that moto's SNS has taken."""
    (backend,) = (region for account in sns_backends.values() for name, region in account.items() if name == REGION)
    return [
        (arn, message, subject)
        for arn, topic in backend.topics.items()
        for _, message, subject, *_ in topic.sent_notifications
    ]


def test_the_notification_links_to_the_page(planned: Plan, call: Handler) -> None:
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    ((_, message, subject),) = published()
    assert subject == "Migrated, with errors: prod-2-10 -> prod-3"
    *_, place, _, link = message.splitlines()
    page = told["key"].replace(".json", ".html")
    assert place == f"Report: s3://exchange/{page}"
    url = urlsplit(link)
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("https", f"exchange.s3.{REGION}.amazonaws.com", f"/{page}")
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["43200"]


def test_a_bucket_that_refuses_the_report_loses_nothing(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(monkeypatch, Store, "write_text", "PutObject", "AccessDenied", 403)
    failure = {"state": "CheckImport", "error": "ArtifactDamaged", "cause": "part 3 of dag_run"}
    told = call(report, migration=planned, failure=failure, rollBackFailure={}, unchecked=[])
    assert (told["status"], told["key"]) == ("FAILED", None)
    ((_, message, _),) = published()
    assert "part 3 of dag_run" in message
    assert message.endswith("The exchange bucket did not take the report; it is in the function's log.")
    (line,) = [record for record in caplog.records if record.getMessage() == "the report was not written"]
    assert line.__dict__["report"]["failure"]["message"] == "part 3 of dag_run"


def test_a_topic_that_refuses_the_notification_loses_nothing(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOPIC_ARN", f"arn:aws:sns:{REGION}:123456789012:gone")
    told = call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    assert told["status"] == "SUCCEEDED"
    assert json.loads(read(told["key"]))["status"] == "SUCCEEDED"
    assert "the topic could not be notified" in caplog.messages
    assert "X-Amz-Signature" not in caplog.text


def test_a_report_that_nobody_takes_has_a_name(planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, Store, "write_text", "PutObject", "AccessDenied", 403)
    monkeypatch.setenv("TOPIC_ARN", f"arn:aws:sns:{REGION}:123456789012:gone")
    with pytest.raises(errors.ReportNotWritten, match="exchange"):
        call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])


def test_a_fault_of_the_bucket_that_passes_is_retried(
    planned: Plan, call: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, Store, "write_text", "PutObject", "SlowDown", 503)
    with pytest.raises(errors.TransientError):
        call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])


@pytest.mark.parametrize("subscribed", [True, False])
def test_a_topic_without_subscribers_is_told_in_the_log(
    planned: Plan, call: Handler, caplog: pytest.LogCaptureFixture, subscribed: bool
) -> None:
    if subscribed:
        queue = f"arn:aws:sqs:{REGION}:123456789012:queue"
        clients.sns().subscribe(TopicArn=os.environ["TOPIC_ARN"], Protocol="sqs", Endpoint=queue)
    call(report, migration=planned, failure={}, rollBackFailure={}, unchecked=[])
    assert ("nobody has subscribed to the topic" in caplog.messages) != subscribed
