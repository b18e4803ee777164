-- Rows for the schema of Airflow 1.10.12, where a task instance knows its run by the execution date only.
-- Parameters as in rows_2_10.sql.

create temporary table filled on commit drop as
select d, r, (d - 1) * %(runs)s + r as n, %(world)s || '_dag_' || d as dag_id, 'scheduled__' || d || '_' || r as run_id,
       date_trunc('day', now()) - (%(runs)s - r) * interval '1 day' + d * interval '1 minute' as at
  from generate_series(1, %(dags)s) d, generate_series(1, %(runs)s) r;

insert into job (dag_id, state, job_type, start_date, end_date, latest_heartbeat, executor_class, hostname, unixname)
select dag_id, 'success', 'LocalTaskJob', at, at, at, 'LocalExecutor', %(world)s || '-host-' || n, 'airflow'
  from filled order by n;

insert into dag (dag_id, is_paused, is_active, is_subdag, fileloc, owners, schedule_interval)
select %(world)s || '_dag_' || d, d %% 2 = 0, true, false, '/dags/' || d || '.py', 'team', '"@daily"'
  from generate_series(1, %(dags)s) d;

insert into dag_run (dag_id, run_id, execution_date, start_date, end_date, state, external_trigger, conf)
select dag_id, run_id, at, at, at + interval '2 minutes', 'success', false, null from filled order by n;

insert into task_instance (task_id, dag_id, execution_date, start_date, end_date, duration, state, try_number, hostname,
                           unixname, job_id, pool, queue, priority_weight, operator, max_tries, pool_slots)
select t.task_id, f.dag_id, f.at, f.at, f.at, 1.5, 'success', 1, j.hostname, 'airflow', j.id, 'default_pool', 'default',
       1, 'BashOperator', 0, 1
  from filled f cross join (values ('extract'), ('load')) t(task_id) join job j on j.hostname = %(world)s || '-host-' || f.n;

insert into xcom (key, value, timestamp, execution_date, task_id, dag_id)
select 'return_value', decode('80035806000000c3a47c0a5c2e71002e', 'hex'), at, at, 'extract', dag_id from filled;

insert into task_fail (task_id, dag_id, execution_date, start_date, end_date, duration)
select 'load', dag_id, at, at, at, 2 from filled where r %% 2 = 0;

insert into task_reschedule (task_id, dag_id, execution_date, try_number, start_date, end_date, duration, reschedule_date)
select 'load', dag_id, at, 1, at, at, 3, at from filled where r %% 3 = 0;

insert into rendered_task_instance_fields (dag_id, task_id, execution_date, rendered_fields)
select dag_id, 'extract', at, '{"command": "a\nb"}' from filled;

insert into log (dttm, dag_id, task_id, event, execution_date, owner, extra)
select at, dag_id, 'load', 'success', at, 'team', E'a\tb\n\\.' from filled;

insert into sla_miss (task_id, dag_id, execution_date, email_sent, timestamp, description, notification_sent)
select 'load', dag_id, at, true, at, '', null from filled where r %% 2 = 0;

insert into slot_pool (pool, slots, description) values (%(world)s || '_pool', 3, '');
