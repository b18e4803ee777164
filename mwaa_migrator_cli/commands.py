"""The commands and their options. What they do is imported when they do it, so that `--help` answers at once."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from migration.json_schema import Problem

    from .account import Stack

#: Exit codes.
FINE, FAILED, WRONG_INPUT, NOTEWORTHY = 0, 1, 2, 3

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_STACK = click.option(
    "--stack", default="mwaa-migrator", show_default=True, help="The application's CloudFormation stack."
)
_AWS = (
    click.option("--region", help="The region. Default: the SDK's."),
    click.option("--profile", help="The SDK's profile with the credentials."),
    click.option("--local", is_flag=True, help="Talk to the local AWS (python -m local up), not to an account."),
    click.option("--local-name", metavar="NAME", help="The same, where several of them run."),
)


def _aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say which AWS."""
    for option in reversed(_AWS):
        command = option(command)
    return command


def _account_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say which stack in which AWS."""
    return _STACK(_aws_options(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mwaa-migrator")
def cli() -> None:
    """Moves an Amazon MWAA environment to a newer Airflow, with its history.

    FILE is a migration's input in JSON, as those in events/; - is standard input.

    Exit codes: 0 succeeded and verified; 1 failed or not in order; 2 the input is wrong, or there is nothing to work
    with; 3 (doctor) unexpected findings, none of which stops a migration.
    """


@cli.command()
@click.argument("file", type=_FILE)
@_account_options
def plan(file: Path, **options: Any) -> None:
    """Show what a migration would do, and change nothing.

    Checks the input and everything it refers to, with the migration's own code: every problem at once, the path of
    Airflow versions, and what differs between source and target. Exit code 1: there is a problem.
    """
    document = _input(file)
    if "source" not in document:
        _wrong(["A rollback has no plan of its own: it undoes what its migration has done."])
    with _explaining_failures():
        from mwaa_migrator_cli import dry_run

        sys.exit(FINE if dry_run.show(document, _stack(**options)) else FAILED)


@cli.command()
@click.argument("file", type=_FILE)
@click.option("--watch", is_flag=True, help="Watch it to its end.")
@_account_options
def start(file: Path, watch: bool, **options: Any) -> None:
    """Start a migration and print the execution's ARN."""
    document = _input(file)
    with _explaining_failures():
        _start(_stack(**options).state_machine, document, watch=watch)


@cli.command()
@click.argument("file", type=_FILE)
@_account_options
def rehearse(file: Path, **options: Any) -> None:
    """Start a rehearsal of a migration and watch it.

    The input's mode is taken as "rehearse": no DAG is paused, nothing is cut over, and the target is thrown away. The
    input may leave out the target's name. Exit code 1 also: another migration works on the source.
    """
    from migration.plan import rehearsal_input

    document = _json(file)
    _refuse(rehearsal_input.problems(document))
    document["mode"] = "rehearse"
    with _explaining_failures():
        _start(_stack(**options).rehearse_machine, document, watch=True)


@cli.command("watch")
@click.argument("arn")
@_account_options
def watch_execution(arn: str, **options: Any) -> None:
    """Watch an execution to its end, and print its report."""
    parts = arn.split(":")
    if len(parts) < 8 or parts[2] != "states":
        _wrong([f"{arn} is no execution's ARN. `start` prints it, and so does the Step Functions console."])
    with _explaining_failures():
        _choose(**{**options, "region": options["region"] or parts[3]})
        from . import executions

        sys.exit(FINE if executions.watch(arn) else FAILED)


@cli.command()
@click.argument("migration_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser instead.")
@_account_options
def report(migration_id: str, form: str, opens: bool, **options: Any) -> None:
    """Print the last report of the migration ID, or open it.

    The exit code is the report's verdict: 0 pass or warn, 1 fail.
    """
    with _explaining_failures():
        stack = _stack(**options)
        from . import reports

        sys.exit(FINE if reports.show(stack, migration_id, form, opens=opens) else FAILED)


