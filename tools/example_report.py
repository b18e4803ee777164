"""A report as a large deployment's would be, made by code: for tests, the benchmark and the pictures in the docs."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

_TIME = datetime(2026, 11, 22, 5, 58, 3, tzinfo=UTC)
_ROWS = {
    "task_instance": 1_000_000,
    "log": 500_000,
    "rendered_task_instance_fields": 412_377,
    "xcom": 300_000,
    "job": 200_000,
    "task_fail": 52_630,
    "task_reschedule": 31_204,
    "dag_run": 20_000,
    "task_instance_history": 11_846,
    "dataset_event": 4_310,
    "dagrun_dataset_event": 3_902,
    "task_map": 1_875,
    "variable": 214,
    "connection": 63,
    "dataset": 58,
    "sla_miss": 41,
    "slot_pool": 12,
    "dag_run_note": 9,
    "log_template": 3,
}
_EMPTY = ("callback_request", "dataset_alias", "dataset_dag_run_queue", "task_instance_note", "trigger")
_PHASES = (
    ("plan", 2.1),
    ("create target", 1624.0),
    ("stage resources", 96.4),
    ("copy logs early", 608.3),
    ("export", 148.2),
    ("import", 401.7),
    ("verify", 94.9),
    ("hop to 3.2.1", 1312.5),
    ("copy logs", 54.2),
)
_WORK = ("load", "export", "sync", "clean", "report", "score", "train", "archive")
_SUBJECTS = ("orders", "customers", "invoices", "clicks", "stock", "returns", "payments", "shipments", "prices")
_TRACE = """Traceback (most recent call last):
  File "/usr/local/airflow/dags/{file}", line {line}, in <module>
    from airflow.operators.subdag import SubDagOperator
