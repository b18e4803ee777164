"""AWS and Amazon MWAA on one machine, and the rehearsals that run there.

`installations` has what is installed and started (Airflow, Python, PostgreSQL); `aws` a local AWS that runs a SAM
application; `mwaa` Amazon MWAA in it; `rehearsal` this project's application in both. Each knows only those before it.
"""
