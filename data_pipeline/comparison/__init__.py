"""Compares what a pipeline and its DAG have done, while both run: what they left in Amazon S3, and their runs."""
