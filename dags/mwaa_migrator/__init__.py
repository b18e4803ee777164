"""The metadata engine: moves the rows of an Airflow metadata database to a newer Airflow.

It runs inside the user's Airflow (1.10.12 or later, Python 3.7 to 3.12), so it needs nothing but the standard library
and what Amazon MWAA always has: Airflow, SQLAlchemy, psycopg2 and boto3. Importing this package imports none of them.

The packages, each using only those above it:

* ``errors``, ``options``, ``progress``, ``child_process``: small modules that all others use
* ``postgres``: PostgreSQL, without any knowledge of Airflow
* ``airflow_schema``: what Airflow's tables mean
* ``this_airflow``: the Airflow that the engine runs in
* ``artifact``: what an export leaves and an import reads
* ``copying``: processes that copy rows
* ``mending``: rows that Airflow 3's migrations reject, made acceptable
* ``export``: the source's rows into an artifact
* ``scratch``: the artifact's rows, restored and upgraded in the target's database
* ``comparison``: rows of two databases, compared
* ``merge``: the import; from the scratch schema into the target's tables
* ``verify``: the target compared with the artifact
* ``in_scheduler``: the plugin beside a scheduler, and how a task asks it for its work
* ``dag_tasks``: the tasks of our DAGs
* ``agent``: does them beside a self-managed Airflow, as it is asked to
* ``cli``: the command line
"""