@cli.command()
@click.option("--source", metavar="NAME", help="The source: an environment of the stack's account.")
@click.option("--target", metavar="NAME", help="The target, if it is there already; or any environment of its version.")
@click.option("--source-region", metavar="REGION", help="Its region, where it is not the stack's.")
@click.option("--target-region", metavar="REGION", help="Its region, where it is not the stack's.")
@click.option("--probe", is_flag=True, help="Also run a DAG in the environments, for up to half an hour each.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@_account_options
def doctor(
    source: str | None,
    target: str | None,
    source_region: str | None,
    target_region: str | None,
    probe: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Ask the account what the documentation leaves open.

    Each check has an answer that migrations are prepared for. One alarm is raised for some seconds; nothing else in the
    account changes. With --probe, everything it adds is removed again, even if you interrupt it. Exit codes: 0 all as
    expected; 1 something that stops a migration; 3 something else, or a question that could not be asked.
    """
    with _explaining_failures():
        _stack(**options)
        from .doctor import examination, showing

        given = dict.fromkeys(((source, source_region), (target, target_region)))
        asked = [examination.Named(name, region) for name, region in given if name is not None]
        probing = functools.partial(click.echo, err=True) if probe else None
        found = list(examination.findings(options["stack"], asked, probing))
        if as_json:
            click.echo(showing.as_json(found), nl=False)
        else:
            showing.show(found)
        if any(finding.stops for finding in found):
            sys.exit(FAILED)
        sys.exit(FINE if all(finding.answer == "expected" for finding in found) else NOTEWORTHY)


@cli.command()
@click.argument("environment")
@click.option("--format", "form", type=click.Choice(["cloudformation", "terraform", "cdk"]), required=True,
              help="The tool that is to take it over.")  # fmt: skip
@_aws_options
def iac(environment: str, form: str, **options: Any) -> None:
    """Print an environment as code, so that your own tool can take it over.

    The code reproduces every setting, so importing it changes nothing. Airflow options that may be secrets become
    parameters.
    """
    with _explaining_failures():
        _choose(**options)
        from .infrastructure_code import environment_code

        code = environment_code.of(environment, form)
        click.echo(code.text, nl=False)
        if code.left_out:
            fields = ", ".join(code.left_out)
            click.secho(f"Left out, because AWS::MWAA::Environment does not have it: {fields}", fg="yellow", err=True)


@cli.command()
@click.argument("definitions", nargs=-1, metavar="DEFINITION...", type=_FILE)
@click.option("--id", "ids", multiple=True, metavar="df-...", help="A pipeline of the account. Repeatable.")
@click.option("--all", "every", is_flag=True, help="Every active pipeline of the account.")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write into."
)
@click.option("--airflow", required=True, type=click.Choice(["2.11.2", "3.2.1"]), help="The version to write for.")
@click.option("--shell-on", type=click.Choice(["ssm", "ecs", "worker"]), default="ssm", show_default=True,
              help="Where shell commands run: on their instance, in Amazon ECS, or on Airflow's worker.")  # fmt: skip
@click.option("--emr-on", type=click.Choice(["cluster", "serverless"]), default="cluster", show_default=True,
              help="Where work on Amazon EMR runs: on its cluster, or, what can, on EMR Serverless.")  # fmt: skip
@click.option("--start", type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]), metavar="TIME",
              help="The first scheduled start (UTC) that the DAG takes over; it catches up from there.")  # fmt: skip
@_aws_options
def pipeline(
    definitions: tuple[Path, ...],
    ids: tuple[str, ...],
    every: bool,
    out: Path,
    airflow: str,
    shell_on: Any,
    emr_on: Any,
    start: Any,
    **options: Any,
) -> None:
    """Translate pipelines of AWS Data Pipeline into DAGs.

    DEFINITION is a file: an export of the console (with its parameters and values in files of their own, if so), an
    answer to GetPipelineDefinition, or a CloudFormation template. Each pipeline gets a folder with its DAG, what lies
    beside it, and PIPELINE.md. Exit code 1: a pipeline was not translated.
    """
    if sum(map(bool, (definitions, ids, every))) != 1:
        _wrong(["Name definitions, pipelines by --id, or --all: one of the three."])
    with _explaining_failures():
        from datetime import UTC
        from importlib.resources import files

        from data_pipeline import command
        from data_pipeline.options import Options

        chosen = Options(airflow, shell_on, start and start.replace(tzinfo=UTC), emr_on)
        if definitions:
            outcomes = command.from_files(definitions, chosen)
        else:
            import boto3

            _choose(**options)
            outcomes = command.from_account(boto3.client("datapipeline"), ids, chosen)
        command.write(outcomes, out, files("migration.report").joinpath("page.css").read_text(encoding="utf-8"))
        for outcome in outcomes:
            click.echo(outcome.sentence)
            for problem in outcome.refused.problems if outcome.refused else ():
                click.secho(f"  {problem}", fg="red", err=True)
        sys.exit(FAILED if any(outcome.refused for outcome in outcomes) else FINE)


@cli.command()
@click.option("--place", "places", nargs=2, multiple=True, metavar="OLD NEW",
              help="Where the pipeline and where the DAG writes, s3://BUCKET/PREFIX each. Repeatable.")  # fmt: skip
@click.option("--id", "pipeline_id", metavar="df-...", help="The pipeline whose runs to compare.")
@click.option("--runs", type=_FILE, metavar="FILE",
              help="The DAG's runs, as airflow dags list-runs --output json prints them.")  # fmt: skip
@_aws_options
def compare(places: tuple[tuple[str, str], ...], pipeline_id: str | None, runs: Path | None, **options: Any) -> None:
    """Compare a pipeline and its DAG, while both run.

    Reads every object in both places of a pair, counts the rows and compares them in any order, so objects may be cut
    and named differently. Compares the runs by their scheduled starts, from the first one that both have. Exit code 1:
    they differ.
    """
    if (pipeline_id is None) != (runs is None):
        _wrong(["Runs are compared by --id and --runs together."])
    if not places and runs is None:
        _wrong(["Name what to compare: --place OLD NEW, or --id and --runs."])
    with _explaining_failures():
        import boto3

        from data_pipeline.comparison.places import NotAPlace
        from data_pipeline.comparison.runs import NotRuns

        from . import side_by_side

        _choose(**options)
        try:
            are_alike = side_by_side.show(
                boto3.client("s3"), boto3.client("datapipeline"), places, pipeline_id or "", runs
            )
        except (NotAPlace, NotRuns) as error:
            _wrong([str(error)])
        sys.exit(FINE if are_alike else FAILED)


def main() -> None:
    cli(prog_name="mwaa-migrator")


def _input(file: Path) -> dict[str, Any]:
    """The input in a file; ends the command with every problem of it."""
    from migration.plan import migration_input

    document: dict[str, Any] = _json(file)
    _refuse(migration_input.problems(document))
    return document


def _json(file: Path) -> Any:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        return json.loads(text)
    except ValueError as error:
        _wrong([f"{file} is not JSON in UTF-8: {error}"])


def _refuse(found: list[Problem]) -> None:
    """Ends the command if there are problems."""
    if found:
        _wrong([str(problem) for problem in found])


def _start(machine: str, document: dict[str, Any], *, watch: bool) -> None:
    from . import executions

    arn = executions.start(machine, document)
    click.echo(arn)
    if watch:
        sys.exit(FINE if executions.watch(arn) else FAILED)


def _choose(*, region: str | None, profile: str | None, local: bool, local_name: str | None, **_: Any) -> None:
    from . import account

    account.choose(region=region, profile=profile, local=local_name or ("default" if local else None))


def _stack(**options: Any) -> Stack:
    from . import account

    _choose(**options)
    return account.stack(options["stack"])


@contextmanager
def _explaining_failures() -> Iterator[None]:
    """Ends the command with a sentence for what is not there and for what AWS refuses, in place of a trace."""
    from botocore.exceptions import BotoCoreError, ClientError

    from .account import NotFound

    try:
        yield
    except NotFound as error:
        _wrong([str(error)])
    except BotoCoreError as error:
        # No credentials, no such profile, no such region, no way to the endpoint: nothing to work with.
        _wrong([str(error)])
    except ClientError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(FAILED)


def _wrong(problems: list[str]) -> NoReturn:
    for problem in problems:
        click.secho(problem, fg="red", err=True)
    sys.exit(WRONG_INPUT)
