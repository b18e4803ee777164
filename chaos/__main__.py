"""`python -m chaos --seed N --runs M`, which `make chaos` calls: migrations in which something goes wrong.

They are between environments without a scheduler; with --real between real Airflows, with other faults for a seed.

Each call adds to build/chaos.json, and renews the table in docs/faults.md. The exit code is 1 if a rule was broken;
then the rule, the faults, and the command that repeats the migration are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from chaos import faults, faults_page, real_kinds
from chaos.real_world import RealWorld
from chaos.run import Outcome, migrate
from chaos.world import World, world
from local.aws import process_setup
from local.installations.folders import ROOT

KEPT = ROOT / "build" / "chaos.json"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first migration's; the others have those after it")
    parser.add_argument("--runs", type=int, default=20, help="the number of migrations")
    parser.add_argument("--out", type=Path, default=KEPT, help="the file that keeps the outcomes")
    parser.add_argument("--real", action="store_true", help="on real Airflow, where a migration takes minutes")
    options = parser.parse_args(arguments)
    console = Console()
    broken = 0
    kinds = real_kinds.REAL_KINDS if options.real else faults.KINDS
    with world(RealWorld if options.real else World) as here:
        for seed in range(options.seed, options.seed + options.runs):
            way = real_kinds.way(seed) if options.real else faults.way(seed)
            outcome = migrate(here, f"s{seed}", faults.plan(seed, kinds), way)
            keep(options.out, f"{faults_page.REAL if options.real else ''}{seed}", outcome)
            mark = "[bold red]BROKEN[/]" if outcome.broken else "[green]fine[/]"
            console.print(f"{seed:>5}  {mark}  {outcome.status}  {outcome.seconds:.0f} s", highlight=False)
            for line in outcome.faults:
                console.print(f"         {line}", markup=False, highlight=False)
            if outcome.error:
                console.print(f"         ended with {outcome.error}", markup=False, highlight=False, soft_wrap=True)
            for line in outcome.broken:
                console.print(f"         {line}", style="red", markup=False, soft_wrap=True)
            if outcome.broken:
                broken += 1
                console.print(
                    f"         again: make chaos {'REAL=1 ' if options.real else ''}SEED={seed} RUNS=1", markup=False
                )
    if options.out == KEPT:
        faults_page.write(json.loads(KEPT.read_text(encoding="utf-8")))
    console.print(f"{options.runs} migrations, {broken} broke a rule")
    return 1 if broken else 0


def keep(file: Path, key: str, outcome: Outcome) -> None:
    """Adds an outcome to the file, in order of seeds, those on real Airflow last; replaces one of the same key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept[key] = outcome.as_dict()
    ordered = sorted(kept.items(), key=lambda item: (item[0].startswith(faults_page.REAL), int(item[0].split("-")[-1])))
    file.write_text(json.dumps(dict(ordered), indent=1) + "\n")


if __name__ == "__main__":
    process_setup.silence_expected_errors()
    process_setup.interrupt_on_sigterm()
    sys.exit(main())
