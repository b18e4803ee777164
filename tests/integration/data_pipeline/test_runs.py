"""Translated DAGs parse in real Airflow and do what their pipelines did, against the local AWS and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.options import Options
from local.installations.postgres import PostgresServer
from pipeline_runs.airflow_runs import Deployment
from pipeline_runs.hadoop.script_runner import script_runner
from pipeline_runs.local_services import Aws

from .conftest import Query, translated_into

DAY = "2026-03-04T00:00:00+00:00"


def deploy(airflow: Deployment, *files: str) -> None:
    """Translates a definition into the DAGs folder."""
    translated_into(airflow.dags, Options(airflow.installation.version), *files)


def run(
    airflow: Deployment,
    aws: Aws,
    dag_id: str,
    logical_date: str = DAY,
    params: Mapping[str, str] | None = None,
    **variables: str,
) -> dict[str, Any]:
    """Runs one DAG with parameters and variables (`CONN_...` is a connection); its state and its tasks' states."""
    made = {
        f"AIRFLOW_{name if name.startswith('CONN_') else f'VAR_{dag_id}_{name}'}".upper(): value
        for name, value in variables.items()
    }
    return airflow.run(dag_id, logical_date, {**aws.environment(), **made}, params)


def succeeded(found: dict[str, Any]) -> bool:
    return str(found["state"]).endswith("success") and all(
        str(state).endswith("success") for state in found["tasks"].values()
    )


@pytest.mark.parametrize(("shell_on", "emr_on"), [("ssm", "cluster"), ("ecs", "serverless"), ("worker", "cluster")])
def test_everything_parses(airflow: Deployment, tmp_path: Path, shell_on: Any, emr_on: Any) -> None:
    options = Options(airflow.installation.version, shell_on, emr_on=emr_on)
    names = (
        "redshift-loads", "shell-in-parallel", "on-demand", "dynamodb-to-redshift", "sqoop-weekly", "everything",
        "serverless", "staged", "late",
    )  # fmt: skip
    for name in names:
        translated_into(tmp_path, options, f"{name}.json")
    translated_into(tmp_path, options, "backup-definition.json", "backup-parameters.json", "backup-values.json")
    parsed = airflow.parse(tmp_path)
    assert parsed["errors"] == {}
    assert set(parsed["dags"]) == {name.replace("-", "_") for name in names} | {"backup"}


def test_redshift_loads(airflow: Deployment, aws: Aws, query: Query) -> None:
    deploy(airflow, "redshift-loads.json")
    query("DROP SCHEMA IF EXISTS sales CASCADE")
    query("CREATE SCHEMA sales")
    query("CREATE TABLE sales.orders (id int primary key, name text)")
    query("INSERT INTO sales.orders VALUES (1, 'old'), (2, 'kept')")
    query("CREATE TABLE sales.items (id int primary key, order_id int)")
    query("INSERT INTO sales.items VALUES (1, 10)")
    s3 = aws.empty_bucket("loads")
    s3.put_object(Bucket="loads", Key="orders.tsv", Body=b"1\tnew\n3\tadded\n")
    s3.put_object(Bucket="loads", Key="items.tsv", Body=b"1\t99\n2\t20\n")
    aws.calls.clear()
    found = run(
        airflow, aws, "redshift_loads", my_orders="s3://loads/orders.tsv", my_items="s3://loads/items.tsv",
        my_table="orders", my_database="dw", my_user="loader", warehouse_cluster="house",
    )  # fmt: skip
    assert succeeded(found), found
    # OVERWRITE_EXISTING replaces what is there, KEEP_EXISTING leaves it.
    assert query("SELECT * FROM sales.orders ORDER BY id") == [(1, "new"), (2, "kept"), (3, "added")]
    assert query("SELECT * FROM sales.items ORDER BY id") == [(1, 10), (2, 20)]
    looked = [parameters["Key"] for _, parameters in aws.asked("s3", "HeadObject")]
    assert {"orders.tsv", "items.tsv"} <= set(looked)
    asked = aws.asked("redshift-data", "BatchExecuteStatement")
    assert {(call["ClusterIdentifier"], call["Database"], call["DbUser"]) for _, call in asked} == {
        ("house", "dw", "loader")
    }
    assert aws.asked("ec2", "RunInstances") == []


