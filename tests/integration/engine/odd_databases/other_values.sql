update task_instance set pid = 1.5 where run_id = 'r2';
update task_instance set operator = repeat('x', 1001) where run_id = 'r3';
update task_instance set pid = 4000000000 where run_id = 'r4';
