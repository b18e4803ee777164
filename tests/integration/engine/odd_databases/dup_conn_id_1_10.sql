-- Connections of one conn_id, of which 1.10 took any, and one without a type. Public: apache/airflow#8608, #9067, #13783.
insert into connection (conn_id, conn_type, host) values
  ('hive_cli', 'hive_cli', 'node-1'), ('hive_cli', 'hive_cli', 'node-2'), ('typeless', null, 'node-3');
