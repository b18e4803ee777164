-- Policies that hide rows from the role that owns the table; a dump without an error would be short of them.
-- Public: PostgreSQL's documentation of row_security, which pg_dump turns off for this reason.
alter table task_instance enable row level security;
alter table task_instance force row level security;
create policy few on task_instance using (run_id = 'r1');
