"""An inventory of everything that a rehearsal could leave in a local AWS, taken before it and after it.

Reports, artifacts and the history of rehearsals in the exchange bucket are left out: they are what a rehearsal is for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
from botocore.exceptions import ClientError
from psycopg2 import sql

from local.mwaa.aws_with_mwaa import AwsWithMwaa
from local.mwaa.environment import Environment

#: The names of our own DAGs.
_OURS = "mwaa\\_migrator\\_%"
_MEANT_TO_STAY = ("artifacts/", "migrations/", "rehearsals/")
#: The log groups of environments; all others are the stack's.
_LOG_GROUPS = "airflow-"
#: Airflow's audit log keeps its rows of a DAG that is deleted.
_AUDIT_LOG = "log"


def inventory(aws: AwsWithMwaa, source: Environment | None = None) -> set[str]:
    """Environments, log groups, objects, statements of bucket policies, grants, and the source's rows of our DAGs.

    Each is a short text, such as `log group airflow-old-Task`.
    """
    return {
        *_environments(aws.client("mwaa")),
        *_log_groups(aws.client("logs")),
        *_of_buckets(aws.client("s3")),
        *_grants(aws.client("kms")),
        *(rows_of_our_dags(source) if source is not None else ()),
    }


def _environments(mwaa: Any) -> Iterator[str]:
    for page in mwaa.get_paginator("list_environments").paginate():
        yield from (f"environment {name}" for name in page["Environments"])


def _log_groups(logs: Any) -> Iterator[str]:
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=_LOG_GROUPS):
        yield from (f"log group {group['logGroupName']}" for group in page["logGroups"])


def _of_buckets(s3: Any) -> Iterator[str]:
    for bucket in (item["Name"] for item in s3.list_buckets()["Buckets"]):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                if not item["Key"].startswith(_MEANT_TO_STAY):
                    yield f"object s3://{bucket}/{item['Key']}"
        try:
            policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                raise
        else:
            yield from (f"statement {item.get('Sid')} of the policy of {bucket}" for item in policy["Statement"])


def _grants(kms: Any) -> Iterator[str]:
    for key in kms.list_keys()["Keys"]:
        for grant in kms.list_grants(KeyId=key["KeyId"])["Grants"]:
            yield f"grant {grant.get('Name', grant['GrantId'])} of key {key['KeyId']}"


def rows_of_our_dags(environment: Environment) -> Iterator[str]:
    """A text for each table that has rows of a DAG of ours."""
    with closing(psycopg2.connect(environment.database.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'dag_id'"
        )
        for (table,) in cursor.fetchall():
            if table != _AUDIT_LOG:
                query = sql.SQL("select distinct dag_id from {} where dag_id like %s").format(sql.Identifier(table))
                cursor.execute(query, (_OURS,))
                yield from (f"rows of {dag_id} in {environment.name}'s {table}" for (dag_id,) in cursor.fetchall())
