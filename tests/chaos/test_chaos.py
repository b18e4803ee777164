"""Some migrations with faults, and whether what judges them sees what is wrong. `make chaos` runs many more."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from werkzeug.wrappers import Response

from chaos import faults, faults_page, import_steps, judge, real_kinds
from chaos.__main__ import keep
from chaos.faults import KINDS
from chaos.injection import Injection
from chaos.real_kinds import REAL_KINDS
from chaos.run import Outcome, execute, migrate
from chaos.world import World, world
from local.aws.iam import propagation
from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError
from tools.template import template

#: What a LocalTaskJob leaves that ends after the rows of its DAG were deleted.
OUR_JOB = "insert into job (dag_id, job_type, state) values ('mwaa_migrator_export', 'LocalTaskJob', 'success')"


#: Where ARNs begin with `arn:aws-cn:` and endpoints end in `amazonaws.com.cn`. The other tests are in eu-west-1.
REGION = "cn-north-1"


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        # Nobody knows which status a command gets that failed. tests/e2e and test_real.py run with the other one.
        patch.setenv("CLI_FAILURE", "200")
        with world(region=REGION) as made:
            yield made


@pytest.fixture
def late_permissions(here: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """What a migration grants arrives only after a task of ours was refused; returns how many calls were."""

    def refused() -> int:
        return sum(times for call, times in here.aws.endpoint.record.calls().items() if call.decision != "allowed")

    before, begun = refused(), time.monotonic()
    monkeypatch.setattr(propagation, "_has_arrived", lambda made: made < begun or refused() > before)
    return lambda: refused() - before


@pytest.mark.timeout(600)
def test_permissions_that_arrive_late_are_waited_for(here: World, late_permissions: Callable[[], int]) -> None:
    outcome = migrate(here, "s4", faults.plan(4))
    assert (outcome.broken, outcome.status) == ([], "SUCCEEDED")
    assert outcome.struck
    assert late_permissions() > 0


@pytest.fixture
def idle_functions(here: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The functions in a VPC, which begin as idle for weeks; Step Functions waits for them for no time."""
    monkeypatch.setenv("LAMBDA_STATE", "Inactive")
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: None))
    resources = template()["Resources"]
    deployed = here.aws.deployed.functions
    names = {deployed[name].name for name in deployed if "VpcConfig" in resources[name]["Properties"]}
    functions = [function for function in here.aws.functions.functions() if function.name in names]
    for function in functions:
        here.aws.functions.register(replace(function, in_vpc=True))
    yield names
    for function in functions:
        here.aws.functions.register(function)


