"""Rows that Airflow 3's migrations do not take, or change without a word: mended before, counted and named."""