def test_shell_in_parallel(airflow: Deployment, aws: Aws) -> None:
    deploy(airflow, "shell-in-parallel.json")
    network = aws.client("ec2")
    subnet = network.describe_subnets()["Subnets"][0]["SubnetId"]
    group = network.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    image = network.register_image(Name="linux")["ImageId"]
    aws.calls.clear()
    found = run(
        airflow,
        aws,
        "shell_in_parallel",
        my_folder="/data",
        my_source=group,
        my_target=group,
        my_subnet=subnet,
        my_image=image,
    )
    assert succeeded(found), found
    order = [name for name, _ in aws.asked("ec2", "RunInstances", "TerminateInstances")]
    assert order.count("RunInstances") == 2
    assert order[0] == "RunInstances"
    assert order[-1] == "TerminateInstances"
    instances = network.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running", "pending"]}])
    assert instances["Reservations"] == []
    commands = [parameters for _, parameters in aws.asked("ssm", "SendCommand")]
    scripts = [parameters["Parameters"]["commands"][0] for parameters in commands]
    assert "set -- /data 7" in scripts[0].replace("'", "")
    assert scripts[-1].rstrip().endswith("echo finish $1")
    # The first and the last on one machine, one half on the other.
    machines = [parameters["InstanceIds"][0] for parameters in commands]
    assert len(set(machines)) == 2
    assert machines[0] == machines[-1]
    # They ran: what they printed, the length of $n among it, is what bash makes of them.
    told = printed(aws)
    assert told[0] == "begin /data 7\n"
    assert "half 1\na 1\nb 1\n" in told
    assert told[-1] == "finish /data\n"


def printed(aws: Aws) -> list[str]:
    """What each command printed, in the order in which they were asked after."""
    asked = dict.fromkeys(parameters["CommandId"] for _, parameters in aws.asked("ssm", "GetCommandInvocation"))
    outputs = {key[0]: found["StandardOutputContent"] for key, found in aws.machines.invocations.items()}
    return [outputs[command_id] for command_id in asked]


def test_on_demand(airflow: Deployment, aws: Aws) -> None:
    deploy(airflow, "on-demand.json")
    found = run(airflow, aws, "on_demand")
    assert succeeded(found), found
    ((_, launched),) = aws.asked("ec2", "RunInstances")
    assert launched["ImageId"].startswith("resolve:ssm:")
    assert launched["IamInstanceProfile"] == {"Name": "EtlProfile"}
    assert len(aws.asked("ec2", "TerminateInstances")) == 1
    assert printed(aws) == ["Good morning! 2026\n"]


def test_dynamodb_to_redshift(airflow: Deployment, aws: Aws, query: Query) -> None:
    deploy(airflow, "dynamodb-to-redshift.json")
    dynamodb, s3 = aws.client("dynamodb"), aws.empty_bucket("etl-data")
    if "orders" not in dynamodb.list_tables()["TableNames"]:
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for key in ("a", "b"):
            dynamodb.put_item(TableName="orders", Item={"id": {"S": key}, "total": {"N": "7"}})
    aws.emr.node.add_storage_handler("org.example.Handler")
    query("DROP TABLE IF EXISTS facts")
    query("CREATE TABLE facts (id varchar(20))")
    query("INSERT INTO facts VALUES ('gone')")
    aws.calls.clear()
    found = run(airflow, aws, "dynamodb_to_redshift")
    assert succeeded(found), found
    assert aws.asked("dynamodb", "Scan")[0][1]["Limit"] == 1
    order = [name for name, _ in aws.asked("emr", "RunJobFlow", "AddJobFlowSteps", "TerminateJobFlows")]
    assert order == ["RunJobFlow", "AddJobFlowSteps", "TerminateJobFlows"]
    ((_, cluster),) = aws.asked("emr", "RunJobFlow")
    assert (cluster["Name"], cluster["ReleaseLabel"]) == ("dynamodb_to_redshift", "emr-5.36.2")
    assert cluster["LogUri"] == "s3://etl-logs/dp"
    ((_, added),) = aws.asked("emr", "AddJobFlowSteps")
    (step,) = added["Steps"]
    assert step["HadoopJarStep"]["Args"] == [
        "hive",
        "-e",
        "DROP TABLE IF EXISTS source;\n\nCREATE EXTERNAL TABLE source (id string)\n"
        'STORED BY \'org.example.Handler\' TBLPROPERTIES ("table" = "orders");\n'
        "INSERT OVERWRITE DIRECTORY 's3://etl-data/export/2026-03-04-00-00-00' SELECT id FROM source;",
    ]
    # Hive really wrote what the table of DynamoDB has, and COPY loaded that.
    written = s3.get_object(Bucket="etl-data", Key="export/2026-03-04-00-00-00/000000_0")["Body"].read()
    assert sorted(written.splitlines()) == [b"a", b"b"]
    assert query("SELECT id FROM facts ORDER BY id") == [("a",), ("b",)]


