-- Rows in every table that an export takes, for the schema of Airflow 2.10 and 2.11.
-- Parameters: world (a prefix of every name, so that two fills never meet), dags, runs (per DAG, one a day until today).
-- A row that refers to another one also holds that one's name, so that a test can see whether it still points there:
--   task_instance.hostname, task_instance_history.hostname   the job_id's job (job.hostname)
--   task_instance.unixname, task_instance_history.unixname   the queued_by_job_id's job
--   task_instance.next_method                                the trigger_id's trigger (trigger.classpath)
--   task_instance_history.next_method                        the trigger_id's trigger
--   dag_run.dag_hash                                         the creating_job_id's job
--   trigger.classpath                                        ends with the triggerer_id's job
--   dag_run_note.content                                     begins with the run_id of its run
--   dataset_event.extra                                      the URI of its dataset, the run_id of the run it caused
--   dag_run.run_id                                           which log template: custom__, none__ or standard__

create temporary table filled on commit drop as
select d, r, (d - 1) * %(runs)s + r as n,
       %(world)s || '_dag_' || d as dag_id,
       (array['custom', 'none', 'standard'])[r %% 3 + 1] || '__' || d || '_' || r as run_id,
       date_trunc('day', now()) - (%(runs)s - r) * interval '1 day' + d * interval '1 minute' as at,
       case when r = %(runs)s then 'running' when r %% 5 = 0 then 'failed' else 'success' end as state
  from generate_series(1, %(dags)s) d, generate_series(1, %(runs)s) r;

create temporary table odd on commit drop as
select n, text from unnest(array[
    E'\\.', E'a\n\\.\nb', E'tab\tline\nreturn\rback\\slash\\N', '', E'\\N', 'Grüße, 世界 🎈', E'"quoted" ''twice''',
    E'\x01 \x7f \b\f\v', 'null', repeat('long ', 180)
  ]) with ordinality u(text, n);

insert into log_template (filename, elasticsearch_id, created_at)
values (%(world)s || '/{{ ti.dag_id }}/{{ ti.run_id }}.log', '{dag_id}', now());

insert into job (dag_id, state, job_type, start_date, end_date, latest_heartbeat, executor_class, hostname, unixname)
select dag_id, 'success', 'LocalTaskJob', at, at + interval '1 minute', at + interval '1 minute', 'LocalExecutor',
       %(world)s || '-host-' || n, 'airflow' from filled order by n;

create temporary table filled_job on commit drop as
select f.n, j.id, j.hostname from filled f join job j on j.hostname = %(world)s || '-host-' || f.n;

insert into dag (dag_id, is_paused, is_active, is_subdag, fileloc, owners, schedule_interval, max_active_tasks,
                 max_active_runs, max_consecutive_failed_dag_runs, has_task_concurrency_limits, has_import_errors)
select %(world)s || '_dag_' || d, d %% 2 = 0, d %% 5 <> 0, false, '/dags/' || d || '.py', 'team', '"@daily"', 16,
       16, 0, false, false from generate_series(1, %(dags)s) d;

insert into dag_run (dag_id, run_id, execution_date, queued_at, start_date, end_date, state, external_trigger,
                     run_type, conf, data_interval_start, data_interval_end, last_scheduling_decision, updated_at,
                     clear_number, creating_job_id, dag_hash, log_template_id)
select f.dag_id, f.run_id, f.at, f.at, f.at, case when f.state <> 'running' then f.at + interval '2 minutes' end,
       f.state, f.n %% 2 = 0, 'scheduled', decode('80057d942e', 'hex'), f.at, f.at + interval '1 day', f.at, f.at, 0,
       j.id, j.hostname,
       case f.r %% 3 when 0 then (select max(id) from log_template)
                     when 2 then (select max(id) from log_template where filename like 'dag_id=%%') end
  from filled f join filled_job j using (n) order by f.n;

insert into trigger (classpath, kwargs, created_date, triggerer_id)
select %(world)s || '.trigger.' || f.n || '.' || j.hostname, '{}', f.at, j.id
  from filled f join filled_job j using (n) where f.r >= %(runs)s - 1 order by f.n;

insert into task_instance (dag_id, run_id, task_id, map_index, start_date, end_date, duration, state, try_number,
                           max_tries, hostname, unixname, job_id, queued_by_job_id, pool, pool_slots, queue,
                           priority_weight, operator, executor_config, updated_at, trigger_id, next_method, next_kwargs)
select f.dag_id, f.run_id, t.task_id, t.map_index, f.at, f.at + interval '1 minute', 60.5,
       case when f.state <> 'running' then f.state when t.task_id = 'wait' then 'deferred' else 'running' end,
       1 + f.n %% 3, 3, j.hostname, q.hostname, j.id, q.id, 'default_pool', 1, 'default',
       1, 'PythonOperator', decode('80057d942e', 'hex'), f.at, g.id, g.classpath,
       case when g.id is not null then '{"event": null}'::json end
  from filled f
  cross join (values ('extract', -1), ('wait', -1), ('load', 0), ('load', 1), ('load', 2)) t(task_id, map_index)
  join filled_job j using (n)
  join filled_job q on q.n = %(dags)s * %(runs)s + 1 - f.n
  left join trigger g on t.task_id = 'wait' and f.state = 'running' and g.classpath like %(world)s || '.trigger.' || f.n || '.%%';

insert into task_instance_history (dag_id, run_id, task_id, map_index, try_number, start_date, end_date, duration,
                                   state, max_tries, hostname, unixname, job_id, queued_by_job_id, pool, pool_slots,
                                   updated_at, trigger_id, next_method)
