"""`python -m local up | down | rehearsal`: the local AWS on the command line."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from local.aws import process_setup
from local.installations import leftovers, processes


class AlreadyRunning(Exception):
    """A local AWS of that name runs already."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local AWS: see docs/local-aws.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a local AWS, deploy the application, and run until it is stopped")
    up.add_argument("--name", default="default", help="to run several side by side")
    up.add_argument("--region", default="eu-west-1")
    up.add_argument("--template", type=Path, help="one whose packages are built, in place of the application's")
    up.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the template")
    up.add_argument("--source", metavar="NAME", help="also make an environment of that name, with DAGs that have run")
    up.add_argument("--airflow-version", default="2.10.3", help="the version of that environment")
    down = commands.add_parser("down", help="stop a local AWS; nothing of it is left")
    down.add_argument("--name", default="default")
    commands.add_parser("rehearsal", help="a rehearsal or a migration; see docs/rehearsing.md for its variables")
    chosen = parser.parse_args(arguments)

    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "ERROR"), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    process_setup.silence_expected_errors()
    process_setup.interrupt_on_sigterm()
    console = Console()
    try:
        if chosen.command == "up":
            return _up(chosen, console)
        if chosen.command == "down":
            return _down(chosen.name, console)
        from local.rehearsal import rehearsal

        return rehearsal.main(console)
    except AlreadyRunning as error:
        console.print(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _up(chosen: argparse.Namespace, console: Console) -> int:
    # Importing moto takes seconds, which `down` and `--help` need not wait for.
    from local.mwaa.aws_with_mwaa import AwsWithMwaa
    from local.rehearsal import application, demo_source, rehearsal

    if leftovers.process_of(chosen.name) is not None:
        raise AlreadyRunning(
            f"A local AWS called {chosen.name} runs already; choose another --name, or stop it with `down`."
        )
    with AwsWithMwaa(chosen.name, chosen.region) as aws:
        parameters = dict(parameter.split("=", 1) for parameter in chosen.parameter)
        deployment = application.deploy(aws, parameters, chosen.template)
        if chosen.source:
            demo_source.make(aws, chosen.source, chosen.airflow_version, None, None, console.print)
        console.print(rehearsal.exports(aws), markup=False, highlight=False, soft_wrap=True)
        for name, arn in {**deployment.outputs, **deployment.state_machines}.items():
            console.print(f"# {name}: {arn}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"# Stop it with Ctrl-C or `python -m local down --name {chosen.name}`.", highlight=False)
        rehearsal.wait_for_interrupt()
    return 0


def _down(name: str, console: Console) -> int:
    if not (processes.RUNNING / name).exists():
        console.print(f"No local AWS called {name} runs here.")
        return 1
    pid = leftovers.process_of(name)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 120
        while leftovers.process_of(name) is not None and time.monotonic() < deadline:
            time.sleep(0.2)
        if leftovers.process_of(name) is not None:
            os.kill(pid, signal.SIGKILL)
    leftovers.clear(name)
    console.print(f"{name} has been stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
