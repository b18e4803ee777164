"""The way in through a scheduler of Airflow 3, for environments whose workers have none.

Our plugin (``mwaa_migrator_plugin.py``) starts a process beside the scheduler for each run of the import's DAG
(``dag_tasks/serve_run.py``). The run's tasks ask it for their work, and wait for the answer (``asking.py``). Both are
objects beside the artifact's manifest, and a lease says which process works on them (``artifact/lease.py``).
"""