select f.dag_id, f.run_id, 'wait', -1, 1, f.at, f.at, 1.5, 'failed', 3, j.hostname, q.hostname, j.id, q.id,
       'default_pool', 1, f.at, g.id, g.classpath
  from filled f join filled_job j using (n) join filled_job q on q.n = %(dags)s * %(runs)s + 1 - f.n
  left join trigger g on g.classpath like %(world)s || '.trigger.' || f.n || '.%%'
 where f.r %% 2 = 0;

insert into task_fail (dag_id, run_id, task_id, map_index, start_date, end_date, duration)
select dag_id, run_id, 'load', 1, at, at + interval '3 seconds', 3 from filled where r %% 5 = 0;

insert into task_reschedule (dag_id, run_id, task_id, map_index, try_number, start_date, end_date, duration, reschedule_date)
select dag_id, run_id, 'wait', -1, 1, at + k * interval '1 minute', at + k * interval '1 minute', 5, at + k * interval '2 minutes'
  from filled, generate_series(1, 2) k where r %% 4 = 0;

insert into task_map (dag_id, run_id, task_id, map_index, length, keys)
select dag_id, run_id, 'extract', -1, 3, case when r %% 2 = 0 then '["a", "b", "c"]'::json end from filled;

insert into rendered_task_instance_fields (dag_id, run_id, task_id, map_index, rendered_fields, k8s_pod_yaml)
select dag_id, run_id, 'load', 0, json_build_object('command', odd.text), null
  from filled f join odd on odd.n = f.n %% 10 + 1;

insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
select r.id, f.dag_id, f.run_id, 'extract', -1, 'return_value',
       convert_to(to_json(odd.text)::text, 'UTF8'), f.at
  from filled f join dag_run r using (dag_id, run_id) join odd on odd.n = f.n %% 10 + 1
union all
select r.id, f.dag_id, f.run_id, 'load', k - 1, E'bytes\t' || k,
       case k when 1 then null when 2 then ''::bytea
              else (select string_agg(set_byte('\x00'::bytea, 0, b), ''::bytea order by b) from generate_series(0, 255) b) end, f.at
  from filled f join dag_run r using (dag_id, run_id), generate_series(1, 3) k;

insert into ab_user (id, first_name, last_name, username, email, password, active)
select coalesce(max(id), 0) + 100, 'A', 'B', %(world)s || '_author', %(world)s || '@example.com', '', true from ab_user;

insert into dag_run_note (dag_run_id, user_id, content, created_at, updated_at)
select r.id, case when f.r %% 2 = 0 then (select max(id) from ab_user) end, f.run_id || E'\n' || odd.text, f.at, f.at
  from filled f join dag_run r using (dag_id, run_id) join odd on odd.n = f.n %% 10 + 1 where f.r %% 3 = 0;

insert into task_instance_note (dag_id, run_id, task_id, map_index, user_id, content, created_at, updated_at)
select dag_id, run_id, 'load', 2, case when r %% 2 = 0 then (select max(id) from ab_user) end, odd.text, at, at
  from filled f join odd on odd.n = f.n %% 10 + 1 where r %% 4 = 0;

insert into log (dttm, dag_id, task_id, map_index, event, execution_date, run_id, owner, owner_display_name, extra, try_number)
select at, dag_id, 'load', k, 'success', at, run_id, 'team', 'Team', odd.text, 1
  from filled f join odd on odd.n = f.n %% 10 + 1, generate_series(0, 2) k
union all select null, null, null, null, %(world)s || ' cli', null, null, null, null, null, null from generate_series(1, 2)
union all select now() - interval '400 days', null, null, null, %(world)s || ' old', null, null, 'anne', null, '', null;

insert into sla_miss (task_id, dag_id, execution_date, email_sent, timestamp, description, notification_sent)
select 'load', dag_id, at, r %% 2 = 0, at, odd.text, null from filled f join odd on odd.n = f.n %% 10 + 1 where r %% 7 = 0;

insert into dataset (uri, extra, created_at, updated_at, is_orphaned)
select 's3://' || %(world)s || '/' || n || '?a=b%%20c', '{}', now(), now(), false from generate_series(1, 5) n;

insert into dataset_event (dataset_id, extra, source_task_id, source_dag_id, source_run_id, source_map_index, timestamp)
select s.id, json_build_object('uri', s.uri, 'caused', f.run_id), 'load', f.dag_id, f.run_id, 0, f.at
  from filled f join dataset s on s.uri like 's3://' || %(world)s || '/' || (f.n %% 5 + 1) || '?%%' where f.d <= 2;

insert into dagrun_dataset_event (dag_run_id, event_id)
select r.id, e.id from dataset_event e join dag_run r on r.run_id = e.extra ->> 'caused' and r.dag_id = e.source_dag_id
 where r.dag_id like %(world)s || '%%';

insert into dataset_alias (name) select %(world)s || '_alias_' || n from generate_series(1, 2) n;

insert into dataset_alias_dataset (alias_id, dataset_id)
select a.id, s.id from dataset_alias a join dataset s
    on a.name = %(world)s || '_alias_1' and s.uri like 's3://' || %(world)s || '/1?%%';

insert into dataset_alias_dataset_event (alias_id, event_id)
select a.id, e.id from dataset_alias a join dataset_event e
    on a.name = %(world)s || '_alias_1' and e.extra ->> 'uri' like 's3://' || %(world)s || '/1?%%';

insert into dataset_dag_run_queue (dataset_id, target_dag_id, created_at)
select id, %(world)s || '_dag_1', now() from dataset where uri like 's3://' || %(world)s || '/%%' limit 2;

insert into slot_pool (pool, slots, description, include_deferred)
values (%(world)s || '_pool', 7, E'line\nbreak', true), (%(world)s || '_unlimited', -1, null, false);
