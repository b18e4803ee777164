"""Hive scripts and Spark applications as jobs of Amazon EMR Serverless, where that is asked for.

EMR Serverless runs these two and nothing else, so the other work of a cluster stays on a cluster.
"""

from __future__ import annotations

import re
from typing import Any

from .. import waiting
from ..dag_file import Task
from ..draft import Draft
from ..expressions.values import Text
from ..model import PipelineObject
from ..python_code import Output
from ..resources import SERVERLESS_ENGINES, Engine
from . import hive

_EMR = "airflow.providers.amazon.aws.operators.emr"
_S3 = "airflow.providers.amazon.aws.operators.s3"
#: Shell commands around the work, which need a machine.
_SHELL_FIELDS = ("preStepCommand", "postStepCommand", "preActivityTaskConfig", "postActivityTaskConfig")
#: What spark-submit takes without a value behind it.
_FLAGS = ("--verbose", "-v", "--supervise")
#: EMR Serverless sets these itself, and refuses them.
_NOT_TAKEN = ("--master", "--deploy-mode")


def engine(draft: Draft, activity: PipelineObject) -> Engine:
    """What runs an activity's work on EMR Serverless; empty where it stays on a cluster, or nobody asked for it."""
    resources = draft.referred(activity, "runsOn")
    if draft.options.emr_on != "serverless" or not resources or resources[0].type != "EmrCluster":
        return ""
    if any(activity.fields.get(name) for name in _SHELL_FIELDS):
        return ""
    if activity.type in ("HiveActivity", "HiveCopyActivity"):
        return "HIVE"
    if activity.type == "EmrActivity" and all(_is_spark(text) for text in draft.texts(activity, "step")):
        return "SPARK"
    return ""


def translate(draft: Draft, activity: PipelineObject, setups: list[str]) -> list[str]:
    """The tasks that run an activity's jobs, and before them those that upload its scripts."""
    draft.ledger.note(activity, "runsOn", "Jobs of an EMR Serverless application, made before and deleted after.")
    name = draft.name(activity)
    if engine(draft, activity) == "HIVE":
        uploads, driver = _hive(draft, activity)
        return [*uploads, _job(draft, activity, setups, name, {"hive": driver}, _hive_configuration(draft))]
    texts = draft.texts(activity, "step")
    draft.ledger.note(activity, "step", "A job: its entry point, its arguments, and spark-submit's options.")
    names = [name if len(texts) == 1 else draft.names.unique(f"{name}_{number}") for number in range(1, len(texts) + 1)]
    return [
        _job(draft, activity, setups, job, {"sparkSubmit": _spark(draft, activity, text)}, {})
        for job, text in zip(names, texts, strict=True)
    ]


def _job(
    draft: Draft,
    activity: PipelineObject,
    setups: list[str],
    name: str,
    driver: dict[str, Any],
    properties: dict[str, dict[str, str]],
) -> str:
    """Adds the task that starts a job and waits for it, and returns its name."""
    (cluster, *_) = draft.referred(activity, "runsOn")
    settings = _settings(draft, cluster, "HIVE" if "hive" in driver else "SPARK")
    merged = {key: properties.get(key, {}) | settings.get(key, {}) for key in {**properties, **settings}}
    overrides: dict[str, Any] = {}
    if merged:
        overrides["applicationConfiguration"] = [
            {"classification": key, "properties": value} for key, value in merged.items()
        ]
    logs = draft.text(cluster, "pipelineLogUri")
    if logs is not None:
        overrides["monitoringConfiguration"] = {"s3MonitoringConfiguration": {"logUri": logs.jinja}}
        draft.ledger.note(cluster, "pipelineLogUri", "Where EMR Serverless leaves the jobs' logs.")
    arguments: dict[str, Any] = {
        "application_id": Output(setups[0]),
        "execution_role_arn": draft.variable("emr_serverless_role", "The ARN of the role of EMR Serverless's jobs."),
        "name": activity.name,
        "job_driver": driver,
        **({"configuration_overrides": overrides} if overrides else {}),
        **waiting.waiter(draft, activity, delay=30),
    }
    region = draft.text(cluster, "region")
    if region is not None:
        arguments["region_name"] = region.jinja
    draft.add(Task(name, _EMR, "EmrServerlessStartJobOperator", arguments), activity)
    return name


