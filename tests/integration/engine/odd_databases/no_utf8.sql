-- A database without an encoding, with bytes of another one than UTF-8.
-- Public: dalibo/temboard#887, kind of apache/airflow#26497.
insert into log (dttm, dag_id, event, owner) values (now(), 'd', 'cli', E'M\xfcller');
insert into variable (key, val, is_encrypted) values (E'k\xf6ln', 'a', false);
