-- An index of somebody's on an expression, which allows less than Airflow does.
create unique index variable_lower on variable (lower(key));
