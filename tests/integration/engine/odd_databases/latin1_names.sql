-- Names beyond ASCII, in a database whose encoding is LATIN1. Public: dalibo/temboard#887, airbytehq/airbyte#376.
insert into dag (dag_id, is_paused, is_active, fileloc, owners, max_active_tasks, has_task_concurrency_limits, max_consecutive_failed_dag_runs)
  values ('köln', false, true, '/dags/köln.py', 'team', 16, false, 0);
