"""Which DAGs are paused, and where their schedules stand: read in the source, applied in the target.

A DAG that the target has not parsed yet gets a row that says no more than its name and its pause state; Airflow keeps
the state when it parses the DAG. Our own DAGs are never touched.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import OWN_DAGS
from mwaa_migrator.postgres.catalog import qualified, read_tables
from mwaa_migrator.postgres.session import execute, fetch_all, identifiers

KEEP = "keep"
SOURCE = "source"
ALL_PAUSED = "all-paused"
CHOICES = (KEEP, SOURCE, ALL_PAUSED)


def apply_pause_states(connection: Any, scratch: str, schema: str, choice: str) -> dict[str, Any]:
    """Give the target's DAGs the states that ``choice`` asks for.

    Returns ``{"changed": n, "active": n, "not_parsed": [DAG ids]}``: the DAGs whose state was changed, those that are
    active afterwards among the source's, and those that the target has not parsed.
    """
    if choice == KEEP:
        return {"changed": 0, "not_parsed": []}
    paused = sql.SQL("true") if choice == ALL_PAUSED else sql.SQL("s.is_paused")
    source, target = qualified(scratch, "dag"), qualified(schema, "dag")
    ours = sql.SQL("s.dag_id not in ({})").format(sql.SQL(", ").join([sql.Literal(dag) for dag in OWN_DAGS]))
    changed = execute(
        connection,
        sql.SQL(
            "update {target} d set is_paused = {paused} from {source} s "
            "where d.dag_id = s.dag_id and {ours} and d.is_paused is distinct from {paused}"
        ).format(target=target, source=source, paused=paused, ours=ours),
    )
    values: list[sql.Composable] = []
    columns = read_tables(connection, schema)["dag"].column_names
    for column in columns:
        # Not active is how Airflow marks a DAG whose file it has not seen; parsing the file makes it active.
        special = {"is_active": sql.SQL("false"), "is_paused": paused, "pickle_id": sql.SQL("null")}
        values.append(special.get(column, sql.SQL("s.") + sql.Identifier(column)))
    not_parsed = fetch_all(
        connection,
        sql.SQL(
            "insert into {} ({}) select {} from {} s where {} and s.is_active "
            "and not exists (select 1 from {} d where d.dag_id = s.dag_id) order by s.dag_id returning dag_id"
        ).format(target, identifiers(columns), sql.SQL(", ").join(values), source, ours, target),
    )
    return {"changed": changed + len(not_parsed), "not_parsed": sorted(dag for (dag,) in not_parsed)}


#: Where Airflow's scheduler stands with a DAG (airflow.models.dag.DagModel); sources before 2.0 have none of them.
_SCHEDULE_COLUMNS = (
    "next_dagrun",
    "next_dagrun_create_after",
    "next_dagrun_data_interval_start",
    "next_dagrun_data_interval_end",
)


def carry_schedules(connection: Any, scratch: str, schema: str) -> int:
    """Let the target's scheduler go on where the source's stood, and return for how many DAGs.

    The target worked out the next run of each DAG when it parsed them and had no history; it does so again at the next
    parsing, but a DAG may be unpaused before that.
    """
    target = read_tables(connection, schema)["dag"].column_names
    columns = [column for column in _SCHEDULE_COLUMNS if column in target]
    return execute(
        connection,
        sql.SQL(
            "update {} d set {} from {} s where d.dag_id = s.dag_id and s.next_dagrun is not null and d.is_active"
        ).format(
            qualified(schema, "dag"),
            sql.SQL(", ").join([sql.SQL("{0} = s.{0}").format(sql.Identifier(column)) for column in columns]),
            qualified(scratch, "dag"),
        ),
    )


def active_dags(connection: Any, schema: str) -> list[str]:
    """The DAGs that are not paused, our own left out."""
    query = sql.SQL("select dag_id from {} where not is_paused and not (dag_id = any(%s)) order by 1")
    return [dag for (dag,) in fetch_all(connection, query.format(qualified(schema, "dag")), (list(OWN_DAGS),))]


def set_paused(connection: Any, schema: str, dags: list[str], paused: bool) -> int:
    """Returns how many DAGs changed; commits."""
    query = sql.SQL("update {} set is_paused = %s where dag_id = any(%s) and is_paused is distinct from %s")
    changed = execute(connection, query.format(qualified(schema, "dag")), (paused, dags, paused))
    connection.commit()
    return changed


def running_tasks(connection: Any, schema: str) -> int:
    """Task instances that an executor holds or will hold, our own DAGs' left out."""
    query = sql.SQL("select count(*) from {} where state = any(%s) and not (dag_id = any(%s))")
    states = ["queued", "running", "restarting", "shutdown"]
    ((count,),) = fetch_all(connection, query.format(qualified(schema, "task_instance")), (states, list(OWN_DAGS)))
    connection.commit()
    return int(count)
