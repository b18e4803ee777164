-- Tables without a log, and a column that was dropped and added again, so that it comes last.
alter table log drop column extra;
alter table log add column extra text;
alter table xcom set unlogged;
update log set extra = '{"a": "é"}';
