"""A rehearsal, or a whole migration, on this machine: `python -m local rehearsal`, which `make rehearsal` calls.

Makes a source environment, starts a state machine through Step Functions' API, watches it, judges its report, and lists
what a rehearsal has left.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from local.aws.deployment import BuildFailed, DeploymentFailed
from local.installations import airflow_installation
from local.installations.airflow_installation import install
from local.installations.folders import BUILD
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment
from local.rehearsal import application, demo_source, last_look, old_logs
from local.rehearsal.last_look import LastLook, NotSeen
from local.rehearsal.listing import listed
from migration.exchange import layout
from migration.report import facts
from mwaa_migrator_cli.exchange import Exchange
from mwaa_migrator_cli.progress import summary
from mwaa_migrator_cli.watching import watch

SOURCE_NAME = "rehearsal-source"
#: Of a migration; a rehearsal's target gets a name that is made for it.
TARGET_NAME = "rehearsal-target"
#: The state machine that each mode starts.
STATE_MACHINES = {"rehearse": "RehearseStateMachine", "migrate": "MigrateStateMachine"}
EXCHANGE_BUCKET = "ExchangeBucket"

_POLL_SECONDS = 2


@dataclass(frozen=True)
class Settings:
    """What a rehearsal is asked for, from the variables that `make rehearsal` takes."""

    source: str = "2.10.3"
    target: str = "3.2.1"
    dags: Path | None = None
    seed_sql: Path | None = None
    out: Path = BUILD / "rehearsal"
    keep: bool = False
    mode: str = "rehearse"

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Settings:
        """Empty variables count as not given."""
        given = {name: value for name, value in variables.items() if value}
        return cls(
            source=given.get("SOURCE", cls.source),
            target=given.get("TARGET", cls.target),
            dags=Path(given["DAGS"]).resolve() if "DAGS" in given else None,
            seed_sql=Path(given["SEED_SQL"]).resolve() if "SEED_SQL" in given else None,
            out=Path(given["OUT"]).resolve() if "OUT" in given else cls.out,
            keep=given.get("KEEP", "0") not in ("0", "no", "false"),
            mode=given.get("MODE", cls.mode),
        )


class InvalidSettings(Exception):
    """A variable of the rehearsal has a value that cannot be used."""


def run(settings: Settings, console: Console) -> int:
    """Returns the exit code: 0 if it succeeded, everything in it was verified, and a rehearsal has left nothing."""
    check(settings)
    started = time.monotonic()
    settings.out.mkdir(parents=True, exist_ok=True)
    with AwsWithMwaa() as aws:
        say = _say(console, started)
        say(f"the local AWS listens on {aws.endpoint.url}")
        # Building and deploying take as long as the source does, and neither needs the other.
        with ThreadPoolExecutor() as pool:
            background: list[Future[Any]] = [pool.submit(application.deploy, aws)]
            background += [pool.submit(install, version) for version in _versions_of_target(settings)]
            source = demo_source.make(aws, SOURCE_NAME, settings.source, settings.dags, settings.seed_sql, say)
            for work in background:
                work.result()
        deployment = aws.deployed
        say(f"deployed {len(deployment.functions)} functions and {len(deployment.state_machines)} state machines")
        before = listed(aws, source)
        look = aws.mwaa.last_look = LastLook(aws, SOURCE_NAME)
        execution = aws.client("stepfunctions").start_execution(
            stateMachineArn=deployment.state_machines[STATE_MACHINES[settings.mode]],
            input=json.dumps(migration_input(settings, aws)),
        )["executionArn"]
        say(f"started {execution}")
        ended = _watch(aws, execution, deployment.resources[EXCHANGE_BUCKET], console)
        report = _report(aws, deployment.resources[EXCHANGE_BUCKET], ended)
        _write(settings.out, aws, report, execution, look)
        _write_for_people(settings.out, aws.client("s3"), deployment.resources[EXCHANGE_BUCKET], report)
        console.print(summary(report))
        good = ended["status"] == "SUCCEEDED" and is_verified(report)
        if not good:
            _explain(console, ended, report, settings.out)
        elif not _old_logs_are_shown(settings, aws, look, say, console):
            good = False
        if settings.mode == "rehearse" and not _nothing_is_left(aws, source, before, say, console):
            good = False
        name = "report.html" if "migration_id" in report else "report.json"
        say(f"{'verified' if good else 'NOT verified'}; the report is {settings.out / name}")
        if settings.keep:
            _keep(console, aws)
    return 0 if good else 1


def check(settings: Settings) -> None:
    """
    Raises:
        InvalidSettings: with everything that is wrong.
    """
    known = airflow_installation.versions()
    faults = [
        f"{name} is {version}, which is not one of {', '.join(known)}"
        for name, version in (("SOURCE", settings.source), ("TARGET", settings.target))
        if version not in known
    ]
    if settings.source.startswith("3."):
        faults.append(f"SOURCE is {settings.source}: sources are at most 2.x, because tasks of 3.x see no database")
    if settings.dags is not None and not settings.dags.is_dir():
        faults.append(f"DAGS is {settings.dags}, which is no folder")
    if settings.seed_sql is not None and not settings.seed_sql.is_file():
        faults.append(f"SEED_SQL is {settings.seed_sql}, which is no file")
    if settings.mode not in ("migrate", "rehearse"):
        faults.append(f"MODE is {settings.mode}; it is migrate or rehearse")
    if faults:
        raise InvalidSettings("; ".join(faults))


def migration_input(settings: Settings, aws: AwsWithMwaa) -> dict[str, Any]:
    """The state machine's input, the same as somebody would give it in an account; only the waits are shorter."""
    name = {"environment": TARGET_NAME} if settings.mode == "migrate" else {}
    return {
        "source": {"environment": SOURCE_NAME, "region": aws.region},
        "target": {**name, "airflowVersion": settings.target},
        "mode": settings.mode,
        "options": {"pollSeconds": _POLL_SECONDS},
    }


