"""A DAG that doctor puts into an environment's DAG folder, and takes back: what a task of a migration would find there.

Its one run is triggered with conf {"bucket": ..., "key": ..., "idleSeconds": [...]}, and leaves its answers there.
It needs only the engine's ways_in.py, which doctor puts beside it as mwaa_migrator_doctor_ways.py, and runs in any
Airflow from 1.10.12 on, so in Python 3.7, too.
"""

from __future__ import annotations

import datetime
import json
import time
from typing import Any, Dict, List, Tuple

SCHEMA = "mwaa_migrator_doctor"


def connect() -> Tuple[Dict[str, Any], Dict[str, str]]:
    """The ways into the metadata database: functions that connect, and what keeps the other ways closed, by name."""
    from mwaa_migrator_doctor_ways import WAYS  # type: ignore[import-not-found]

    ways: Dict[str, Any] = {"Airflow's engine": _by_engine, **{way.name: way.connect for way in WAYS}}
    closed = {name: reason for name, reason in ((name, _refusal(way)) for name, way in ways.items()) if reason}
    return {name: way for name, way in ways.items() if name not in closed}, closed


def _refusal(way: Any) -> str:
    """Why a way is closed, without a value; empty if it is open."""
    import psycopg2
    from mwaa_migrator_doctor_ways import Unusable

    try:
        way().close()
    except Unusable as unusable:
        return str(unusable)
    # A task of 3.x has no engine, or one that refuses. What that says may have a password in it.
    except (AttributeError, ImportError, RuntimeError, psycopg2.Error) as error:
        return type(error).__name__
    return ""


def _by_engine() -> Any:
    """Airflow 2.x; a task of 3.x has no engine."""
    from airflow import settings  # type: ignore[import-not-found]
    from sqlalchemy.exc import SQLAlchemyError  # type: ignore[import-not-found]

    try:
        pooled = settings.engine.pool.recreate().connect()
    except SQLAlchemyError as error:
        raise RuntimeError(str(error)) from error
    raw = getattr(pooled, "driver_connection", None) or pooled.connection
    pooled.detach()
    return raw


def who(connection: Any) -> Dict[str, Any]:
    """The role in the database, and what it may do with Airflow's tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_user::text, pg_get_userbyid(relowner)::text,"
            " pg_has_role(relowner, 'member'), has_table_privilege(oid, 'select, insert, update, delete')"
            " from pg_class where oid = to_regclass('dag_run')"
        )
        user, owner, is_member, may_write = cursor.fetchone()
        cursor.execute("select version()")
        version = cursor.fetchone()[0].split(" on ")[0]
    connection.rollback()
    return {"user": user, "owner": owner, "isMember": is_member, "mayWrite": may_write, "server": version}


def create_schema(connection: Any) -> str:
    """Creates a schema, and takes it back. Returns what the database says against it, or nothing."""
    import psycopg2

    try:
        with connection.cursor() as cursor:
            cursor.execute("create schema " + SCHEMA)
    except psycopg2.Error as error:
        return str(error).strip()
    finally:
        connection.rollback()
    return ""


def idle(way: Any, seconds: List[float]) -> float:
    """The longest of these times that an idle connection has lived; 0 if none."""
    import psycopg2

    started = time.monotonic()
    connections = [(limit, way()) for limit in sorted(seconds)]
    lived = 0.0
    for limit, connection in connections:
        time.sleep(max(0.0, limit - (time.monotonic() - started)))
        try:
            with connection.cursor() as cursor:
                cursor.execute("select 1")
        except psycopg2.Error:
            break
        lived = limit
    for _, connection in connections:
        connection.close()
    return lived


def answers(idle_seconds: List[float]) -> Dict[str, Any]:
    """All that is asked of the database."""
    ways, closed = connect()
    found: Dict[str, Any] = {"waysIn": sorted(ways), "closed": closed}
    for way in list(ways.values())[:1]:
        connection = way()
        found.update(who=who(connection), schemaRefusal=create_schema(connection))
        connection.close()
        found["idleSeconds"] = idle(way, idle_seconds)
    return found


def probe(**context: Any) -> None:
    """The task."""
    import boto3
    from botocore.config import Config

    conf = context["dag_run"].conf
    # No retries: an exchange bucket that cannot be reached is an answer, too.
    s3 = boto3.client("s3", config=Config(connect_timeout=10, retries={"max_attempts": 1}))
    s3.put_object(Bucket=conf["bucket"], Key=conf["key"], Body=json.dumps(answers(conf["idleSeconds"])).encode())


def make_dag(of_airflow: Any) -> Any:
    """The DAG, of Airflow's class."""
    arguments = {
        "dag_id": "mwaa_migrator_doctor",
        "description": "What a task of a migration would find here",
        "start_date": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        "catchup": False,
        "is_paused_upon_creation": False,
        "default_args": {
            "owner": "mwaa-migrator",
            # As a migration's own tasks have it: a worker whose folder is behind the scheduler's fails a task at once.
            "retries": 3,
            "retry_delay": datetime.timedelta(seconds=30),
            "execution_timeout": None,
            "priority_weight": 1000,
        },
        "tags": ["mwaa-migrator"],
    }
    try:
        made = of_airflow(schedule=None, **arguments)
    except TypeError:
        # Before Airflow 2.4 the argument has another name.
        made = of_airflow(schedule_interval=None, **arguments)
    try:
        from airflow.operators.python import PythonOperator  # type: ignore[import-not-found]
    except ImportError:
        # Airflow 1.10 has it in another module, and hands over the context only if asked to.
        from airflow.operators.python_operator import PythonOperator  # type: ignore[import-not-found]

        PythonOperator(task_id="probe", python_callable=probe, provide_context=True, dag=made)
    else:
        PythonOperator(task_id="probe", python_callable=probe, dag=made)
    return made


try:
    from airflow import DAG
except ImportError:
    # Tests call the functions where there is no Airflow.
    pass
else:
    dag = make_dag(DAG)
