-- A trigger in clear, as before 2.9; the migration that encrypts it uses Airflow's models.
insert into trigger (classpath, kwargs, created_date) values ('airflow.triggers.temporal.TimeDeltaTrigger',
  '{"__var": {"delta": {"__var": 60.0, "__type": "timedelta"}}, "__type": "dict"}', now());
