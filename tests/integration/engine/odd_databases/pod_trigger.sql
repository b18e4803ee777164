-- A deferred task whose trigger holds a pod, which Airflow keeps as "k8s.V1Pod" and reads with the package kubernetes.
-- Public: apache/airflow#38836, #38358.
insert into trigger (id, classpath, kwargs, created_date) values
  (1, 'own.PodTrigger', '{"__var": {"pod": {"__var": {"kind": "Pod", "metadata": {"name": "p"}}, "__type": "k8s.V1Pod"}}, "__type": "dict"}', now()),
  (2, 'own.Wait', '{"__var": {"delta": {"__var": 60.0, "__type": "timedelta"}}, "__type": "dict"}', now());
insert into dag_run (dag_id, run_id, execution_date, state, run_type, clear_number)
  select 'd', 'r' || n, now() - n * interval '1 day', 'running', 'manual', 0 from generate_series(1, 2) n;
insert into task_instance (dag_id, run_id, task_id, map_index, state, pool, pool_slots, trigger_id)
  select 'd', 'r' || n, 't', -1, 'deferred', 'default_pool', 1, n from generate_series(1, 2) n;
