"""What definitions become: DAG files, what lies beside them, and the page."""

from __future__ import annotations

import ast
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline import object_reference, reading
from data_pipeline.ledger import Level
from data_pipeline.naming import Names
from data_pipeline.options import Options
from data_pipeline.problems import DefinitionRefused
from data_pipeline.translated import Translation
from data_pipeline.translation import translate

from .definitions import DAILY, DEFAULT, SHELL, document
from .translations import DEFINITIONS, FOLDER, translated

OPTIONS = Options()
BOTH = [Options(airflow="2.11.2"), Options(airflow="3.2.1")]


def of(*objects: dict[str, Any], options: Options = OPTIONS, **others: Any) -> Translation:
    return translate(reading.definition_of("test.json", "test", document(*objects, **others)), options)


def source(found: Translation) -> str:
    return found.files[f"{found.dag_ids[0]}.py"]


def task(text: str, name: str) -> str:
    """The statement that makes a task."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return ast.unparse(node.value)
    raise AssertionError(f"no task {name} in {text}")


def links(text: str) -> set[tuple[str, str]]:
    """The pairs of tasks that the `>>` lines of a DAG file link."""

    def names(node: ast.expr) -> list[str]:
        if isinstance(node, ast.BinOp):
            return names(node.right)
        return [item.id for item in (node.elts if isinstance(node, ast.List) else [node]) if isinstance(item, ast.Name)]

    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
            found |= {(before, after) for before in names(node.left) for after in names(node.right)}
    return found


@pytest.mark.parametrize("options", BOTH, ids=lambda options: options.airflow)
@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_dag_file_is_python_and_the_same_again(name: str, options: Options) -> None:
    found = translated(name, options)
    for file, content in found.files.items():
        if file.endswith(".py"):
            ast.parse(content)
    (again,) = reading.read([FOLDER / file for file in DEFINITIONS[name]])
    assert translate(again, options).files == found.files


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_field_has_a_sentence(name: str) -> None:
    found = translated(name)
    page = found.files["PIPELINE.md"]
    for item in found.definition.objects.values():
        for field in item.fields:
            if field != "type" and item.origin(field) == item.id:
                notes = [note for note in found.notes if (note.object_id, note.field) == (item.id, field)]
                assert notes, (item.id, field)
                assert f"| `{field}` |" in page
    assert not re.search(r"^\|.*\|\s*\|$", page, re.MULTILINE)


def test_everything_has_all_types_of_the_reference() -> None:
    types = {item.type for name in DEFINITIONS for item in translated(name).definition.objects.values()}
    assert set(object_reference.types()) - types == set()


@pytest.mark.parametrize("options", BOTH, ids=lambda options: options.airflow)
@pytest.mark.parametrize("name", DEFINITIONS)
def test_no_secret_is_written(name: str, options: Options) -> None:
    written = "\n".join(translated(name, options).files.values())
    for secret in ("swordfish-1234", "correct-horse-battery"):
        assert secret not in written


def test_imports_are_those_of_the_version() -> None:
    two, three = (source(translated("shell_in_parallel", options)) for options in BOTH)
    assert "from airflow import DAG" in two
    assert "from airflow.decorators import task" in two
    assert "from airflow.timetables.trigger import CronTriggerTimetable" in two
    assert "from airflow.sdk import" in three
    assert "airflow.models" not in three
    assert "airflow.decorators" not in three


def test_fan_out_and_fan_in() -> None:
    text = source(translated("shell_in_parallel"))
    assert links(text) == {
        ("register_host1", "begin"),
        ("begin", "half1"),
        ("begin", "create_host2"),
        ("register_host2", "half2"),
        ("half1", "finish"),
        ("half2", "finish"),
        ("half2", "terminate_host2"),
        ("finish", "terminate_host1"),
    }
    assert text.count("config=INSTANCE") == 2
    script = translated("shell_in_parallel").files["half1.sh"]
    assert script == "#!/bin/bash\nset -- 1 2\n\necho half $1\nfor n in a b; do\n  echo $n ${{ '{#' }}n}\ndone\n"


def test_preconditions_come_before_the_resource_and_after_what_is_waited_for() -> None:
    machine = {"id": "Box", "type": "Ec2Resource", "terminateAfter": "1 hour"}
    there = {"id": "There", "type": "S3KeyExists", "s3Key": "s3://b/k"}
    found = of(
        machine,
        there,
        SHELL | {"id": "One", "name": "one"},
        {
            "id": "Two",
            "type": "ShellCommandActivity",
            "runsOn": {"ref": "Box"},
            "command": "x",
            "dependsOn": {"ref": "One"},
            "precondition": {"ref": "There"},
        },
    )
    assert links(source(found)) == {
        ("one", "there"),
        ("there", "create_box"),
        ("register_box", "two"),
        ("two", "terminate_box"),
    }


def test_an_activity_waits_for_those_that_write_what_it_reads() -> None:
    node = {"id": "Node", "type": "S3DataNode", "filePath": "s3://b/k", "precondition": {"ref": "There"}}
    found = of(
        node,
        {"id": "There", "type": "Exists"},
        SHELL | {"id": "Reads", "input": {"ref": "Node"}},
        SHELL | {"id": "Writes", "name": "writes", "output": {"ref": "Node"}},
    )
    assert links(source(found)) == {("writes", "there"), ("writes", "reads"), ("there", "reads")}


def test_a_condition_that_runs_on_the_resource_is_inside() -> None:
    text = source(translated("everything"))
    assert {("register_machine", "ready"), ("ready", "class_"), ("register_machine", "ready_dumps")} <= links(text)


def test_retries_and_limits_have_their_units() -> None:
    text = source(translated("everything"))
    assert 'default_args={"retries": 1, "retry_delay": timedelta(minutes=5)}' in text
    shell = task(text, "class_")
    assert "retries=0" in shell
    assert "execution_timeout=timedelta(minutes=10)" in shell
    assert "execution_timeout=timedelta(hours=4)" in task(text, "steps")
    assert "timeout=10800" in task(text, "logs_there")
    assert "poke_interval=120" in task(text, "logs_there")


def test_a_resource_that_nothing_runs_on_is_not_made() -> None:
    found = translated("redshift_loads")
    assert "create_machine" not in source(found)
    (note,) = [note for note in found.notes if (note.object_id, note.field) == ("Machine", "")]
    assert note.level is Level.DROPPED


def test_redshift_loads_in_four_modes() -> None:
    text = source(translated("redshift_loads"))
    orders, items = task(text, "load_orders"), task(text, "load_items")
    assert "DELETE FROM sales." in orders
    assert "USING staging WHERE" in orders
    assert ".id = staging.id" in orders
    assert "DELETE FROM staging USING sales.items WHERE sales.items.id = staging.id" in items
    assert "CREATE TABLE IF NOT EXISTS sales.items" in items
    assert "DELETE FROM facts" in task(source(translated("dynamodb_to_redshift")), "load")
    assert "INSERT INTO s.t SELECT * FROM staging_2" in task(source(translated("everything")), "from_dynamodb")


def test_options_that_data_pipeline_ignores_are_to_be_decided() -> None:
    found = translated("dynamodb_to_redshift")
    assert ("Load", "commandOptions") in [(note.object_id, note.field) for note in found.decisions]
    assert "IGNOREHEADER" not in source(found)


def test_the_cluster_of_an_address() -> None:
    assert "cluster_identifier='wh'" in task(source(translated("dynamodb_to_redshift")), "load")


def test_steps_are_split_at_commas() -> None:
    text = source(translated("sqoop_weekly"))
    steps = task(text, "import_")
    assert (
        "'Args': ['s3://etl-tools/prepare.sh', '{{ params.myHost }}', '{{ var.value.sqoop_weekly_secret_my_secret }}']"
        in steps
    )
    assert "'Args': ['sqoop', 'import', '--table', 'orders']" in steps


def test_alarms_are_callbacks() -> None:
    two, three = (source(translated("sqoop_weekly", options)) for options in BOTH)
    for text in (two, three):
        assert "target_arn='arn:aws:sns:us-east-1:123456789012:alarms', subject='Import failed'" in task(
            text, "import_"
        )
        assert "{{ exception | default('killed') }}" in task(text, "import_")
    assert "sla=timedelta(hours=2)" in task(two, "import_")
    assert "sla_miss_callback" in two
    assert "sla=" not in three
    assert "sla_miss" not in three
    assert "DeadlineAlert(" in three
    assert "interval=timedelta(hours=2)" in three


def test_a_deadline_in_time_series_is_counted_from_the_end_of_the_interval() -> None:
    default = DEFAULT | {"scheduleType": "timeseries"}
    alarm = {"id": "Alarm", "type": "SnsAlarm", "topicArn": "arn:aws:sns:us-east-1:1:t", "subject": "s", "message": "m"}
    found = of(default, alarm, SHELL | {"lateAfterTimeout": "1 hour", "onLateAction": {"ref": "Alarm"}})
    assert "sla=timedelta(days=1) + timedelta(hours=1)" in task(source(found), "hello")


def test_intervals() -> None:
    start, end = "#{@scheduledStartTime}", "#{@scheduledEndTime}"
    daily = SHELL | {"command": f"{start} {end}"}
    iso = ".strftime('%Y-%m-%dT%H:%M:%S')"
    cron = of(daily).files["hello.sh"]
    assert f"{{{{ data_interval_start{iso} }}}} {{{{ data_interval_start.add(days=1){iso} }}}}" in cron
    series = of(DEFAULT | {"scheduleType": "timeseries"}, daily).files["hello.sh"]
    assert f"{{{{ data_interval_start{iso} }}}} {{{{ data_interval_end{iso} }}}}" in series
    on_demand = of({"id": "Default", "scheduleType": "ondemand"}, daily, options=Options(airflow="3.2.1")).files[
        "hello.sh"
    ]
    assert f"{{{{ dag_run.run_after{iso} }}}}" in on_demand


def test_a_start_makes_it_catch_up() -> None:
    found = of(SHELL, options=Options(start=datetime(2026, 12, 1, 2, 30, tzinfo=UTC)))
    assert 'start_date=pendulum.datetime(2026, 12, 1, 2, 30, tz="UTC")' in source(found)
    assert "catchup=True" in source(found)
    assert "catchup=False" in source(of(SHELL))


def test_shell_commands_where_the_options_say() -> None:
    command = SHELL | {"command": "echo #{myA}"}
    machine = {"id": "Box", "type": "Ec2Resource", "terminateAfter": "1 hour", "subnetId": "subnet-1"}
    on_machine = {"id": "Hello", "type": "ShellCommandActivity", "runsOn": {"ref": "Box"}, "command": "echo hello"}
    worker = of(command, parameters=[{"id": "myA"}], options=Options(shell_on="worker"))
    assert "BashOperator(task_id='hello', bash_command='hello.sh'" in task(source(worker), "hello")
    assert worker.files["hello.sh"] == "#!/bin/bash\n\necho {{ var.value.test_my_a }}\n"
    ecs = of(machine, on_machine, options=Options(shell_on="ecs"))
    assert "EcsRunTaskOperator(" in task(source(ecs), "hello")
    assert "'subnets': ['subnet-1']" in task(source(ecs), "hello")
    assert "create_box" not in source(ecs)
    ssm = of(machine, on_machine)
    assert "SsmRunCommandOperator(" in task(source(ssm), "hello")


def test_staging_copies_before_and_after() -> None:
    script = translated("everything").files["class_.sh"]
    assert script.splitlines() == [
        "#!/bin/bash",
        "stdout=$(mktemp)",
        "stderr=$(mktemp)",
        "export INPUT1_STAGING_DIR=$(mktemp -d)",
        'aws s3 cp --recursive s3://etl-data/clean "$INPUT1_STAGING_DIR/"',
        "export OUTPUT1_STAGING_DIR=$(mktemp -d)",
        "(",
        'grep -rc "GET" ${INPUT1_STAGING_DIR}/* > ${OUTPUT1_STAGING_DIR}/out.txt',
        ') >"$stdout" 2>"$stderr"',
        "status=$?",
        'cat "$stdout"',
        'cat "$stderr" >&2',
        'aws s3 cp "$stdout" s3://etl-logs/out',
        'aws s3 cp "$stderr" s3://etl-logs/err',
        '[ "$status" -eq 0 ] || exit "$status"',
        'aws s3 cp --recursive "$OUTPUT1_STAGING_DIR" s3://etl-data/shell',
    ]


def test_hive_tables_of_data_nodes() -> None:
    script = translated("everything").files["clean_logs.hql"]
    assert "CREATE EXTERNAL TABLE input1 (host STRING, time STRING)" in script
    assert 'RegexSerDe\' WITH SERDEPROPERTIES ("input.regex" = "^(\\\\S+) (\\\\S+)$")' in script
    assert "LOCATION 's3://etl-data/logs/{{ data_interval_start.strftime('%Y/%m/%d') }}/';" in script
    assert "FIELDS TERMINATED BY '*'" in script
    assert "INSERT OVERWRITE TABLE output1 SELECT host, time FROM input1 WHERE host <> '${hivevar:bad}';" in script
    copy = translated("everything").files["copy_table.hql"]
    assert '"dynamodb.table.name" = "a", "dynamodb.column.mapping" = "when:when"' in copy
    assert "WHERE `when` > unix_timestamp(" in copy


def test_connections_have_no_password() -> None:
    found = translated("everything")
    connections = json.loads(found.files["connections.json"])
    old = connections["everything_old_table"]
    assert (old["conn_type"], old["host"], old["port"], old["schema"], old["login"], old["password"]) == (
        "mysql",
        "old.example.org",
        3307,
        "old",
        "u",
        "",
    )
    assert old["extra"] == {"useSSL": "false"}
    backup = json.loads(translated("backup").files["connections.json"])["backup_shop"]
    assert (backup["conn_type"], backup["host"]) == ("postgres", "<backup_my_host>")
    assert "apache-airflow-providers-mysql" in found.files["requirements.txt"]


def test_parameters_are_the_dags() -> None:
    found = of(
        SHELL | {"command": "#{myA} #{myB} #{myC}"},
        parameters=[
            {"id": "myA", "type": "Integer", "default": "1", "description": "how many"},
            {"id": "myB", "allowedValues": ["x", "y"], "default": "x"},
            {"id": "myC", "optional": "true"},
            {"id": "myUnused", "default": "z"},
        ],
    )
    text = source(found)
    assert '"myA": Param(default=1, type="integer", description="how many")' in text
    assert '"myB": Param(default="x", type="string", enum=["x", "y"])' in text
    assert "myUnused" not in text


def test_a_parameter_without_value_is_a_variable() -> None:
    found = of(SHELL | {"command": "#{myA} #{myNowhere}"}, parameters=[{"id": "myA"}])
    assert found.files["hello.sh"].endswith("{{ var.value.test_my_a }} {{ var.value.test_my_nowhere }}\n")
    assert {variable.name for variable in found.variables} == {"test_my_a", "test_my_nowhere", "test_wg_instance_id"}
    assert any("No parameter declares `#{myNowhere}`" in note.text for note in found.decisions)
    assert "- [ ] `Hello.command`: No parameter declares `#{myNowhere}`" in found.files["PIPELINE.md"]


@pytest.mark.parametrize(
    ("said", "assumed"),
    [
        ({}, "- `retries=2` and `retry_delay` of 10 minutes in `default_args`: an assumption."),
        ({"maximumRetries": "1"}, "- `retry_delay` of 10 minutes in `default_args`: an assumption."),
        ({"maximumRetries": "1", "retryDelay": "5 Minutes"}, ""),
    ],
)
def test_retries_that_a_definition_does_not_name_are_an_assumption(said: dict[str, str], assumed: str) -> None:
    page = of(DEFAULT | said, SHELL).files["PIPELINE.md"]
    assert [line for line in page.splitlines() if "an assumption" in line] == (
        [f"{assumed} The definition does not say it, and Data Pipeline's reference gives no default. Compare with what "
         "your pipeline did."]
        if assumed
        else []
    )  # fmt: skip


def test_the_same_decision_about_two_objects_is_one() -> None:
    one = {"id": "A", "type": "Ec2Resource", "imageId": "ami-1", "terminateAfter": "1 Hour"}
    found = of(
        one,
        one | {"id": "B"},
        {"id": "C", "type": "ShellCommandActivity", "command": "echo c", "runsOn": {"ref": "A"}},
        {"id": "D", "type": "ShellCommandActivity", "command": "echo d", "runsOn": {"ref": "B"}},
    )
    assert "- [ ] `A.imageId`, `B.imageId`: The image, unchanged" in found.files["PIPELINE.md"]
    assert found.open_points == len(found.decisions) - 1


def test_a_dag_that_is_triggered_does_not_catch_up() -> None:
    page = of(DEFAULT | {"scheduleType": "ondemand"}, SHELL).files["PIPELINE.md"]
    assert "and trigger it where you activated the pipeline." in page
    assert "--start" not in page


def test_two_names_that_become_one() -> None:
    found = of(
        SHELL | {"id": "A", "name": "Load It"},
        SHELL | {"id": "B", "name": "load-it"},
        SHELL | {"id": "C", "name": "load it"},
    )
    text = source(found)
    assert task(text, "load_it")
    assert task(text, "load_it_b")
    assert task(text, "load_it_c")


def test_two_pipelines_of_one_name() -> None:
    names = Names()
    documents = [reading.definition_of("x", "same", document(SHELL)) for _ in range(2)]
    assert [translate(item, Options(), names).folder for item in documents] == ["same", "same_2"]


def test_activities_of_two_schedules_are_two_dags() -> None:
    hourly = DAILY | {"id": "Hourly", "period": "1 hour"}
    found = of(
        hourly,
        SHELL,
        SHELL | {"id": "Often", "name": "often", "schedule": {"ref": "Hourly"}, "dependsOn": {"ref": "Hello"}},
    )
    assert found.dag_ids == ("test", "test_hourly")
    assert any("another schedule" in note.text for note in found.decisions)


def test_500_objects() -> None:
    activities = [
        SHELL
        | {
            "id": f"A{number}",
            "name": f"a {number}",
            "dependsOn": [{"ref": f"A{other}"} for other in range(max(0, number - 3), number)],
        }
        for number in range(500)
    ]
    started = time.process_time()
    found = of(*activities)
    assert source(found).count("SsmRunCommandOperator(") == 500
    assert time.process_time() - started < 30


def test_refuses_with_all_problems() -> None:
    with pytest.raises(DefinitionRefused) as refused:
        of(SHELL | {"dependsOn": {"ref": "Nobody"}}, DAILY | {"period": "15 Period"})
    assert len(refused.value.problems) == 2


def test_an_object_of_the_reference_that_needs_nothing_is_dropped() -> None:
    found = translated("everything")
    assert [note.level for note in found.notes if (note.object_id, note.field) == ("Proxy", "")] == [Level.DROPPED]


SERVERLESS = Options(airflow="3.2.1", emr_on="serverless")


def test_hive_and_spark_are_jobs_of_emr_serverless_where_asked() -> None:
    text = source(translated("serverless", SERVERLESS))
    assert re.search(
        r"'query': \"{{ var.value.serverless_emr_serverless_place }}/.*/rank_hosts.hql", task(text, "rank_hosts")
    )
    assert "'entryPoint': 's3://etl-jars/train.jar'" in task(text, "train_1")
    # Refused by EMR Serverless, which decides it.
    assert "deploy-mode" not in text
    assert "EmrAddStepsOperator" in task(text, "fetch")
    assert ("upload_rank_hosts", "rank_hosts") in links(text)
    assert "EmrServerless" not in source(translated("serverless"))


def test_an_application_is_there_for_as_long_as_its_jobs() -> None:
    text = source(translated("serverless", SERVERLESS))
    assert ".as_setup()" in task(text, "create_spark_application_for_hadoop")
    assert "as_teardown(setups=create_spark_application_for_hadoop)" in task(
        text, "delete_spark_application_for_hadoop"
    )
    assert ("train_2", "delete_spark_application_for_hadoop") in links(text)
    assert ("report", "delete_hive_application_for_hadoop") in links(text)


def test_what_emr_serverless_does_not_have_is_to_be_decided() -> None:
    page = translated("everything", SERVERLESS).files["PIPELINE.md"]
    assert "EMR Serverless has no bootstrap actions" in page
    assert "EMR Serverless begins with emr-6.6; `emr-6.15.0` is written" in page
    assert "EMR Serverless takes no hadoop-env" in page
    assert "`CleanUp.runsOn`, `Pigs.runsOn`" in page
    assert "It stays on a cluster" in page


def test_spark_submit_without_an_application_is_to_be_decided() -> None:
    cluster = {"id": "C", "type": "EmrCluster", "releaseLabel": "emr-7.1.0", "subnetId": "subnet-1"}
    steps = {
        "id": "S",
        "type": "EmrActivity",
        "runsOn": {"ref": "C"},
        "step": "command-runner.jar,spark-submit,--verbose",
    }
    found = of(cluster, steps, options=SERVERLESS)
    assert "Name the application: spark-submit gets none." in found.files["PIPELINE.md"]
    assert "'networkConfiguration': {'subnetIds': ['subnet-1']}" in task(
        source(found), "create_spark_application_for_c"
    )


def test_each_task_of_an_activity_raises_its_alarm() -> None:
    alarm = {"id": "Alarm", "type": "SnsAlarm", "topicArn": "arn:aws:sns:eu-west-1:1:a", "subject": "s", "message": "m"}
    database = {"id": "Db", "type": "JdbcDatabase", "connectionString": "jdbc:postgresql://h/d", "username": "u"}
    activity = {
        "id": "Q",
        "type": "SqlActivity",
        "database": {"ref": "Db"},
        "scriptUri": "s3://b/q.sql",
        "onFail": {"ref": "Alarm"},
        "onSuccess": {"ref": "Alarm"},
    }
    text = source(of(alarm, database, activity))
    # A script that cannot be read is a failure of the activity, whose last task then never runs.
    assert "on_failure_callback" in task(text, "read_q")
    assert "on_success_callback" not in task(text, "read_q")
    assert "on_success_callback" in task(text, "q")


def test_what_belongs_to_ami_versions_is_left_out_and_told() -> None:
    cluster = {
        "id": "C",
        "type": "EmrCluster",
        "amiVersion": "3.8.0",
        "bootstrapAction": [
            "s3://datapipeline-us-east-1/us-east-1/bootstrap-actions/latest/TaskRunner/configure-hadoop,"
            "--yarn-key-value,a.b=1,--fair-config-copy-file,s3://b/fair.xml",
            "s3://us-east-1.elasticmapreduce/bootstrap-actions/run-if,instance.isMaster=true,echo",
            "s3://tools/own.sh,x",
        ],
    }
    steps = {"id": "S", "type": "EmrActivity", "runsOn": {"ref": "C"}}
    streaming = steps | {"step": "/home/hadoop/contrib/streaming/hadoop-streaming.jar,-mapper,cat"}
    found = of(cluster, streaming)
    made = task(source(found), "create_c")
    assert "'yarn-site', 'Properties': {'a.b': '1'}" in made
    assert "'s3://tools/own.sh'" in made
    assert "run-if" not in made
    assert "fair.xml" not in made
    page = found.files["PIPELINE.md"]
    assert "configure-hadoop's --fair-config-copy-file s3://b/fair.xml has no counterpart" in page
    assert "`s3://us-east-1.elasticmapreduce/bootstrap-actions/run-if` belongs to AMI versions" in page
    assert "'Jar': 'command-runner.jar', 'Args': ['hadoop-streaming', '-mapper', 'cat']" in task(source(found), "s")
    old = of(cluster, steps | {"step": "/home/hadoop/lib/own.jar,x"})
    assert "/home/hadoop/lib/own.jar is where AMI versions had it" in old.files["PIPELINE.md"]


@pytest.mark.parametrize(
    ("step", "arguments"),
    [
        # The reference: a, b and c are one argument.
        (r"s3://b/x.jar,a\\,b\\,c", ["a,b,c"]),
        (r"s3://b/x.jar,a\,b,c", ["a,b", "c"]),
        (r"s3://b/x.jar,File\\\\.gz", [r"File\.gz"]),
        ("s3://b/x.jar, a , b", ["a", "b"]),
    ],
)
def test_a_step_is_one_text_of_commas(step: str, arguments: list[str]) -> None:
    cluster = {"id": "C", "type": "EmrCluster", "releaseLabel": "emr-5.36.2"}
    found = of(cluster, {"id": "S", "type": "EmrActivity", "runsOn": {"ref": "C"}, "step": step})
    assert f"'Args': {arguments!r}" in task(source(found), "s")


def test_unload_writes_lines_as_a_copy_activity_reads_them() -> None:
    database = {"id": "Db", "type": "RedshiftDatabase", "clusterId": "c", "username": "u", "*password": "secret-1"}
    table = {"id": "T", "type": "RedshiftDataNode", "database": {"ref": "Db"}, "tableName": "t"}
    place = {"id": "P", "type": "S3DataNode", "directoryPath": "s3://b/out/"}
    unload = {"id": "U", "type": "RedshiftCopyActivity", "input": {"ref": "T"}, "output": {"ref": "P"}}
    found = of(database, table, place, unload | {"insertMode": "TRUNCATE", "workerGroup": "w"})
    call = ast.parse(task(source(found), "u"), mode="eval").body
    assert isinstance(call, ast.Call)
    (statements,) = [ast.literal_eval(item.value) for item in call.keywords if item.arg == "sql"]
    assert statements[-1].endswith(r"DELIMITER ',' ESCAPE NULL AS '\\N'")
    assert "Compare with an object that the pipeline left" in found.files["PIPELINE.md"]
