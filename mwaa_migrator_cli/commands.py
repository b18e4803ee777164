"""The commands and their options. What they do is imported when they do it, so that `--help` answers at once."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command_options import (
    FAILED,
    FILE,
    FINE,
    NOTEWORTHY,
    account_options,
    aws_options,
    choose_aws,
    explaining_failures,
    reject,
)
from .pipeline_commands import compare, pipeline

if TYPE_CHECKING:
    from migration.json_schema import Problem

    from .account import Stack


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mwaa-migrator")
def cli() -> None:
    """Moves an Amazon MWAA environment to a newer Airflow, with its history.

    FILE is a migration's input in JSON, as those in events/; - is standard input.

    Exit codes: 0 succeeded and verified; 1 failed or not in order; 2 the input is wrong, or there is nothing to work
    with; 3 (doctor) unexpected findings, none of which stops a migration.
    """


@cli.command()
@click.argument("file", type=FILE)
@account_options
def plan(file: Path, **options: Any) -> None:
    """Show what a migration would do, and change nothing.

    Checks the input and everything it refers to, with the migration's own code: every problem at once, the path of
    Airflow versions, and what differs between source and target. Exit code 1: there is a problem.
    """
    document = _input(file)
    if "source" not in document:
        reject(["A rollback has no plan of its own: it undoes what its migration has done."])
    with explaining_failures():
        from mwaa_migrator_cli import dry_run

        sys.exit(FINE if dry_run.show(document, _stack(**options)) else FAILED)


@cli.command()
@click.argument("file", type=FILE)
@click.option("--watch", is_flag=True, help="Watch it to its end.")
@account_options
def start(file: Path, watch: bool, **options: Any) -> None:
    """Start a migration and print the execution's ARN."""
    document = _input(file)
    with explaining_failures():
        _start(_stack(**options).state_machine, document, watch=watch)


@cli.command()
@click.argument("file", type=FILE)
@account_options
def rehearse(file: Path, **options: Any) -> None:
    """Start a rehearsal of a migration and watch it.

    The input's mode is taken as "rehearse": no DAG is paused, nothing is cut over, and the target is thrown away. The
    input may leave out the target's name. Exit code 1 also: another migration works on the source.
    """
    from migration.plan import rehearsal_input

    document = _json(file)
    _refuse(rehearsal_input.problems(document))
    document["mode"] = "rehearse"
    with explaining_failures():
        _start(_stack(**options).rehearse_machine, document, watch=True)


@cli.command("watch")
@click.argument("arn")
@account_options
def watch_execution(arn: str, **options: Any) -> None:
    """Watch an execution to its end, and print its report."""
    parts = arn.split(":")
    if len(parts) < 8 or parts[2] != "states":
        reject([f"{arn} is no execution's ARN. `start` prints it, and so does the Step Functions console."])
    with explaining_failures():
        choose_aws(**{**options, "region": options["region"] or parts[3]})
        from . import executions

        sys.exit(FINE if executions.watch(arn) else FAILED)


@cli.command()
@click.argument("migration_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser instead.")
@account_options
def report(migration_id: str, form: str, opens: bool, **options: Any) -> None:
    """Print the last report of the migration ID, or open it.

    The exit code is the report's verdict: 0 pass or warn, 1 fail.
    """
    with explaining_failures():
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
@account_options
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
    with explaining_failures():
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
@aws_options
def iac(environment: str, form: str, **options: Any) -> None:
    """Print an environment as code, so that your own tool can take it over.

    The code reproduces every setting, so importing it changes nothing. Airflow options that may be secrets become
    parameters.
    """
    with explaining_failures():
        choose_aws(**options)
        from .infrastructure_code import environment_code

        code = environment_code.of(environment, form)
        click.echo(code.text, nl=False)
        if code.left_out:
            fields = ", ".join(code.left_out)
            click.secho(f"Left out, because AWS::MWAA::Environment does not have it: {fields}", fg="yellow", err=True)


cli.add_command(pipeline)
cli.add_command(compare)


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
        reject([f"{file} is not JSON in UTF-8: {error}"])


def _refuse(found: list[Problem]) -> None:
    """Ends the command if there are problems."""
    if found:
        reject([str(problem) for problem in found])


def _start(machine: str, document: dict[str, Any], *, watch: bool) -> None:
    from . import executions

    arn = executions.start(machine, document)
    click.echo(arn)
    if watch:
        sys.exit(FINE if executions.watch(arn) else FAILED)


def _stack(**options: Any) -> Stack:
    from . import account

    choose_aws(**options)
    return account.stack(options["stack"])
