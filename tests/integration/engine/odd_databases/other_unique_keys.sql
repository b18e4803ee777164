-- A target that has lost Airflow's unique constraint on variables, and has another of somebody's.
-- Public: kind of apache/airflow#28458 (a restore without constraints).
alter table variable drop constraint variable_key_uq;
alter table variable add constraint a_description unique (description);
insert into variable (key, val, description, is_encrypted) values ('stadt', 'Bern', 'Hauptstadt', false);
