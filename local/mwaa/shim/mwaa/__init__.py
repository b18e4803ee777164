"""Stands for the package `mwaa` of Amazon MWAA's images, as far as Airflow's configuration names it."""
