-- One of Airflow's tables refers to an application's, and has a rule of somebody's own. Public: kind of airflow-helm/charts#429.
create table team (name text primary key);
insert into team select key from variable;
alter table variable add constraint variable_team_fkey foreign key (key) references team;
alter table task_instance add constraint task_instance_duration_check check (duration >= 0);
alter table team owner to airflow_owner;
