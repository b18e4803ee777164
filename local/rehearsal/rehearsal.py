"""A rehearsal, or a whole migration, on this machine: `python -m local rehearsal`, which `make rehearsal` calls.

It makes a source environment, starts a state machine through Step Functions' API, watches it, judges its report, and
looks for what a rehearsal has left.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console

from local.aws.deployment import DeploymentFailed
from local.aws.responses import AwsError
from local.installations.airflow_installation import install
from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.rehearsal import application, demo_source, output_folder
from local.rehearsal.inventory import inventory
from local.rehearsal.settings import SOURCE_NAME, TARGET_NAME, InvalidSettings, Settings
from local.rehearsal.source_environment import SourceNotReady
from local.rehearsal.target_inspection import TargetInspection
from local.rehearsal.verdict import check_leftovers, check_old_logs, is_verified
from migration.airflow import path, ways_in
from mwaa_migrator_cli.exchange import Exchange
from mwaa_migrator_cli.progress import summary
from mwaa_migrator_cli.reminder import Reminder, reminding
from mwaa_migrator_cli.watching import watch
from tools.packages import PackagingFailed

_POLL_SECONDS = 2


def main(console: Console) -> int:
    """Runs what the environment variables ask for; returns the exit code."""
    try:
        return run(Settings.from_variables(os.environ), console)
    except InvalidSettings as error:
        console.print(str(error), style="bold red", markup=False)
        return 2
    except (DeploymentFailed, PackagingFailed, SourceNotReady) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1


def run(settings: Settings, console: Console) -> int:
    """Returns 0 if it succeeded, everything in it was verified, and a rehearsal has left nothing; else 1.

    Raises:
        InvalidSettings, SourceNotReady, PackagingFailed, DeploymentFailed
    """
    settings.check()
    with AwsWithMwaa() as aws:
        return run_in(aws, settings, console)


def run_in(aws: AwsWithMwaa, settings: Settings, console: Console) -> int:
    """The same in a local AWS that is there, in which nothing has been deployed."""
    tell = _teller(console, time.monotonic())
    reminder = Reminder(tell)

    def say(text: str) -> None:
        tell(text)
        reminder.begin(text)

    settings.out.mkdir(parents=True, exist_ok=True)
    say(f"the local AWS listens on {aws.endpoint.url}")
    # Building and deploying take as long as the source does, and neither needs the other.
    with ThreadPoolExecutor() as pool, reminding(reminder):
        background: list[Future[Any]] = [pool.submit(application.deploy, aws)]
        background += [pool.submit(install, version) for version in settings.target_versions()]
        source = demo_source.make(aws, SOURCE_NAME, settings.source, settings.dags, settings.seed_sql, say)
        if not all(work.done() for work in background):
            say("waiting until the functions are packaged and deployed, and the target's Airflow is installed")
        for work in background:
            work.result()
    deployment = aws.deployed
    say(f"deployed {len(deployment.functions)} functions and {len(deployment.state_machines)} state machines")
    before = inventory(aws, source)
    inspection = TargetInspection(aws, SOURCE_NAME)
    aws.mwaa.before_deletion = inspection
    execution = aws.client("stepfunctions").start_execution(
        stateMachineArn=deployment.state_machines[application.STATE_MACHINES[settings.mode]],
        input=json.dumps(migration_input(settings, aws)),
    )["executionArn"]
    say(f"started {execution}")
    ended = _watch(aws, execution, console)
    report = _report(aws, ended)
    output_folder.write(settings.out, aws, report, execution, inspection)
    console.print(summary(report))
    good = ended["status"] == "SUCCEEDED" and is_verified(report)
    if good:
        good = check_old_logs(settings, aws, inspection, say, console)
    else:
        _explain(console, ended, report, settings.out)
    if settings.mode == "rehearse" and not check_leftovers(aws, source, before, say, console):
        good = False
    name = "report.html" if "migration_id" in report else "report.json"
    say(f"{'verified' if good else 'NOT verified'}; the report is {settings.out / name}")
    if settings.keep:
        _keep(console, aws)
    return 0 if good else 1


def migration_input(settings: Settings, aws: AwsWithMwaa) -> dict[str, Any]:
    """The state machine's input, as one would give it in an account, but with shorter waits."""
    name = {"environment": TARGET_NAME} if settings.mode == "migrate" else {}
    return {
        "source": {"environment": SOURCE_NAME, "region": aws.region},
        "target": {**name, "airflowVersion": settings.target},
        "mode": settings.mode,
        "options": {
            "pollSeconds": _POLL_SECONDS,
            **({} if settings.path == path.AUTO else {"path": settings.path}),
            **({} if settings.way_in == ways_in.AUTO else {"wayIn": settings.way_in}),
        },
    }


def exports(aws: AwsWithMwaa) -> str:
    """Shell commands that point the AWS CLI and the SDKs at a local AWS."""
    return "\n".join(f"export {name}={value}" for name, value in aws.variables().items())


def wait_for_interrupt() -> None:
    """Ends by an exception only. A signal that another thread has taken is noticed within a second."""
    while True:
        time.sleep(1)


def _exchange(aws: AwsWithMwaa) -> Exchange:
    return Exchange(aws.client("s3"), aws.deployed.resources[application.EXCHANGE_BUCKET])


def _watch(aws: AwsWithMwaa, execution: str, console: Console) -> dict[str, Any]:
    """Shows the progress of an execution until it has ended; returns its description."""
    return watch(aws.client("stepfunctions"), execution, lambda: _exchange(aws), console, 1.5)


def _report(aws: AwsWithMwaa, ended: Mapping[str, Any]) -> dict[str, Any]:
    """The report that the state machine wrote; where it wrote none, one with its error."""
    reports = _exchange(aws).reports()
    if reports:
        return reports[-1]
    failure = {"state": "", "error": ended.get("error", ended["status"]), "message": ended.get("cause", "")}
    return {"status": "FAILED", "failure": failure}


def _explain(console: Console, ended: Mapping[str, Any], report: Mapping[str, Any], out: Path) -> None:
    failure = report.get("failure") or {}
    console.print(f"[bold red]{failure.get('error') or ended.get('error') or 'not verified'}[/]")
    console.print(str(failure.get("message") or ended.get("cause") or ""), markup=False)
    console.print(f"The functions' output is in {out / 'functions.log'}, that of the tasks in {out / 'tasks.log'}.")


def _teller(console: Console, started: float) -> Callable[[str], None]:
    def tell(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {text}", highlight=False)

    return tell


def _keep(console: Console, aws: AwsWithMwaa) -> None:
    """Prints how to reach everything, and waits until it is interrupted."""
    console.print(exports(aws), markup=False, highlight=False, soft_wrap=True)
    # Of a rehearsal the source alone: its target is gone.
    for name in aws.client("mwaa").list_environments()["Environments"]:
        try:
            airflow = aws.mwaa.environment(name).airflow
        except AwsError:  # it was deleted meanwhile
            continue
        if airflow is not None and airflow.installation.release >= (2,):
            console.print(f"{name}: {airflow.start_rest_api().split('/api/')[0]}")
    console.print(
        f"`mwaa-migrator --local-name {aws.name}` talks to it. It runs until you press Ctrl-C.", highlight=False
    )
    try:
        wait_for_interrupt()
    except KeyboardInterrupt:
        return
