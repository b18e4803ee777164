-- XComs partitioned by time, with one too large to be read at once in each partition.
-- Public: kind of partitioning by hand, apache/airflow#27998.
alter table xcom rename to xcom_unpartitioned;
alter table xcom_unpartitioned drop constraint xcom_pkey cascade;
create table xcom (like xcom_unpartitioned) partition by list (key);
alter table xcom add constraint xcom_pkey primary key (dag_run_id, task_id, map_index, key);
create table xcom_a partition of xcom for values in ('a');
create table xcom_b partition of xcom for values in ('b');
drop table xcom_unpartitioned;
alter table xcom owner to airflow_owner;
alter table xcom_a owner to airflow_owner;
alter table xcom_b owner to airflow_owner;
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp)
  select r.id, dag_id, run_id, 't', -1, k, convert_to('"' || repeat(k, 34000000) || '"', 'UTF8'), now()
    from dag_run r, unnest(array['a', 'b']) k where run_id = 'r1';
