-- Columns that are not this release's: of a team's own, one of them generated, of a later release, and of a preview of
-- one. Public: apache/airflow#27998 (a column of the next release is there already), #24400 (log_template.task_prefix).
alter table task_instance add column team text not null default 'a';
alter table task_instance add constraint one_of_a_team unique (team, dag_id, task_id, run_id, map_index);
alter table dag_run add column key text generated always as (dag_id || run_id) stored;
create index on dag_run (key);
alter table dag_run add column created_dag_version_id uuid;
alter table log_template add column task_prefix text not null default 'x';
