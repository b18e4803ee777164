-- As its Airflow has made it.
update task_instance set operator = 'BashOperator';
update log set extra = null where id = (select min(id) from log where dag_id = 'd');
