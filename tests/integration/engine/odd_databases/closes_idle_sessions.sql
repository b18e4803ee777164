-- A server, or a proxy before it, that closes sessions which say nothing. Public: apache/airflow#20975, airflow-helm/charts#840.
alter role airflow_owner in database :database set idle_session_timeout = '500ms';