@pytest.mark.timeout(600)
def test_a_migration_in_an_account_that_takes_its_time(
    here: World, idle_functions: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions are woken, permissions arrive late, and of no new log stream CloudWatch knows the times."""
    monkeypatch.setenv("PERMISSION_DELAY_SECONDS", "2")
    monkeypatch.setenv("STREAM_TIMES_DELAY_SECONDS", "3600")
    woken: list[str] = []
    answer = here.aws.functions.answer

    def answer_or_wake(request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        try:
            return answer(request, environ, principal)
        except AwsError as error:
            woken.append(error.name)
            raise

    monkeypatch.setattr(here.aws.functions, "answer", answer_or_wake)
    outcome = migrate(here, "slow", [])
    assert (outcome.broken, outcome.status) == ([], "SUCCEEDED")
    # Each that a migration within 2.x which goes well invokes.
    assert woken.count("ResourceNotReadyException") == woken.count("ResourceConflictException") >= 6
    assert len(idle_functions) >= 6


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [8, 9, 16])  # 9 goes on to Airflow 3
def test_everything_arrives_or_the_source_is_as_it_was(
    here: World, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = migrate(here, f"s{seed}", faults.plan(seed), faults.way(seed))
    assert outcome.broken == []
    assert outcome.struck
    assert outcome.status in ("SUCCEEDED", "FAILED")
    # An endpoint of ours that fails by itself answers 500 and prints why: no fault that was planned.
    assert "Error on request" not in capfd.readouterr().err


@pytest.mark.timeout(600)
def test_the_judge_sees_what_is_wrong(here: World) -> None:
    source, target = here.make_source("old-judged"), "new-judged"
    was = judge.observe(here, source)
    injection = Injection(here.aws, [], source, target)
    ended, migration = execute(here, injection, source.name, target)
    injection.stop()
    assert ended["status"] == "SUCCEEDED"
    counted = injection.counts
    # The places that faults are drawn from exist.
    assert counted["calls"] > faults.AWS_CALLS * 0.8
    assert counted["invocations"] > faults.INVOCATIONS * 0.8
    assert counted["commands"] > faults.COMMANDS * 0.8
    assert counted["tokens"] >= counted["commands"]
    assert counted["tasks"] == faults.TASKS

    def told(*, succeeded: bool = True) -> str:
        return "; ".join(judge.broken_rules(here, was, target, migration, succeeded=succeeded))

    assert told() == ""
    there = here.aws.mwaa.environment(target)
    paused = "update dag set is_paused = {} where dag_id = 'source_dag_{}'"
    for environment, statement, words in (
        (there, "delete from xcom where key = 'return_value'", "xcom: 60 rows are not in the target"),
        (there, "update slot_pool set slots = 3 where pool = 'source_pool'", "slot_pool: 1 rows are not in the target"),
        (there, paused.format(True, 1), "source_dag_1 is paused in the target"),
        (source, paused.format(False, 3), "['source_dag_3'] are active after"),
        (source, OUR_JOB, "rows of mwaa_migrator_export in old-judged's job"),
    ):
        assert words not in told()
        with psycopg2.connect(environment.database.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
        assert words in told()
    # A source that was cut over is not as it was, and its target runs.
    assert "are not paused or active as they were" in told(succeeded=False)
    assert "are active after a rollback" in told(succeeded=False)
    logs = here.aws.client("logs")
    logs.delete_log_stream(logGroupName=f"airflow-{target}-Task", logStreamName="dag_id=source_dag_1/3.log")
    assert "dag_id=source_dag_1/3.log: 5 log events lost" in told()
    with psycopg2.connect(source.database.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("delete from task_fail")
    assert "the source's task_fail lost " in told(succeeded=False)
    here.aws.client("s3").put_object(
        Bucket=here.exchange, Key=f"locks/{REGION}/{source.name}.json", Body=b"{}", ServerSideEncryption="aws:kms"
    )
    assert "the source is locked" in told()
    here.delete(source.name, target)


def test_nothing_is_asked_of_another_partition(here: World) -> None:
    for machine in here.aws.deployed.state_machines.values():
        definition = here.aws.client("stepfunctions").describe_state_machine(stateMachineArn=machine)["definition"]
        assert set(re.findall(r"arn:([^:]*):", definition)) == {"aws-cn"}
    asked = [call.resource for call in here.aws.endpoint.record.calls() if call.resource != "*"]
    assert len(asked) > 100
    assert {resource.split(":")[1] for resource in asked} == {"aws-cn"}


def test_a_seed_gives_the_same_faults() -> None:
    assert faults.plan(7) == faults.plan(7)
    for places in (KINDS, REAL_KINDS):
        drawn = [faults.plan(seed, places) for seed in range(1, 201)]
        assert {fault.kind for plan in drawn for fault in plan} == set(places)
        assert {len(plan) for plan in drawn} == {1, 2, 3}


def test_some_migrations_go_on_to_airflow_3() -> None:
    going_on = [seed for seed in range(1, 201) if faults.way(seed)]
    assert 40 < len(going_on) < 100
    updates = {"target UPDATE_FAILED", "target ROLLING_BACK, then AVAILABLE as before"}
    assert updates <= {fault.kind for seed in going_on for fault in faults.plan(seed)}
    assert not any(updates & {fault.kind for fault in faults.plan(seed)} for seed in {*range(1, 201)} - {*going_on})


def test_some_migrations_on_real_airflow_go_directly_to_airflow_3() -> None:
    direct = [seed for seed in range(1, 201) if real_kinds.way(seed)]
    assert 60 < len(direct) < 120
    kinds = {seed: {fault.kind for fault in faults.plan(seed, REAL_KINDS)} for seed in range(1, 201)}
    assert {*import_steps.STEPS} <= set().union(*(kinds[seed] for seed in direct))
    assert not any({*import_steps.STEPS} & kinds[seed] for seed in {*range(1, 201)} - {*direct})


def test_the_table_counts_how_it_ended() -> None:
    kept = {
        "1": {"status": "SUCCEEDED", "struck": ["task killed"], "broken": []},
        "2": {"status": "FAILED", "struck": ["task killed", "target CREATE_FAILED"], "broken": []},
        "3": {"status": "FAILED", "struck": [], "broken": ["a row is lost"]},
    }
    text = faults_page.table(kept)
    assert text.startswith("3 migrations: 1 SUCCEEDED with everything verified, 2 FAILED; 1 broke a rule.")
    assert "| task killed | 2 | 1 | 1 | 0 |" in text
    assert "| target CREATE_FAILED | 1 | 0 | 1 | 0 |" in text
    assert "real" not in text


def test_the_table_has_those_on_real_airflow_apart() -> None:
    kept = {
        "1": {"status": "SUCCEEDED", "struck": ["task killed"], "broken": []},
        "real-1": {"status": "FAILED", "struck": ["scheduler killed during the import", "task killed"], "broken": []},
    }
    light, real = faults_page.table(kept).split("On real Airflow, ")
    assert light.startswith("1 migrations: 1 SUCCEEDED with everything verified, 0 FAILED; 0 broke a rule.")
    assert "| task killed | 1 | 1 | 0 | 0 |" in light
    assert "scheduler killed" not in light
    assert real.startswith("1 migrations: 0 SUCCEEDED with everything verified, 1 FAILED; 0 broke a rule.")
    assert "| task killed | 1 | 0 | 1 | 0 |" in real
    assert "| scheduler killed during the import | 1 | 0 | 1 | 0 |" in real
    assert "| scheduler killed during the export | 0 | 0 | 0 | 0 |" in real


def rows(text: str) -> list[str]:
    """The first column of each row of the page's tables of faults."""
    return [
        line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if re.match(r"\| (?!fault \||---)", line)
    ]


def test_the_page_has_each_kind_of_fault() -> None:
    told, light_and_real = faults_page.PAGE.read_text(encoding="utf-8").split(faults_page.BEGIN)
    light, real = light_and_real.split("On real Airflow, ")
    assert (rows(light), rows(real)) == (list(KINDS), list(REAL_KINDS))
    # A row says what a few kinds do, of which it has each word, or fewer.
    said = [set(re.findall(r"\w+", row)) for row in rows(told)]
    kinds = {kind: set(re.findall(r"\w+", kind)) for kind in {**KINDS, **REAL_KINDS}}
    assert [kind for kind, words in kinds.items() if not any(row <= words or words <= row for row in said)] == []
    assert [row for row in said if not any(row <= words or words <= row for words in kinds.values())] == []


def test_outcomes_are_kept_by_seed_and_by_kind_of_airflow(tmp_path: Path) -> None:
    file = tmp_path / "build" / "chaos.json"
    outcome = Outcome("SUCCEEDED", "", 1.0, [], [])
    for key in ("10", "real-2", "9", "real-10", "10"):
        keep(file, key, outcome)
    assert list(json.loads(file.read_text())) == ["9", "10", "real-2", "real-10"]
