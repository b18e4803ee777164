"""`python -m local up | down | rehearsal`: the local AWS for people."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
from rich.console import Console

from local import processes

RUNNING = Path(__file__).resolve().parent.parent / "build" / "local"


class AlreadyRunning(Exception):
    """A local AWS of that name runs."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local AWS: see docs/local-aws.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a local AWS, deploy the application, and run until it is stopped")
    up.add_argument("--name", default="default", help="to run several side by side")
    up.add_argument("--region", default="eu-west-1")
    up.add_argument("--template", type=Path, help="a template that sam build wrote, in place of the application's")
    up.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the template")
    down = commands.add_parser("down", help="stop a local AWS; nothing of it is left")
    down.add_argument("--name", default="default")
    commands.add_parser("rehearsal", help="a whole migration; see docs/rehearsing.md for its variables")
    chosen = parser.parse_args(arguments)

    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "ERROR"), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("moto", "samtranslator"):
        # They report what a state machine catches, and what docs/local-aws.md names as missing.
        logging.getLogger(noisy).setLevel(os.environ.get("LOG_LEVEL", "CRITICAL"))
    # A terminated process must clean up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    console = Console()
    try:
        if chosen.command == "up":
            return _up(chosen, console)
        if chosen.command == "down":
            return _down(chosen.name, console)
        from local import rehearsal

        return rehearsal.main(console)
    except AlreadyRunning as error:
        console.print(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _up(chosen: argparse.Namespace, console: Console) -> int:
    # moto takes seconds to import, which `down` and `--help` need not wait for.
    from local import rehearsal
    from local.aws import LocalAws

    _clear(chosen.name)
    with LocalAws(chosen.name, chosen.region) as aws:
        parameters = dict(parameter.split("=", 1) for parameter in chosen.parameter)
        deployment = aws.deploy(chosen.template, parameters=parameters)
        console.print(rehearsal.exports(aws), markup=False, highlight=False, soft_wrap=True)
        for name, arn in {**deployment.outputs, **deployment.state_machines}.items():
            console.print(f"# {name}: {arn}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"# Stop it with Ctrl-C or `python -m local down --name {chosen.name}`.", highlight=False)
        threading.Event().wait()
    return 0


def _down(name: str, console: Console) -> int:
    state = RUNNING / name / "state.json"
    if not (RUNNING / name).exists():
        console.print(f"No local AWS called {name} runs here.")
        return 1
    pid = json.loads(state.read_text())["pid"] if state.is_file() else None
    if pid is not None and psutil.pid_exists(pid):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            time.sleep(0.2)
    _clear(name, force=True)
    console.print(f"{name} is gone.")
    return 0


def _clear(name: str, force: bool = False) -> None:
    """Removes what a local AWS that was killed has left behind.

    Raises:
        AlreadyRunning: it was not killed.
    """
    folder = RUNNING / name
    state = folder / "state.json"
    if state.is_file() and not force and psutil.pid_exists(json.loads(state.read_text())["pid"]):
        raise AlreadyRunning(f"A local AWS called {name} runs already; give another --name, or stop it with down.")
    processes.end(name)
    processes.end_postgres(folder / "postgres")
    shutil.rmtree(folder, ignore_errors=True)


def _interrupt() -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
