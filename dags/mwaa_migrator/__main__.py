import sys

from mwaa_migrator.cli import main

# Airflow imports every file of a DAG folder that it takes for a DAG; that must not run the command.
if __name__ == "__main__":
    sys.exit(main())
