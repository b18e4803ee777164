-- Two tables that take their numbers from one sequence. Public: kind of dimitri/pgloader#1691.
alter sequence job_id_seq owned by none;
alter table log alter column id set default nextval('job_id_seq');
drop sequence log_id_seq;