#: Leaves on the cluster a `sqoop` that knows the database, whose host and password it is given.
_PREPARE = """\
mkdir -p ~/bin
printf '#!/bin/sh\\nexec %s "$@" --connect jdbc:postgresql://%s/warehouse --username postgres --password %s\\n' \\
    "$(command -v sqoop)" "$1" "$2" > ~/bin/sqoop
chmod +x ~/bin/sqoop
"""


def test_sqoop_weekly(airflow: Deployment, aws: Aws, query: Query, postgres: PostgresServer, tmp_path: Path) -> None:
    deploy(airflow, "sqoop-weekly.json")
    query("DROP TABLE IF EXISTS orders")
    query("CREATE TABLE orders (id int, name text)")
    query("INSERT INTO orders VALUES (1, 'a'), (2, NULL)")
    aws.empty_bucket("etl-jars").put_object(
        Bucket="etl-jars", Key="runner.jar", Body=script_runner(aws.emr.node, tmp_path)
    )
    aws.empty_bucket("etl-tools").put_object(Bucket="etl-tools", Key="prepare.sh", Body=_PREPARE.encode())
    aws.calls.clear()
    found = run(
        airflow,
        aws,
        "sqoop_weekly",
        "2026-03-01T02:30:00+00:00",
        params={"myHost": f"127.0.0.1:{postgres.port}"},
        secret_my_secret="tops3cret",
    )
    assert succeeded(found), aws.emr.node.log.read_text()
    ((_, added),) = aws.asked("emr", "AddJobFlowSteps")
    jars = [(step["HadoopJarStep"]["Jar"], step["HadoopJarStep"]["Args"]) for step in added["Steps"]]
    assert jars == [
        ("s3://etl-jars/runner.jar", ["s3://etl-tools/prepare.sh", f"127.0.0.1:{postgres.port}", "tops3cret"]),
        ("command-runner.jar", ["sqoop", "import", "--table", "orders"]),
    ]
    ((_, ended),) = aws.asked("emr", "TerminateJobFlows")
    (cluster,) = ended["JobFlowIds"]
    assert aws.asked("sns", "Publish") == []
    # The rows are where Sqoop puts them, and the password went by the script that the first step ran.
    home = aws.emr.node.home(cluster)
    assert (home / "hdfs" / "orders" / "part-m-00000").read_text() == "1,a\n2,null\n"
    assert "tops3cret" in (home / "bin" / "sqoop").read_text()


def test_a_failed_step_raises_the_alarm_and_the_cluster_goes(airflow: Deployment, aws: Aws) -> None:
    deploy(airflow, "sqoop-weekly.json")
    aws.client("sns", "us-east-1").create_topic(Name="alarms")
    aws.emr.failing.add("every step")
    aws.calls.clear()
    found = run(airflow, aws, "sqoop_weekly", "2026-03-08T02:30:00+00:00", secret_my_secret="tops3cret")
    assert str(found["tasks"]["import_"]).endswith("failed")
    assert str(found["tasks"]["terminate_hadoop"]).endswith("success")
    assert len(aws.asked("emr", "TerminateJobFlows")) == 1
    ((_, published),) = aws.asked("sns", "Publish")
    assert published["Subject"] == "Import failed"
    message = json.loads(published["Message"])["default"]
    assert message.startswith("at 2026-03-08T02:30:00: EMR Steps failed")


def test_backup(airflow: Deployment, aws: Aws, query: Query, postgres: PostgresServer) -> None:
    deploy(airflow, "backup-definition.json", "backup-parameters.json", "backup-values.json")
    query("DROP TABLE IF EXISTS orders")
    query("CREATE TABLE orders (id int, name text, note text)")
    query("INSERT INTO orders VALUES (1, 'a,b', NULL), (2, E'back\\\\slash', 'n')")
    s3 = aws.empty_bucket("backups")
    aws.calls.clear()
    shop = f"postgres://postgres@127.0.0.1:{postgres.port}/warehouse"
    found = run(airflow, aws, "backup", my_place="s3://backups/shop", my_table="orders", CONN_BACKUP_SHOP=shop)
    assert succeeded(found), found
    written = s3.get_object(Bucket="backups", Key="shop/4/back_up_orders.csv")["Body"].read().decode()
    # Without quotes, as Data Pipeline writes: the separator behind a backslash, NULL as \N.
    assert written == "1,a\\,b,\\N\n2,back\\\\slash,n\n"
    assert aws.asked("ec2", "RunInstances") == []


