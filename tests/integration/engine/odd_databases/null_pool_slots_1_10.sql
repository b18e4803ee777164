-- Tasks without slots, from before the column; and runs without an id. Public: apache/airflow#24566, #18801.
update task_instance set pool_slots = null where execution_date = (select min(execution_date) from task_instance);
