"""What is installed and started on this machine: Airflow and Python versions, PostgreSQL, Lambda runtimes."""
