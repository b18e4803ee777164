-- Somebody has made a target's columns stricter.
alter table task_instance alter column operator type character varying(3);
alter table log alter column extra set not null, add constraint of_others check (dag_id <> 'd');
