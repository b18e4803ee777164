"""What has to be done with Airflow's own API, so by the source's own Python (3.7 at the oldest).

    <Airflow's python> in_airflow.py <command>

Commands: `settings` makes pools, variables and connections; `trigger` starts the manual runs;
`xcoms <DAG id> <run id>` prints {(task_id, key, map_index): value} of a run, pickled, in base64.
"""

from __future__ import annotations

import base64
import datetime
import os
import pickle
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["AIRFLOW_HOME"], "dags")))

from airflow import __version__, models, settings
from contents import CONFS, TEXTS, manual_runs

VERSION = tuple(int(part) for part in re.findall(r"\d+", __version__)[:3])


def make_settings():
    session = settings.Session()
    deferred = {"include_deferred": True} if VERSION >= (2, 7) else {}
    session.add(models.Pool(pool="one slot", slots=1, description="for 'unfinished'", **deferred))
    session.add(models.Pool(pool="Ünïcödé pool", slots=7, description=None, **deferred))
    for name, text in TEXTS.items():
        variable = models.Variable(key="text_" + name)
        variable.set_val(text)
        session.add(variable)
    session.add(
        models.Connection(
            conn_id="warehouse",
            conn_type="postgres",
            host="warehouse.example.com",
            login="loader",
            password=TEXTS["quotes"],
            schema="public",
            port=5439,
            extra='{"sslmode": "require", "note": "line\\nbreak \\u00fc"}',
        )
    )
    session.add(models.Connection(conn_id="no_secrets", conn_type="http", host="example.com"))
    session.add(models.Connection(conn_id="password_only", conn_type="http", password=TEXTS["beyond_ascii"]))
    session.commit()


def trigger():
    if VERSION >= (2, 4):
        from airflow.api.common.trigger_dag import trigger_dag
    else:
        from airflow.api.common.experimental.trigger_dag import trigger_dag

    # Until 2.6 a run's id was any text.
    own_id = 'ad hoc: Müller\'s "re-run" 2/2' if VERSION < (2, 6) else "ad-hoc_2"
    for dag_id, count in manual_runs(VERSION).items():
        for number in range(count):
            date = datetime.datetime(2024, 2, 28 + number, 23, 59, 59, 123456, tzinfo=datetime.timezone.utc)
            run_id = own_id if number else "manual__" + date.isoformat()
            trigger_dag(
                dag_id=dag_id, run_id=run_id, conf=CONFS[number], execution_date=date, replace_microseconds=False
            )


def print_xcoms(dag_id, run_id):
    session = settings.Session()
    run = session.query(models.DagRun).filter_by(dag_id=dag_id, run_id=run_id).one()
    of_run = {"run_id": run_id} if VERSION >= (2, 3) else {"execution_date": run.execution_date}
    values = {}
    for xcom in session.query(models.XCom).filter_by(dag_id=dag_id, **of_run):
        values[xcom.task_id, xcom.key, getattr(xcom, "map_index", -1)] = xcom.value
    sys.stdout.write("\n" + base64.b64encode(pickle.dumps(values, protocol=4)).decode() + "\n")


if __name__ == "__main__":
    {"settings": make_settings, "trigger": trigger, "xcoms": print_xcoms}[sys.argv[1]](*sys.argv[2:])
