"""Translates an AWS Data Pipeline definition into an Airflow DAG, and says what became of every field.

The way of a definition: `reading` (files) or `account` (the service) make a `Definition` of it, `secrets` takes every
secret value out, `inheritance` gives each object the fields of its parents, `checking` finds every problem at once, and
`translation` writes the DAG and what lies beside it.
"""
