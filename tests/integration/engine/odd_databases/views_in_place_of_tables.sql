-- Tables that not every Airflow has, renamed away and replaced by a view and by a foreign table.
-- Public: kind of apache/airflow#26497; partitioning and archiving by hand.
alter table task_reschedule rename to task_reschedule_of_2025;
create view task_reschedule as select * from task_reschedule_of_2025;
alter table dag_run_note rename to dag_run_note_of_2025;
create materialized view dag_run_note as select * from dag_run_note_of_2025;
