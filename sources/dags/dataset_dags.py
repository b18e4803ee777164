"""DAGs that datasets trigger, which there are since 2.4, and dataset aliases, since 2.10."""

from __future__ import annotations

from support import VERSION, BashOperator, dag, python

if VERSION >= (2, 4):
    from airflow.datasets import Dataset

    produced = Dataset("s3://bucket/produced.parquet", extra={"owner": "the 'data' team\n"})
    never_produced = Dataset("s3://bucket/never-produced")

    with dag("produces") as produces:
        BashOperator(task_id="produce", bash_command="true", outlets=[produced])

    with dag("consumes", schedule=[produced]) as consumes:
        BashOperator(task_id="consume", bash_command="true")

    with dag("waits_for_both", schedule=[produced, never_produced]) as waits_for_both:
        BashOperator(task_id="consume", bash_command="true")

if VERSION >= (2, 10):
    from airflow.datasets import DatasetAlias

    def through_alias(outlet_events, **context):
        outlet_events["alias"].add(Dataset("s3://bucket/by-alias"), extra={"rows": 7})

    with produces:
        python("produce_by_alias", through_alias, outlets=[DatasetAlias("alias")])