def test_serverless(airflow: Deployment, aws: Aws, query: Query, postgres: PostgresServer) -> None:
    translated_into(airflow.dags, Options(airflow.installation.version, emr_on="serverless"), "serverless.json")
    query("CREATE TABLE IF NOT EXISTS orders (id int, name text)")
    s3 = aws.empty_bucket("etl-scripts")
    role = "arn:aws:iam::123456789012:role/jobs"
    aws.calls.clear()
    found = run(
        airflow, aws, "serverless", emr_serverless_place="s3://etl-scripts/jobs", emr_serverless_role=role,
        my_host=f"127.0.0.1:{postgres.port}",
    )  # fmt: skip
    assert succeeded(found), found
    made = [parameters for _, parameters in aws.asked("emr-serverless", "CreateApplication")]
    assert sorted((item["type"], item["releaseLabel"], item["name"]) for item in made) == [
        ("HIVE", "emr-6.9.0", "serverless"),
        ("SPARK", "emr-6.9.0", "serverless"),
    ]
    jobs = [parameters["jobDriver"] for _, parameters in aws.asked("emr-serverless", "StartJobRun")]
    hive = [job["hive"] for job in jobs if "hive" in job]
    place = "s3://etl-scripts/jobs/2026-03-04-00-00-00"
    assert hive == [
        {"query": f"{place}/rank_hosts.hql", "parameters": "--hivevar least=10"},
        {
            "query": "s3://etl-tools/report.q",
            "initQueryFile": f"{place}/report_tables.hql",
            "parameters": "--hivevar input1=input1",
        },
    ]
    assert [job["sparkSubmit"]["entryPoint"] for job in jobs if "sparkSubmit" in job] == [
        "s3://etl-jars/train.jar",
        "local:///usr/lib/spark/examples/src/main/python/pi.py",
    ]
    # The script is where the job reads it, rendered for its run.
    script = s3.get_object(Bucket="etl-scripts", Key="jobs/2026-03-04-00-00-00/rank_hosts.hql")["Body"].read().decode()
    assert "LOCATION 's3://etl-data/raw/2026/03/04/'" in script
    # What EMR Serverless cannot run is a step of a cluster, and nothing is left of either.
    ((_, added),) = aws.asked("emr", "AddJobFlowSteps")
    assert added["Steps"][0]["HadoopJarStep"]["Args"] == [
        "sqoop", "import", "--connect", f"jdbc:postgresql://127.0.0.1:{postgres.port}/warehouse",
        "--username", "postgres", "--table", "orders",
    ]  # fmt: skip
    assert len(aws.asked("emr-serverless", "DeleteApplication")) == 2
    assert len(aws.asked("emr", "TerminateJobFlows")) == 1


def test_shell_commands_and_their_staging_on_machines_and_on_clusters(airflow: Deployment, aws: Aws) -> None:
    deploy(airflow, "staged.json")
    s3 = aws.empty_bucket("etl-staged")
    s3.put_object(Bucket="etl-staged", Key="raw/2026-03-04/one", Body=b"c\na\n")
    s3.put_object(Bucket="etl-staged", Key="raw/2026-03-04/two", Body=b"b\n")
    s3.put_object(Bucket="etl-staged", Key="tools/count.sh", Body=b'echo "$# $2" | aws s3 cp - "$1"\n')
    aws.calls.clear()
    found = run(airflow, aws, "staged")
    assert succeeded(found), found
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="etl-staged")["Contents"]]
    written = {
        key: s3.get_object(Bucket="etl-staged", Key=key)["Body"].read().decode()
        for key in keys
        if not key.startswith(("raw/", "tools/"))
    }
    assert written == {
        "sorted/2026-03-04/sorted.txt": "a\nb\nc\n",
        "streams/out": "it's sorted\n",
        "streams/err": "told\n",
        "counts/2026-03-04": "2 two words\n",
        "steps/1": "before\n",
        "steps/2": "2 a,b\n",
        "steps/3": "three\n",
        "steps/4": "after\n",
        "all-steps": "before\n2 a,b\nthree\nafter\n",
    }


def test_a_command_that_fails_on_a_cluster_fails_its_task(airflow: Deployment, aws: Aws) -> None:
    deploy(airflow, "staged.json")
    s3 = aws.empty_bucket("etl-staged")
    s3.put_object(Bucket="etl-staged", Key="raw/2026-03-05/one", Body=b"a\n")
    s3.put_object(Bucket="etl-staged", Key="tools/count.sh", Body=b"exit 3\n")
    aws.calls.clear()
    found = run(airflow, aws, "staged", "2026-03-05T00:00:00+00:00")
    assert {name: str(state).rsplit(".")[-1].lower() for name, state in found["tasks"].items()} == {
        "create_machine": "success",
        "register_machine": "success",
        "ready": "success",
        "sort": "success",
        "remote": "failed",
        "create_hadoop": "success",
        "steps": "failed",
        "on_cluster": "upstream_failed",
        "terminate_machine": "success",
        "terminate_hadoop": "success",
    }
