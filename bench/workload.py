"""The workload: an Airflow 2.10.3 metadata database with the history of a busy year, made by SQL.

At scale 1 it has 20,000 runs of 200 DAGs, 1,000,000 task instances, 300,000 XComs, 500,000 log rows, 200,000 jobs and
52,630 task failures, with values as wide as production's. Rows follow from their numbers, so every run of the
benchmark sees the same ones.
"""

from __future__ import annotations

from string import Template
from typing import Any

#: Airflow's version whose tables the statements fill.
AIRFLOW_VERSION = "2.10.3"

#: The tables with rows, parents first.
TABLES = ("dag_run", "task_instance", "xcom", "task_fail", "log", "job")

RUNS = 20_000
DAGS = 200
TASKS_PER_RUN = 50
XCOMS_PER_RUN = 15
LOG_ROWS_PER_RUN = 25
JOBS_PER_RUN = 10

# Each DAG runs once an hour. `run` is a run's number, which is its id as well where the table was empty.
_DAG_RUNS = """
    insert into dag_run (dag_id, run_id, run_type, state, conf, external_trigger, clear_number, log_template_id,
                         execution_date, data_interval_start, data_interval_end, queued_at, start_date, end_date,
                         last_scheduling_decision, updated_at, dag_hash)
    select 'dag_' || run % $dags,
           'scheduled__' || to_char(hour, 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00',
           'scheduled',
           case when run % 17 = 0 then 'failed' else 'success' end,
           case when run % 10 = 0 then decode('80057d942e', 'hex') end,
           false, 0, template, hour, hour, hour + interval '1 hour', hour, hour, hour + interval '5 min', hour, hour,
           md5(run::text)
      from generate_series(1, $runs) as run,
           lateral (select timestamptz '2024-01-01 00:00+00' + (run - 1) / $dags * interval '1 hour') as at (hour),
           (select max(id) from log_template) as newest (template)
     order by run
"""

_TASK_INSTANCES = """
    insert into task_instance (dag_id, run_id, task_id, map_index, state, try_number, max_tries, start_date, end_date,
                               duration, hostname, unixname, job_id, queued_by_job_id, pool, pool_slots, queue,
                               priority_weight, operator, queued_dttm, pid, executor_config, updated_at,
                               external_executor_id, task_display_name)
    select dag_id, run_id, name, -1,
           case when (id + task) % 19 = 0 then 'failed' else 'success' end,
           1, 0, start_date, end_date, task * 12.5, 'ip-10-0-' || id % 255 || '.ec2.internal', 'airflow', number, id,
           'default_pool', 1, 'default', 1, 'PythonOperator', start_date, 1234, decode('80057d942e', 'hex'), end_date,
           md5(number::text), name
      from dag_run,
           generate_series(1, $tasks) as task,
           lateral (select 'task_' || task, id * $tasks + task) as of_task (name, number)
     order by id, task
"""

# The value has a backslash and quotes, which every text format has to escape.
_XCOMS = r"""
    insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
    select id, dag_id, run_id, 'task_' || task, -1, 'return_value',
           convert_to(format('{"rows": %s, "path": "s3://bucket/prefix/%s", "note": "multi\nline | \"q\""}',
                             id * task, md5((id * task)::text)), 'UTF8'),
           end_date
      from dag_run, generate_series(1, $xcoms) as task
     order by id, task
"""

_TASK_FAILURES = """
    insert into task_fail (dag_id, run_id, task_id, map_index, start_date, end_date, duration)
    select dag_id, run_id, task_id, map_index, start_date, end_date, duration
      from task_instance
     where state = 'failed'
"""

_LOG_ROWS = """
    insert into log (dttm, dag_id, task_id, map_index, event, execution_date, run_id, owner, extra)
    select start_date, dag_id, 'task_' || task, -1, 'success', execution_date, run_id, 'airflow',
           '{"host_name": "ip-10-0-0-1", "full_command": "[''airflow'', ''tasks'', ''run'']"}'
      from dag_run, generate_series(1, $log_rows) as task
     order by id, task
"""

_JOBS = """
    insert into job (dag_id, state, job_type, start_date, end_date, latest_heartbeat, executor_class, hostname,
                     unixname)
    select dag_id, 'success', 'LocalTaskJob', start_date, end_date, end_date, 'CeleryExecutor', 'ip-10', 'airflow'
      from dag_run, generate_series(1, $jobs)
     order by id
"""


def runs_at(scale: float, dags: int = DAGS) -> int:
    """The number of runs at a scale: a tenth of the rows at 0.1, and at least one run of each DAG."""
    return max(dags, round(RUNS * scale))


def fill(connection: Any, scale: float = 1.0, dags: int = DAGS) -> None:
    """Fills the empty tables of Airflow 2.10.3, or of another version with the same columns, and analyzes them."""
    numbers = {
        "runs": runs_at(scale, dags),
        "dags": dags,
        "tasks": TASKS_PER_RUN,
        "xcoms": XCOMS_PER_RUN,
        "log_rows": LOG_ROWS_PER_RUN,
        "jobs": JOBS_PER_RUN,
    }
    with connection.cursor() as cursor:
        for statement in (_DAG_RUNS, _TASK_INSTANCES, _XCOMS, _TASK_FAILURES, _LOG_ROWS, _JOBS):
            cursor.execute(Template(statement).substitute(numbers))
        cursor.execute("analyze")
    connection.commit()
