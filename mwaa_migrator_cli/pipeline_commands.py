"""The commands about AWS Data Pipeline. What they do is imported when they do it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .command_options import FAILED, FILE, FINE, aws_options, choose_aws, explaining_failures, reject


@click.command()
@click.argument("definitions", nargs=-1, metavar="DEFINITION...", type=FILE)
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
@aws_options
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
        reject(["Name definitions, pipelines by --id, or --all: one of the three."])
    with explaining_failures():
        from datetime import UTC
        from importlib.resources import files

        from data_pipeline import command
        from data_pipeline.options import Options

        chosen = Options(airflow, shell_on, start and start.replace(tzinfo=UTC), emr_on)
        if definitions:
            outcomes = command.from_files(definitions, chosen)
        else:
            import boto3

            choose_aws(**options)
            outcomes = command.from_account(boto3.client("datapipeline"), ids, chosen)
        command.write(outcomes, out, files("migration.report").joinpath("page.css").read_text(encoding="utf-8"))
        for outcome in outcomes:
            click.echo(outcome.sentence)
            for problem in outcome.refused.problems if outcome.refused else ():
                click.secho(f"  {problem}", fg="red", err=True)
        sys.exit(FAILED if any(outcome.refused for outcome in outcomes) else FINE)


@click.command()
@click.option("--place", "places", nargs=2, multiple=True, metavar="OLD NEW",
              help="Where the pipeline and where the DAG writes, s3://BUCKET/PREFIX each. Repeatable.")  # fmt: skip
@click.option("--id", "pipeline_id", metavar="df-...", help="The pipeline whose runs to compare.")
@click.option("--runs", type=FILE, metavar="FILE",
              help="The DAG's runs, as airflow dags list-runs --output json prints them.")  # fmt: skip
@aws_options
def compare(places: tuple[tuple[str, str], ...], pipeline_id: str | None, runs: Path | None, **options: Any) -> None:
    """Compare a pipeline and its DAG, while both run.

    Reads every object in both places of a pair, counts the rows and compares them in any order, so objects may be cut
    and named differently. Compares the runs by their scheduled starts, from the first one that both have. Exit code 1:
    they differ.
    """
    if (pipeline_id is None) != (runs is None):
        reject(["Runs are compared by --id and --runs together."])
    if not places and runs is None:
        reject(["Name what to compare: --place OLD NEW, or --id and --runs."])
    with explaining_failures():
        import boto3

        from data_pipeline.comparison.places import NotAPlace
        from data_pipeline.comparison.runs import NotRuns

        from . import side_by_side

        choose_aws(**options)
        try:
            are_alike = side_by_side.show(
                boto3.client("s3"), boto3.client("datapipeline"), places, pipeline_id or "", runs
            )
        except (NotAPlace, NotRuns) as error:
            reject([str(error)])
        sys.exit(FINE if are_alike else FAILED)
