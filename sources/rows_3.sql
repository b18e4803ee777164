-- What Airflow 3 adds to the rows of rows_2_10.sql, which were imported before: versions of DAGs, and who ran by which.
-- Parameters: dags (a regular expression for the DAGs that have versions), version (a prefix of the versions' names, so
-- that two fills never meet).
-- A row that refers to another one also holds that one's name:
--   task_instance.custom_operator_name, task_instance_history.custom_operator_name   dag_version.bundle_version
--   dag_run.bundle_version                                                           dag_version.bundle_version
--   serialized_dag.data, dag_code.source_code                                        dag_version.bundle_version
--   backfill.reprocess_behavior                                                      the dag_id and the date of its run
-- Each of these DAGs has three versions, the newest of this moment; of its runs, one in four has none.

insert into dag_bundle (name, active, version) values ('dags-folder', true, null), ('another-folder', true, 'abc')
    on conflict do nothing;

update dag set bundle_name = 'dags-folder' where bundle_name is null;

insert into dag_version (id, version_number, dag_id, bundle_name, bundle_version, created_at, last_updated)
select gen_random_uuid(), coalesce((select max(version_number) from dag_version v where v.dag_id = d.dag_id), 0) + n,
       d.dag_id, d.bundle_name, %(version)s || ' ' || d.dag_id || ' ' || n,
       clock_timestamp() - (3 - n) * interval '1 day', clock_timestamp() - (3 - n) * interval '1 day'
  from dag d, generate_series(1, 3) n where d.dag_id ~ %(dags)s;

create temporary table made on commit drop as
select v.*, row_number() over (partition by dag_id order by version_number) as n
  from dag_version v where bundle_version like %(version)s || ' %%';

insert into serialized_dag (id, dag_id, data, created_at, last_updated, dag_hash, dag_version_id)
select gen_random_uuid(), dag_id, json_build_object('dag', bundle_version), created_at, last_updated,
       md5(bundle_version), id from made;

insert into dag_code (id, dag_id, fileloc, created_at, last_updated, source_code, source_code_hash, dag_version_id)
select gen_random_uuid(), dag_id, '/dags/' || dag_id || '.py', created_at, last_updated, bundle_version,
       md5(bundle_version), id from made;

update dag_run r set created_dag_version_id = m.id, bundle_version = m.bundle_version
  from made m where m.dag_id = r.dag_id and m.n = r.id %% 4 and r.created_dag_version_id is null;

update task_instance t set dag_version_id = m.id, custom_operator_name = m.bundle_version
  from dag_run r join made m on m.id = r.created_dag_version_id
 where (r.dag_id, r.run_id) = (t.dag_id, t.run_id) and t.dag_version_id is null;

update task_instance_history t set dag_version_id = m.id, custom_operator_name = m.bundle_version
  from dag_run r join made m on m.id = r.created_dag_version_id
 where (r.dag_id, r.run_id) = (t.dag_id, t.run_id) and t.dag_version_id is null;

insert into backfill (dag_id, from_date, to_date, dag_run_conf, is_paused, reprocess_behavior, max_active_runs,
                      created_at, updated_at)
select r.dag_id, r.logical_date, r.logical_date, '{}', false, r.dag_id || ' ' || r.logical_date, 2, now(), now()
  from dag_run r where r.dag_id ~ %(dags)s and r.id %% 3 = 0 and r.backfill_id is null and r.logical_date is not null;

update dag_run r set backfill_id = b.id from backfill b
 where b.reprocess_behavior = r.dag_id || ' ' || r.logical_date and r.backfill_id is null;

insert into backfill_dag_run (backfill_id, dag_run_id, exception_reason, logical_date, sort_ordinal)
select r.backfill_id, r.id, null, r.logical_date, 1 from dag_run r
 where r.backfill_id is not null
   and not exists (select from backfill_dag_run b where b.backfill_id = r.backfill_id)
union all
select b.id, null, 'already exists', b.from_date, 2 from backfill b
 where not exists (select from backfill_dag_run d where d.backfill_id = b.id);