def _hive(draft: Draft, activity: PipelineObject) -> tuple[list[str], dict[str, str]]:
    """The tasks that upload an activity's scripts, and the job's driver: it reads scripts from S3 alone."""
    work = hive.work(draft, activity)
    name = draft.name(activity)
    # Tables are the account's in the Glue Data Catalog, where a cluster's went with it.
    database = f"CREATE DATABASE IF NOT EXISTS {draft.dag.dag_id};\nUSE {draft.dag.dag_id};\n"
    tables = database + work.tables if work.tables else ""
    if work.tables:
        draft.ledger.differs(
            activity,
            "stage",
            f"The tables stay in the Glue Data Catalog, in the database `{draft.dag.dag_id}`.",
        )
    uploads = []
    if work.uri is None:
        uploads.append(_upload(draft, activity, draft.file(f"{name}.hql", tables + work.body)))
        driver = {"query": _place(draft, activity, f"{name}.hql")}
    else:
        driver = {"query": work.uri}
        if tables:
            uploads.append(_upload(draft, activity, draft.file(f"{name}_tables.hql", tables)))
            driver["initQueryFile"] = _place(draft, activity, f"{name}_tables.hql")
    if work.options:
        driver["parameters"] = " ".join(work.options)
    return uploads, driver


def _upload(draft: Draft, activity: PipelineObject, file: str) -> str:
    """Adds the task that puts a script, rendered for its run, into S3."""
    name = draft.names.unique(f"upload_{file.removesuffix('.hql')}")
    arguments = {"s3_key": _place(draft, activity, file), "data": f"{{% include '{file}' %}}", "replace": True}
    draft.add(Task(name, _S3, "S3CreateObjectOperator", arguments), activity)
    return name


def _place(draft: Draft, activity: PipelineObject, file: str) -> str:
    """Where a run's copy of a script is. Hadoop's paths have no colons, so it is not below the run's id."""
    start = draft.said(activity, "#{format(@scheduledStartTime, 'YYYY-MM-dd-HH-mm-ss')}")
    return f"{_root(draft)}/{start.jinja}/{file}"


def _root(draft: Draft) -> str:
    return draft.variable("emr_serverless_place", "Where EMR Serverless finds scripts and keeps Hive's data: s3://...")


def _hive_configuration(draft: Draft) -> dict[str, dict[str, str]]:
    """What a Hive job must know: it has no HDFS."""
    place = f"{_root(draft)}/hive"
    properties = {"hive.exec.scratchdir": f"{place}/scratch", "hive.metastore.warehouse.dir": f"{place}/warehouse"}
    return {"hive-site": properties}


def _settings(draft: Draft, cluster: PipelineObject, engine: Engine) -> dict[str, dict[str, str]]:
    """The cluster's configurations that a job takes."""
    found: dict[str, dict[str, str]] = {}
    for item in draft.referred(cluster, "configuration"):
        classification = draft.text(item, "classification")
        label = classification.jinja if classification else ""
        if label not in SERVERLESS_ENGINES[engine]:
            draft.ledger.decide(cluster, "configuration", f"EMR Serverless takes no {label}: see what it was for.")
            continue
        for pair in draft.referred(item, "property"):
            key, value = draft.text(pair, "key"), draft.text(pair, "value")
            if key is not None:
                found.setdefault(label, {})[key.jinja] = value.jinja if value else ""
        draft.ledger.note(cluster, "configuration", "The `applicationConfiguration` of the jobs.")
    return found


def _is_spark(text: Text) -> bool:
    runner, *words = [part.stripped().fixed or "" for part in text.split(",", "\\")]
    return runner.rsplit("/", 1)[-1] == "command-runner.jar" and words[:1] == ["spark-submit"]


def _spark(draft: Draft, activity: PipelineObject, text: Text) -> dict[str, Any]:
    """A step that calls spark-submit, as a job's driver."""
    words = [part.stripped().jinja for part in text.split(",", "\\")][2:]
    options: list[str] = []
    while words and words[0].startswith("-"):
        option = words.pop(0)
        pair = [option] if option in _FLAGS or "=" in option else [option, words.pop(0)] if words else [option]
        if option.partition("=")[0] in _NOT_TAKEN:
            draft.ledger.differs(activity, "step", f"`{' '.join(pair)}` is left out: EMR Serverless decides it.")
        else:
            options += pair
    if not words:
        draft.ledger.decide(activity, "step", "Name the application: spark-submit gets none.")
    application = words[0] if words else ""
    # On the image, where a cluster has it on its disk.
    driver: dict[str, Any] = {"entryPoint": re.sub(r"^/", "local:///", application)}
    if words[1:]:
        driver["entryPointArguments"] = words[1:]
    if options:
        driver["sparkSubmitParameters"] = " ".join(options)
    return driver
