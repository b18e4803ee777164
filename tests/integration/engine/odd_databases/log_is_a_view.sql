-- A table of Airflow's that is a view over others: partitioning by hand.
alter table log rename to log_of_2025;
create view log as select * from log_of_2025;
