-- A table that a tool which quotes names has renamed. Public: kind of dimitri/pgloader's option "quote identifiers".
alter table xcom rename to "XCOM";
create table "Log" ("Dag_Id" text primary key);
