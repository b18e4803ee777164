-- Durations in a column that keeps every digit, as what was made of Oracle's NUMBER. Public: kind of what AWS DMS and ora2pg
-- make.
alter table task_instance alter column duration type numeric;
update task_instance set duration = 0.12345678901234567890 where run_id = 'r1';
