"""Functions that a DAG file gets of its own, where no operator does what Data Pipeline did.

This module is read, not imported: `helpers` copies functions out of it into DAG files, with the imports that they need
of the Airflow version asked for. From then on they are the DAG's author's.
"""

# ruff: noqa: F821  # The names are imported in the DAG file.


@task.sensor(poke_interval=15, timeout=900, mode="reschedule")
def is_managed_by_ssm(instance_ids: list[str], region_name: str | None = None) -> bool:
    """Whether Systems Manager reaches the instances: their agents register a minute or so after the start."""
    ssm = SsmHook(region_name=region_name).conn
    filters = [{"Key": "InstanceIds", "Values": instance_ids}]
    found = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    return sum(item["PingStatus"] == "Online" for item in found) == len(instance_ids)


@task.sensor(mode="reschedule")
def table_exists(table_name: str, region_name: str | None = None) -> bool:
    """Whether DynamoDB has the table, ready for use."""
    client = DynamoDBHook(region_name=region_name).conn.meta.client
    try:
        return client.describe_table(TableName=table_name)["Table"]["TableStatus"] == "ACTIVE"
    except client.exceptions.ResourceNotFoundException:
        return False


@task.sensor(mode="reschedule")
def table_has_items(table_name: str, region_name: str | None = None) -> bool:
    """Whether a DynamoDB table has at least one item."""
    client = DynamoDBHook(region_name=region_name).conn.meta.client
    return client.scan(TableName=table_name, Limit=1)["Count"] > 0


@task
def copy_prefix(source: str, destination: str) -> int:
    """Copies every object below one S3 URI to another, and returns their number."""
    hook = S3Hook()
    source_bucket, source_prefix = S3Hook.parse_s3_url(source)
    bucket, prefix = S3Hook.parse_s3_url(destination)
    keys = hook.list_keys(source_bucket, prefix=source_prefix) or []
    for key in keys:
        target = f"{prefix.rstrip('/')}/{key.removeprefix(source_prefix).lstrip('/')}"
        hook.copy_object(key, target, source_bucket, bucket)
    return len(keys)


@task
def read_object(uri: str) -> str:
    """The text of an object in S3."""
    bucket, key = S3Hook.parse_s3_url(uri)
    return S3Hook().read_key(key, bucket)


@task
def query_to_s3(conn_id: str, query: str, uri: str, separator: str = ",") -> None:
    r"""Writes the rows of a query to an object in S3, one by one: values without quotes, NULL as \N."""

    def text(value: object) -> str:
        if value is None:
            return r"\N"
        return re.sub(rf"([\\\n{re.escape(separator)}])", r"\\\1", str(value))

    bucket, key = S3Hook.parse_s3_url(uri)
    connection = BaseHook.get_connection(conn_id).get_hook().get_conn()
    with NamedTemporaryFile("w") as file, closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(10_000):
            file.writelines(f"{separator.join(map(text, row))}\n" for row in rows)
        file.flush()
        S3Hook().load_file(file.name, key, bucket, replace=True, gzip=key.endswith(".gz"))


@task
def s3_to_table(uri: str, conn_id: str, insert: str, separator: str = ",") -> int:
    """Inserts the rows of every object below an S3 URI in one transaction, and returns their number."""

    def value(text: str) -> str | None:
        return None if text == r"\N" else re.sub(r"\\(.)", r"\1", text)

    hook = S3Hook()
    bucket, prefix = S3Hook.parse_s3_url(uri)
    between = re.compile(rf"(?<!\\){re.escape(separator)}")
    count = 0
    connection = BaseHook.get_connection(conn_id).get_hook().get_conn()
    with closing(connection), closing(connection.cursor()) as cursor:
        for key in hook.list_keys(bucket, prefix=prefix) or []:
            lines = filter(None, hook.read_key(key, bucket).splitlines())
            rows = [[value(text) for text in between.split(line)] for line in lines]
            cursor.executemany(insert, rows)
            count += len(rows)
        connection.commit()
    return count


@task
def table_to_table(source_conn_id: str, query: str, conn_id: str, insert: str) -> int:
    """Inserts the rows of a query on one database into another in one transaction, and returns their number."""
    count = 0
    source = BaseHook.get_connection(source_conn_id).get_hook().get_conn()
    target = BaseHook.get_connection(conn_id).get_hook().get_conn()
    with closing(source), closing(target), closing(source.cursor()) as reader, closing(target.cursor()) as writer:
        reader.execute(query)
        while rows := reader.fetchmany(10_000):
            writer.executemany(insert, rows)
            count += len(rows)
        target.commit()
    return count


def cancel_if_late(lateness: timedelta):
    """A `pre_execute` that fails a task for good when it starts so long after its run was due."""

    def check(context) -> None:
        late = pendulum.now("UTC") - context["dag_run"].run_after
        if context["ti"].try_number == 1 and late > lateness:
            raise AirflowFailException(f"It starts {late} after its run was due; {lateness} are allowed.")

    return check
