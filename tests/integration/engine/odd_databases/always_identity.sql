-- Surrogate keys that only an insert which says so may give. Public: kind of what AWS DMS makes of sequences.
alter table log alter column id drop default;
drop sequence log_id_seq;
alter table log alter column id add generated always as identity;
