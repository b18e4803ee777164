"""What lies where in the exchange bucket. Every key and every prefix is made here.

    inputs/                                     inputs of rehearsals, which the user has put there
    locks/<region>/<environment>.json           which migration works on an environment (`locks`)
    log-copies/<region>/<environment>.json      which copy writes to an environment's log groups (`logs.target_lock`)
    bucket-policy/statements.json               the migrations' statements of the bucket's policy (`grants`)
    rehearsals/<region>/<source>.json           a source's last rehearsals (`report.rehearsal_history`)
    artifacts/<artifact id>/                    the artifact
        manifest.json                           its tables and their parts
        tables/                                 the parts
        dags.json                               the source's DAGs
        <task>.json                             the result of a task of ours: quiesce, drain, export, import...
        probe/<task>.json                       the same of the runs that only look (`our_dags`)
        cut-over/<task>.json                    the same of the run that unpauses the target's DAGs
        cut-over/request.json                   which DAGs it is to unpause, or that it is to unpause none
        cut-over/begun.json                     that it waits for the request
        versions/<task>.json                    the same of the run that gives DAG versions
        <artifact id>-base/, <artifact id>-refresh-1/ ...
                                                the artifacts that it follows, with the results of their own runs
    migrations/<migration id>/
        plan.json                               the plan that every later state works from
        target.json                             since when the target is as it is, which outlives an attempt
        chain.json                              the base and the deltas that the target holds (`chain`)
        copied_dags.json                        the user's files that were copied into the target's DAG folder: the ETag
                                                that each got there, null while it is being copied
        <attempt>/                              what an attempt leaves; a rollback ends it
            phases/<name>.json                  when a phase started and ended
            adopted.json                        digests of an adopted target's settings (`environments.adoption`)
            settings.json, hops/<version>.json  notes on the settings with which the target was made and upgraded
            staged/<version>.json               what was staged for the target at a version
            checks/<part>.json                  what was checked (`checks.check_results`)
            target_checks.json                  how far the checks are that ask the target (`checks.asking_target`)
            cut_over.json                       what the cut-over has seen, and how it unpaused the DAGs
            rolled_back.json                    the end of the attempt
            logs.json                           the result of the copy of the logs
            logs/                               the copy of the logs
            early/logs/                         the copy that was made while the source still worked
            report.json, report.html, report.md
            roll_back_report.json, ...          the same of a rollback by hand

A copy of logs that belongs to no migration lies as an attempt does, under its own id.
"""

from __future__ import annotations

import hashlib

INPUTS = "inputs/"
LOCKS = "locks"
LOG_COPIES = "log-copies"
STATEMENTS = "bucket-policy/statements.json"
MIGRATIONS = "migrations"
ARTIFACTS = "artifacts"


def place(folder: str, region: str, environment: str) -> str:
    """The key of what `folder` has of an environment."""
    return f"{folder}/{region}/{environment}.json"


def rehearsals(region: str, source: str) -> str:
    return place("rehearsals", region, source)


def artifact(artifact_id: str) -> str:
    return f"{ARTIFACTS}/{artifact_id}"


def artifacts_url(bucket: str) -> str:
    """What the URL of every artifact begins with."""
    return f"s3://{bucket}/{ARTIFACTS}/"


def is_of_delta(key: str) -> bool:
    """Whether an object of an artifact belongs to the attempt's delta, not to what that follows or to a probe."""
    return key.count("/") == artifact("").count("/") + 1


def is_of_tables(key: str) -> bool:
    """Whether an object of an artifact holds rows of a table."""
    return "/tables/" in key


def migration(migration_id: str) -> str:
    return f"{MIGRATIONS}/{migration_id}"


def attempt(migration_id: str, number: int) -> str:
    return f"{migration(migration_id)}/{number}"


def early(attempt: str) -> str:
    """Where an attempt's early copy of the logs lies."""
    return f"{attempt}/early"


# Below an artifact.

MANIFEST = "manifest.json"
PROBE = "probe"
CUT_OVER_RUN = "cut-over"
CUT_OVER_REQUEST = f"{CUT_OVER_RUN}/request.json"
CUT_OVER_BEGUN = f"{CUT_OVER_RUN}/begun.json"
VERSIONS = "versions"
DAGS = "dags.json"


def step(artifact_id: str, step: str) -> str:
    """`step`: base, refresh_1 ..."""
    return f"{artifact_id}-{step.replace('_', '-')}"


def result(task: str, folder: str = "") -> str:
    return f"{folder}/{task}.json" if folder else f"{task}.json"


# Below a migration.

PLAN = "plan.json"
TARGET = "target.json"
CHAIN = "chain.json"
COPIED_DAGS = "copied_dags.json"

# Below an attempt.

PHASES = "phases/"
CHECKS = "checks/"
ADOPTED = "adopted.json"
CREATION = "settings.json"
TARGET_CHECKS = "target_checks.json"
CUT_OVER = "cut_over.json"
ROLLED_BACK = "rolled_back.json"
LOGS = "logs.json"


def phase(name: str) -> str:
    return f"{PHASES}{name.replace(' ', '_')}.json"


def hop(airflow_version: str) -> str:
    return f"hops/{airflow_version}.json"


def staged(airflow_version: str) -> str:
    return f"staged/{airflow_version}.json"


def checks(part: str) -> str:
    return f"{CHECKS}{part}.json"


def report(form: str, *, by_hand: bool = False) -> str:
    """`form`: json, html or md. `by_hand`: of a rollback, which leaves the report of what it undoes."""
    return f"{'roll_back_report' if by_hand else 'report'}.{form}"


# Below a copy of logs.

LOG_COPY = "logs/copy.json"
LOG_GROUPS = "logs/groups.json"
LOG_BATCHES = "logs/manifest.json"
LOG_ARCHIVES = "logs/archive/index.json"


def log_listing(part: int) -> str:
    return f"logs/listing/{part:06d}.json"


def log_journal(batch: int) -> str:
    return f"logs/batches/{batch:06d}.json"


def log_shares(end: str) -> str:
    """`end`: source or target, whose quotas are shared."""
    return f"logs/shares/{end}.json"


def log_archive(group: str, stream: str) -> str:
    """A hash stands for the stream's name, which may have any character and length."""
    return f"logs/archive/{group}/{hashlib.sha256(stream.encode()).hexdigest()[:32]}.jsonl.gz"
