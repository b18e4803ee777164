-- A target in which somebody has added columns that a row can do without.
alter table task_instance add column team text;
alter table log add column cost integer not null default 0;