def is_verified(report: Mapping[str, Any]) -> bool:
    """Whether a report says that everything arrived, and finds nothing that speaks against the target's version."""
    tables = report.get("tables") or {}
    return bool(
        report.get("status") == "SUCCEEDED"
        and facts.verdict(report) != facts.FAIL
        and report.get("verified", False)
        and tables
        and all(table.get("match") for table in tables.values())
        and not (report.get("logs") or {}).get("events_lost")
    )


def _versions_of_target(settings: Settings) -> set[str]:
    """The target's versions on its way; they are installed while the source comes into being."""
    if not settings.target.startswith("3."):
        return {settings.target}
    return {[v for v in airflow_installation.versions() if v.startswith("2.11.")][-1], settings.target}


def _watch(aws: AwsWithMwaa, execution: str, bucket: str, console: Console) -> dict[str, Any]:
    """Shows how far the execution is until it has ended; returns its description."""
    return watch(aws.client("stepfunctions"), execution, lambda: Exchange(aws.client("s3"), bucket), console, 1.5)


def _report(aws: AwsWithMwaa, bucket: str, ended: Mapping[str, Any]) -> dict[str, Any]:
    """The report that the state machine wrote; where it got no further than its input, what it said."""
    reports = Exchange(aws.client("s3"), bucket).reports()
    if reports:
        return reports[-1]
    failure = {"state": "", "error": ended.get("error", ended["status"]), "message": ended.get("cause", "")}
    return {"status": "FAILED", "failure": failure}


def _old_logs_are_shown(
    settings: Settings, aws: AwsWithMwaa, look: LastLook, say: Callable[[str], None], console: Console
) -> bool:
    """Whether the target's Airflow shows the logs of runs that happened in the source."""
    try:
        # A rehearsal's target was asked when it was about to be deleted.
        logs = look.old_logs() if settings.mode == "rehearse" else old_logs.read(aws, SOURCE_NAME, TARGET_NAME)
    except NotSeen as error:
        console.print(str(error), style="bold red", markup=False)
        return False
    say(f"the target's Airflow shows {logs.read - len(logs.missing)} of {logs.read} logs of old runs")
    for missing in logs.missing:
        console.print(f"missing in {missing}", style="bold red", markup=False)
    return not logs.missing


def _nothing_is_left(
    aws: AwsWithMwaa, source: Environment, before: set[str], say: Callable[[str], None], console: Console
) -> bool:
    """Whether there is nothing more than before; lists what there is."""
    after = listed(aws, source)
    left = sorted(after - before)
    if not left:
        say(
            f"nothing of it is left: the listing of {len(after)} things (environments, objects, grants...) is as before"
        )
    for thing in left:
        console.print(f"left: {thing}", style="bold red", markup=False, highlight=False)
    return not left


