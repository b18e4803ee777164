-- Unique constraints and indexes are lost, and what they kept is there twice.
-- Public: apache/airflow#28458 (a restore without constraints), #26497.
alter table variable drop constraint variable_key_uq;
alter table slot_pool drop constraint slot_pool_pool_uq;
drop index idx_uri_unique;
alter table dag_run drop constraint dag_run_dag_id_run_id_key cascade;
insert into variable (key, val, is_encrypted) values ('stadt', 'Bern', false);
insert into slot_pool (pool, slots, include_deferred) values ('p', 1, false), ('p', 2, false);
insert into dataset (uri, extra, created_at, updated_at, is_orphaned)
  select 's3://a', '{}', now(), now(), false from generate_series(1, 2);
insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number)
  select dag_id, run_id, execution_date + interval '1 hour', 'failed', run_type, 0 from dag_run where run_id = 'r1';
