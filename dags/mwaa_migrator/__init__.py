"""The metadata engine: moves the rows of an Airflow metadata database to a newer Airflow.

It runs inside the user's Airflow (1.10.12 to 2.11, Python 3.7 to 3.12), so it needs nothing but the standard library
and what Amazon MWAA always has: Airflow, SQLAlchemy, psycopg2 and boto3. Importing this package imports none of them.
"""

#: Version of the artifact's layout. An import refuses an artifact of a later format.
FORMAT_VERSION = 1