def _write(out: Path, aws: AwsWithMwaa, report: Mapping[str, Any], execution: str, look: LastLook) -> None:
    """report.json, and beside it what one needs to find out why something failed."""
    (out / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
    logs = aws.client("logs")
    for name, prefix in (("functions.log", "/aws/lambda/"), ("tasks.log", "airflow-rehearsal-")):
        with (out / name).open("w") as file:
            for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
                if name == "functions.log" or group["logGroupName"].endswith("-Task"):
                    file.writelines(f"{line}\n" for line in last_look.lines(logs, group["logGroupName"]))
            if name == "tasks.log":
                file.writelines(f"{line}\n" for line in look.task_log())
    calls = [{**call.__dict__, "times": times} for call, times in aws.endpoint.record.calls().items()]
    (out / "calls.json").write_text(json.dumps(calls, indent=2) + "\n")
    (out / "history.json").write_text(json.dumps(_histories(aws, execution), indent=2, default=str) + "\n")


def _histories(aws: AwsWithMwaa, execution: str) -> dict[str, list[dict[str, Any]]]:
    """The events of an execution, and of the migration that a rehearsal is made of, by the state machines' names."""
    states, machines = aws.client("stepfunctions"), aws.deployed.state_machines
    found = {}
    for name in STATE_MACHINES.values():
        arn = f"{machines[name].replace(':stateMachine:', ':execution:')}:{execution.rsplit(':', 1)[-1]}"
        try:
            found[name] = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        except states.exceptions.ExecutionDoesNotExist:
            # A migration is in no rehearsal, and a rehearsal that was refused has none.
            continue
    return found


def _write_for_people(out: Path, s3: Any, bucket: str, report: Mapping[str, Any]) -> None:
    """The page and the summary that the report function has written beside report.json."""
    for name in (layout.report("html"), layout.report("md")):
        (out / name).unlink(missing_ok=True)
        # A plan that was refused has no report.
        if "migration_id" in report:
            key = f"{layout.attempt(report['migration_id'], report['attempt'])}/{name}"
            (out / name).write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _explain(console: Console, ended: Mapping[str, Any], report: Mapping[str, Any], out: Path) -> None:
    failure = report.get("failure") or {}
    console.print(f"[bold red]{failure.get('error') or ended.get('error') or 'not verified'}[/]")
    console.print(str(failure.get("message") or ended.get("cause") or ""), markup=False)
    console.print(f"What the functions and tasks printed is in {out / 'functions.log'} and {out / 'tasks.log'}.")


def _say(console: Console, started: float) -> Any:
    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {text}", highlight=False)

    return say


def _keep(console: Console, aws: AwsWithMwaa) -> None:
    console.print(exports(aws), markup=False, highlight=False, soft_wrap=True)
    # Of a rehearsal the source alone: its target is gone.
    for environment in aws.client("mwaa").list_environments()["Environments"]:
        with _quietly():
            found = aws.mwaa.environment(environment)
            if found.airflow is not None and found.airflow.installation.release >= (2,):
                console.print(f"{environment}: {found.airflow.rest_api().split('/api/')[0]}")
    console.print(
        f"mwaa-migrator --local-name {aws.name} talks to it. It runs until you press Ctrl-C.", highlight=False
    )
    with _quietly():
        until_interrupted()


def until_interrupted() -> None:
    """Returns only by an exception. A signal that another thread has taken is seen within a second."""
    while True:
        time.sleep(1)


def exports(aws: AwsWithMwaa) -> str:
    """Shell commands that point the AWS CLI and the SDKs at a local AWS."""
    return "\n".join(f"export {name}={value}" for name, value in aws.variables().items())


@contextmanager
def _quietly() -> Iterator[None]:
    from local.aws.responses import AwsError

    try:
        yield
    except (KeyboardInterrupt, AwsError):
        return


def main(console: Console) -> int:
    """Reads the variables, runs, and says what is wrong with them."""
    try:
        return run(Settings.from_variables(os.environ), console)
    except InvalidSettings as error:
        console.print(str(error), style="bold red", markup=False)
        return 2
    except (DeploymentFailed, BuildFailed, demo_source.SourceNotReady) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