ModuleNotFoundError: No module named 'airflow.operators.subdag'"""


def example(dags: int = 214, tables: int = len(_ROWS) + len(_EMPTY), seed: int = 7) -> dict[str, Any]:
    """A rehearsal that passed with warnings: `dags` DAGs of which one in thirty has findings, `tables` tables."""
    chance = random.Random(seed)
    phases, at = [], _TIME - timedelta(seconds=sum(seconds for _, seconds in _PHASES) + 240)
    for name, seconds in _PHASES:
        phases.append({"name": name, "started": _iso(at), "seconds": seconds})
        at += timedelta(seconds=seconds + 30)
    events = 18_204_551
    return {
        "status": "SUCCEEDED",
        "migration_id": "prod-3-rehearsal-4f7c21ab90",
        "attempt": 1,
        "mode": "rehearse",
        "time": _iso(_TIME),
        "source": {"environment": "prod-2-10", "region": "eu-west-1", "airflow_version": "2.10.3"},
        "target": {"environment": "prod-3-rehearsal", "region": "eu-west-1", "airflow_version": "3.2.1"},
        "path": ["2.10.3", "2.11.2", "3.2.1"],
        "artifact": "s3://mwaa-migrator-exchange/artifacts/prod-3-rehearsal-4f7c21ab90",
        "failure": None,
        "roll_back_failure": None,
        "phases": phases,
        "downtime_seconds": 1463.2,
        "environment_class": "mw1.medium",
        "environment_class_on_the_day": "mw1.large",
        "price_usd": 0.94,
        "price_on_the_day_usd": 1.26,
        "price_basis": "1.27 hours of mw1.medium in eu-west-1 at 0.74 USD an hour. The real target "
        "(mw1.large) costs 0.99 USD an hour, probably for fewer hours. Not included: workers, schedulers and web "
        "servers beyond those of the class's price, the database's storage, logs and S3; nor the source, which costs "
        "what it did before.",
        "tables": dict(sorted(_tables(tables, chance).items())),
        "verified": True,
        "unfinished": {"dag_runs": 3, "task_instances": 11},
        "logs": {
            "streams": 241_377,
            "events_source": events,
            "events_copied": events - 6_113_208,
            "events_archived": 6_113_208,
            "events_lost": 0,
        },
        "dags": {"source": dags, "parsed_in_target": dags - max(dags // 100, 1), "import_errors": []},
        "checks": _checks(dags, chance),
        "rehearsals": _rehearsals(chance),
        "notes": [
            f"The target is mw1.medium, the smallest class for the source's {dags} DAGs and our 3; the source is "
            "mw1.large. Set options.rehearsalClass to source to have one as large as that.",
            "core.dag_concurrency is now core.max_active_tasks_per_dag.",
            "webserver.secret_key is now api.secret_key.",
            "core.check_slas was removed from Airflow and left out. The SLA feature is removed in Airflow 3.0.",
        ],
    }


def _tables(number: int, chance: random.Random) -> dict[str, dict[str, Any]]:
    names = [*_ROWS, *_EMPTY]
    names += [f"provider_table_{index}" for index in range(len(names), number)]
    found = {}
    for name in names[:number]:
        rows = _ROWS.get(name, 0 if name in _EMPTY else 17)
        kept = {"slot_pool": 1, "log_template": 2}.get(name, 0)
        aside = 12 if name == "xcom" else 0
        checksum = str(chance.randrange(-(10**19), 10**19)) if rows else "0"
        found[name] = {
            "exported": rows,
            "merged": rows - kept - aside,
            "kept": kept,
            "set_aside": aside,
            "checksum_source": checksum,
            "checksum_target": checksum,
            "match": True,
        }
    return found


def _checks(dags: int, chance: random.Random) -> list[dict[str, Any]]:
    broken = [_file(index) for index in range(0, dags, 107)][: max(dags // 100, 1)]
    old = [_file(index) for index in range(0, dags, 30)]
    return [
        {
            "name": f"{len(broken)} DAG files cannot be imported"
            if len(broken) > 1
            else "A DAG file cannot be imported",
            "result": "warn",
            "message": "Airflow 3.2.1 has no airflow.operators.subdag.",
            "remedy": "Replace SubDagOperator by a task group; the DAGs in these files do not run until then.",
            "findings": [
                {"file": file, "line": line, "detail": _TRACE.format(file=file, line=line)}
                for file, line in ((file, chance.randrange(3, 30)) for file in broken)
            ],
        },
        {
            "name": "Deprecated in Airflow 3",
            "result": "warn",
            "message": f"In {len(old)} places of {len(old)} files the DAGs use what Airflow 3 still has, but has "
            "deprecated.",
            "remedy": "They work after the migration; change them before the next one.",
            "findings": [
                {
                    "dag": file.removesuffix(".py").rsplit("/", 1)[-1],
                    "file": file,
                    "line": chance.randrange(8, 90),
                    "message": "`airflow.operators.python.PythonOperator` is deprecated and moved into `standard` "
                    "provider in Airflow 3.0 (AIR312)",
                    "remedy": "Use `PythonOperator` from `airflow.providers.standard.operators.python` instead.",
                }
                for file in old
            ],
        },
        {"name": "Python syntax", "result": "pass", "message": f"{dags} files read, each is valid Python 3.12."},
        {
            "name": "Removed in Airflow 3",
            "result": "pass",
            "message": "The DAGs use nothing that Airflow 3.2.1 has removed.",
        },
        {
            "name": "Installation of the requirements",
            "result": "pass",
            "message": "No error in 3 logs of the installation.",
        },
        {
            "name": "Airflow options",
            "result": "pass",
            "message": "14 options set, and none unknown to Airflow 3.2.1.",
        },
        {
            "name": "Smoke test",
            "result": "pass",
            "message": "12 of 12 DAGs ended as their last runs in the source did.",
        },
        {"name": "Logs", "result": "pass", "message": "Each of 241,377 streams has the events of the source."},
    ]


def _file(index: int) -> str:
    subject, work = _SUBJECTS[index % len(_SUBJECTS)], _WORK[index // len(_SUBJECTS) % len(_WORK)]
    return f"{subject}/{work}_{subject}_{index}.py"


def _rehearsals(chance: random.Random) -> list[dict[str, Any]]:
    """Weekly, from a failing start to a downtime that stays."""
    seconds = (4110, 3900, 3270, 3320, 2790, 2450, 2380, 2140, 2090)
    verdicts = ("fail", "fail", "warn", "fail", "warn", "warn", "pass", "warn", "warn")
    return [
        {
            "time": _iso(_TIME - timedelta(weeks=len(seconds) - index, minutes=chance.randrange(40))),
            "migration_id": f"prod-3-rehearsal-{index}",
            "verdict": verdict,
            "downtime_seconds": float(downtime),
            "environment_class": "mw1.medium",
        }
        for index, (downtime, verdict) in enumerate(zip(seconds, verdicts, strict=True))
    ]


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")
