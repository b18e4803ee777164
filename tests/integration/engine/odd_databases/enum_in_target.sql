-- A column that somebody has made an enum of the states that there were then.
create type run_state as enum ('success', 'failed', 'running', 'queued');
drop index idx_dag_run_running_dags;
drop index idx_dag_run_queued_dags;
alter table dag_run alter column state drop default, alter column state type run_state using state::run_state;
