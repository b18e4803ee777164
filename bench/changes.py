"""What a source that works on does to the workload's rows.

Of a thousand runs ten change: of seven the tasks were cleared and have run again, two were copied as new runs, and one
was deleted. Each leaves events and jobs, as a run does.
"""

from __future__ import annotations

from string import Template
from typing import Any

from bench.workload import JOBS_PER_RUN, LOG_ROWS_PER_RUN

# Each round takes other runs, by their numbers. A new run is a hundred years later than the one that it copies.
_STATEMENTS = (
    """
    create temporary table changed on commit drop as
    select id, dag_id, run_id, id % 1000 - 10 * $round as way
      from dag_run
     where id % 1000 >= 10 * $round and id % 1000 < 10 * $round + 10
    """,
    "delete from dag_run r using changed c where r.id = c.id and way = 0",
    """
    update task_instance t
       set try_number = 2, state = 'success', end_date = t.end_date + interval '1 hour', updated_at = now()
      from changed c
     where (t.dag_id, t.run_id) = (c.dag_id, c.run_id) and way > 2
    """,
    """
    update xcom x set value = convert_to('{"rows": -1}', 'UTF8'), timestamp = now()
      from changed c
     where x.dag_run_id = c.id and way > 2
    """,
    """
    update dag_run r set state = 'success', end_date = r.end_date + interval '1 hour', updated_at = now()
      from changed c
     where r.id = c.id and way > 2
    """,
    """
    insert into dag_run (dag_id, run_id, run_type, state, external_trigger, clear_number, log_template_id,
                         execution_date, data_interval_start, data_interval_end, start_date, end_date, updated_at)
    select r.dag_id, 'new__' || r.run_id, run_type, state, external_trigger, 0, log_template_id,
           execution_date + interval '100 years', data_interval_start, data_interval_end, start_date, end_date, now()
      from dag_run r join changed c using (id)
     where way in (1, 2)
    """,
    """
    insert into task_instance (dag_id, run_id, task_id, map_index, state, try_number, max_tries, start_date, end_date,
                               pool, pool_slots, updated_at)
    select t.dag_id, 'new__' || t.run_id, task_id, map_index, state, try_number, max_tries, start_date, end_date,
           pool, pool_slots, now()
      from task_instance t join changed c using (dag_id, run_id)
     where way in (1, 2)
    """,
    """
    insert into log (dttm, dag_id, task_id, map_index, event, run_id, owner)
    select now(), dag_id, 'task_' || task, -1, 'success', run_id, 'airflow'
      from changed, generate_series(1, $log_rows) as task
    """,
    """
    insert into job (dag_id, state, job_type, start_date, end_date, latest_heartbeat, hostname, unixname)
    select dag_id, 'success', 'LocalTaskJob', now(), now(), now(), 'ip-10', 'airflow'
      from changed, generate_series(1, $jobs)
    """,
)


def change_runs(connection: Any, round_: int) -> int:
    """Commits a round of changes, `round_` from 0 to 99; returns how many runs have changed."""
    numbers = {"round": round_, "log_rows": LOG_ROWS_PER_RUN, "jobs": JOBS_PER_RUN}
    with connection.cursor() as cursor:
        for statement in _STATEMENTS:
            cursor.execute(Template(statement).substitute(numbers))
        cursor.execute("select count(*) from changed")
        ((runs,),) = cursor.fetchall()
    connection.commit()
    return int(runs)
