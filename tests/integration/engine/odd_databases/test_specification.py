"""What becomes of odd databases: the case, the version of its Airflow, and how a migration to the target's ends.

Each case names the files of this folder that made the source or the target odd; their heads name public reports.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local.installations import airflow_installation
from sources.deployment import Deployment

TARGET = "2.11.2"

IN_SCHEMA_AIRFLOW = {"database__sql_alchemy_schema": "airflow"}

Rows = list[tuple[Any, ...]]


class Refused(NamedTuple):
    """The export ends with code 3 before anything is written, and its message says what is wrong with what."""

    error: str
    says: Sequence[str]


class ImportFails(NamedTuple):
    """The import ends with a message that says what is wrong with what, and the target is as it was.

    Code 3 says that nothing was written, so that a probe finds it before anything is paused.
    """

    error: str
    says: Sequence[str]
    code: int = 4


class Arrives(NamedTuple):
    """Each row of the source is in the target, proven by verify, but for those ``left_behind``, counted by table.

    ``says`` is what export or import tell of them; ``finds`` are queries in the target with their rows. ``kept`` are
    the tables of which the target has rows of the same identity, beside those that each Airflow fills.
    """

    left_behind: Mapping[str, int] = {}
    says: Sequence[str] = ()
    finds: Mapping[str, Rows] = {}
    kept: Sequence[str] = ()


class Case(NamedTuple):
    name: str
    airflow: str
    source: Sequence[str]
    ends: Refused | ImportFails | Arrives
    target: Sequence[str] = ()
    export: Sequence[str] = ()
    #: Of the database that is odd by its server, its encoding or Airflow's configuration.
    made: Mapping[str, str] = {}
    made_target: Mapping[str, str] = {}
    to: str = TARGET
    #: The Airflow 3 that the target is upgraded to in place, once verify has passed.
    hop: str | None = None


CASES = [
    # At which revision the tables are.
    Case("alembic_empty", "2.5.1", ["no_revision"], Refused("RevisionUnclear", ["public.alembic_version is empty"])),
    Case("alembic_empty", "2.10.3", ["no_revision"], Refused("RevisionUnclear", ["public.alembic_version is empty"])),
    Case(
        "alembic_two_rows", "2.5.1", ["two_revisions"],
        Refused("RevisionUnclear", ["has 2 revisions (1986afd32c1b, 290244fb8b83)"]),
    ),
    Case(
        "alembic_two_rows", "2.10.3", ["two_revisions"],
        Refused("RevisionUnclear", ["has 2 revisions (1986afd32c1b, "]),
    ),
    Case(
        "newer_revision", "2.5.1", ["newer_revision"],
        Refused("RevisionUnclear", ["has the revision ffffffffffff, which Airflow 2.5.1 does not know"]),
    ),

    # Where Airflow's tables are.
    Case(
        "schema_option_source", "2.10.3", ["tables_in_two_schemas", "session_in_public"],
        Refused("AirflowTablesMissing", [
            "alembic_version lies in public, and dag_run, task_instance, xcom, connection, dag and 4 more in airflow"
        ]),
        made=IN_SCHEMA_AIRFLOW,
    ),
    Case(
        "schema_option_gone", "2.10.3", ["tables_in_two_schemas"],
        Refused("AirflowTablesMissing", ["alembic_version lies in public, and dag_run"]),
    ),
    Case(
        "newer_tables_in_users_schema", "2.10.3", ["newer_tables_in_users_schema"],
        Refused("AirflowTablesMissing", [
            "by its search_path Airflow finds dataset_event, task_instance_note in airflow_owner"
        ]),
    ),
    Case(
        "stale_airflow_in_public", "2.10.3", ["stale_airflow_in_public"],
        Refused("AirflowTablesMissing", [
            "alembic_version lies in public, and Airflow takes its tables from airflow (sql_alchemy_schema)"
        ]),
        made=IN_SCHEMA_AIRFLOW,
    ),
    Case(
        "log_is_a_view", "2.10.3", ["log_is_a_view"],
        Refused("AirflowTablesMissing", ["log is no table there but a view or a foreign table"]),
    ),
    Case(
        "views_in_place_of_tables", "2.10.3", ["views_in_place_of_tables"],
        Refused("AirflowTablesMissing", [
            "dag_run_note, task_reschedule is no table there but a view or a foreign table"
        ]),
    ),
    Case(
        "table_in_archive", "2.10.3", ["table_in_archive"],
        Refused("AirflowTablesMissing", [
            "alembic_version lies in public, and task_fail in archive; task_map in no schema that this user sees"
        ]),
    ),
    Case(
        "one_table_in_public", "2.10.3", ["target_in_a_schema_of_its_own", "one_table_in_public"],
        Refused("AirflowTablesMissing", ["alembic_version lies in airflow, and task_reschedule in public"]),
        made=IN_SCHEMA_AIRFLOW,
    ),
    Case(
        "schema_option_target", "2.8.1", ["clear_trigger_2_8"],
        Arrives(finds={"select left(kwargs, 6) from airflow.trigger": [("gAAAAA",)]}),
        target=["target_in_a_schema_of_its_own"], made_target=IN_SCHEMA_AIRFLOW,
    ),

    # The server, and what stands between it and us.
    Case("idle_session_target", "1.10.12", ["history_1_10"], Arrives(), target=["closes_idle_sessions"]),
    Case("idle_session_target", "2.5.1", ["history"], Arrives(), target=["closes_idle_sessions"]),
    Case("postgres_11_floats", "2.10.3", ["history"], Arrives(), made={"server": "11"}),
    Case(
        "latin1_database", "2.10.3", ["history", "latin1_names"],
        Arrives(finds={
            "select distinct owner, extra from log where dag_id = 'd'": [("José", '{"a": "é"}')],
            "select key, description, val is not null from variable": [("stadt", "Größe", True)],
        }),
        made={"encoding": "LATIN1"},
    ),
    Case(
        "latin1_target", "2.10.3", ["history", "unicode_xcom"],
        Arrives(finds={"select distinct owner from log where dag_id = 'd'": [("José",)]}),
        made_target={"encoding": "LATIN1"},
    ),
    Case("no_encoding", "2.10.3", ["history", "unicode_xcom"], Arrives(), made={"encoding": "SQL_ASCII"}),
    Case(
        "no_utf8", "2.10.3", ["history", "no_utf8"],
        Refused("MigrationWouldFail", [
            "1 row of log (6): their owner holds bytes that are not UTF-8",
            r"1 row of variable (k\366ln): their key holds bytes that are not UTF-8", "--set-aside values",
        ]),
        made={"encoding": "SQL_ASCII"},
    ),
    Case(
        "no_utf8", "2.10.3", ["history", "no_utf8"], Arrives({"log": 1, "variable": 1}),
        export=["--set-aside", "values"], made={"encoding": "SQL_ASCII"},
    ),
    Case(
        "bulk_without_create_on_schema", "2.10.3", ["history", "much_log"], Arrives(),
        target=["schema_of_the_administrator"],
    ),
    Case("bulk_with_a_view_on_a_key", "2.10.3", ["history", "much_log"], Arrives(), target=["view_that_needs_a_key"]),

    Case("settings_of_the_role", "2.5.1", ["history", "settings_of_the_role"], Arrives()),
    Case("settings_of_the_role", "2.5.1", ["history"], Arrives(), target=["settings_of_the_role"]),
    Case(
        "settings_of_the_role", "2.10.3", ["history", "settings_of_the_role", "read_only_role"], Arrives(),
        target=["settings_of_the_role"],
    ),
    Case(
        "read_only_role", "2.10.3", ["history"],
        ImportFails("DatabaseNotWritable", ["default_transaction_read_only is on", "RESET"], code=3),
        target=["read_only_role"],
    ),
    Case(
        "latin1_target", "2.10.3", ["variables_in_two_cases"],
        ImportFails("DatabaseFailed", ["The database's encoding lacks a character", "COPY variable"]),
        made_target={"encoding": "LATIN1"},
    ),

    # What is in the schema beyond Airflow's, or is not there.
    Case(
        "ddl_forbidden", "2.10.3", ["history"],
        ImportFails(
            "DatabaseNotWritable", ["(no_ddl)", "only the platform team may: CREATE SCHEMA", "DISABLE"], code=3
        ),
        target=["ddl_forbidden"],
    ),
    Case(
        "ddl_noted", "2.10.3", ["history", "ddl_noted"],
        ImportFails("DatabaseNotWritable", ["(note_ddl)", "ALTER EVENT TRIGGER note_ddl DISABLE"], code=3),
        target=["ddl_noted"],
    ),
    Case(
        "refusing_trigger", "2.10.3", ["history"],
        ImportFails("RowsDoNotFit", ["log: the target's table does not take the rows: no cli here", "trigger guard"]),
        target=["refusing_trigger"],
    ),
    Case(
        "swallowing_rule", "2.10.3", ["history"], ImportFails("RowsUnaccounted", ["log: 5 rows", "rule no_cli"]),
        target=["swallowing_rule"],
    ),
    Case(
        "unique_in_lower_case", "2.10.3", ["variables_in_two_cases"],
        ImportFails("RowsDoNotFit", ["variable: ", 'unique constraint "variable_lower"', "(größe) already exists"]),
        target=["unique_in_lower_case"],
    ),
    Case(
        "enum_in_target", "2.10.3", ["history"],
        ImportFails("RowsDoNotFit", ["dag_run: the target's table does not take the rows", "of type run_state"]),
        target=["enum_in_target"],
    ),
    Case(
        "table_in_capitals", "2.10.3", ["table_in_capitals"],
        Refused("AirflowTablesMissing", ['xcom is called "XCOM" there']),
    ),
    Case("unowned_sequences", "2.5.1", ["history", "unowned_sequences"], Arrives()),
    Case(
        "unowned_sequences", "2.10.3", ["history", "unowned_sequences"],
        Arrives(kept=["dag_run", "job", "task_instance", "variable"]), target=["history", "unowned_sequences"],
    ),
    Case(
        "odd_numbers", "2.10.3", ["history", "odd_numbers"],
        Arrives(
            kept=["dag_run", "job", "task_instance", "variable"],
            finds={"select last_value >= (select max(id) from job) from job_id_seq": [(True,)]},
        ),
        target=["history", "odd_numbers"],
    ),
    Case(
        "odd_numbers", "2.5.1", ["history", "odd_numbers"],
        Arrives(finds={
            "select count(*) from app.run_numbers where last_value >= (select max(id) from dag_run)": [(1,)]
        }),
        target=["odd_numbers"],
    ),
    Case(
        "numbers_by_a_function", "2.10.3", ["history"],
        ImportFails("RowsDoNotFit", ["log.id takes its numbers in the target from next_number()"]),
        target=["numbers_by_a_function"],
    ),
    Case(
        "references_without_constraints", "2.10.3", ["history", "waiting_tasks", "references_without_constraints"],
        Arrives(finds={
            "select count(*) from dag_run join log_template l on l.id = log_template_id where dag_id = 'd'": [(4,)],
            "select run_id, t.id > 2 from task_instance join trigger t on t.id = trigger_id order by 1": [
                ("r1", True), ("r2", True),
            ],
        }),
        target=["waiting_tasks", "references_without_constraints"],
    ),
    Case(
        "one_sequence_for_two_tables, long_password", "2.5.1",
        ["history", "one_sequence_for_two_tables", "long_password"],
        Arrives(finds={"select conn_id, password like 'gAAAA%' from connection": [("key", True)]}),
    ),
    Case(
        "table_event_enum, table_event_fk", "2.5.1", ["history", "application_table_event"],
        Arrives(says=['"event": "not a table of this Airflow"', '"page": "not a table of this Airflow"']),
        target=["application_table_event"],
    ),
    Case(
        "table_event_enum, table_event_fk", "2.5.1", ["history", "application_table_event"], Arrives(),
        export=["--exclude-tables", "event,page"],
    ),
    Case(
        "handmade_index_name", "2.5.1", ["history", "handmade_indexes"],
        Arrives(says=['"indexes_left_out": ["idx_log_dttm", "one_description", "slow_runs"]']),
    ),
    Case(
        "ti_without_pk", "2.4.3", ["ti_without_pk"],
        Refused("PrimaryKeyMissing", ["task_instance", "ADD PRIMARY KEY (dag_id, task_id, run_id, map_index)"]),
    ),
    Case(
        "ti_without_pk", "2.2.2", ["ti_without_pk"],
        Refused("PrimaryKeyMissing", ["task_instance", "ADD PRIMARY KEY (dag_id, task_id, run_id)"]),
    ),

    Case("partitioned_log", "2.10.3", ["history", "partitioned_log"], Arrives()),
    Case(
        "unlogged_and_reordered, changed_types", "2.10.3", ["history", "unlogged_and_reordered", "changed_types"],
        Arrives(finds={"select distinct duration from task_instance": [(1.234567,)]}),
    ),
    Case(
        "renamed_constraints", "2.5.1", ["history", "renamed_constraints"],
        Arrives(says=["task_map has no constraint task_map_task_instance_fkey, which a migration drops: made one"]),
    ),
    Case(
        "references_an_application", "2.5.1", ["history", "references_an_application"],
        Arrives(says=['"constraints_left_out": ["task_instance_duration_check", "variable_team_fkey"]']),
    ),
    Case(
        "other_types", "2.10.3", ["history", "other_types"],
        Arrives(finds={
            "select pid, operator from task_instance where pid is not null": [(12, "an operator")],
            "select is_encrypted, val like 'gAAAAA%' from variable": [(True, True)],
        }),
    ),
    Case(
        "other_types, other_values", "2.10.3", ["history", "other_types", "other_values"],
        Refused("MigrationWouldFail", [
            "1 row of task_instance (d t r2 -1): the target's column pid is an integer, and their number is none",
            "1 row of task_instance (d t r3 -1): the target's column operator takes 1,000 characters",
            "1 row of task_instance (d t r4 -1): the target's column pid is an integer, and their number is beyond",
        ]),
    ),
    Case(
        "exact_numbers", "2.10.3", ["history", "exact_numbers"],
        Arrives(
            says=["1 row of task_instance (d t r1 -1): their duration is kept exactly, and is rounded to what a"],
            finds={"select distinct duration from task_instance order by 1": [(0.12345678901234568,), (1.234567,)]},
        ),
    ),
    Case(
        "text_columns", "2.10.3", ["history", "text_columns"],
        Arrives(finds={
            "select pid, duration::text, start_date::text, max_tries from task_instance where start_date is not null": [
                (12, "1", "2026-01-02 02:04:05.5+00", 3), (None, "NaN", "infinity", -1),
            ],
            "select distinct external_trigger from dag_run": [(True,)],
        }),
    ),
    Case(
        "text_columns, text_values", "2.10.3", ["history", "text_columns", "text_values"],
        Refused("MigrationWouldFail", [
            "1 row of task_instance (d t r1 -1): the target's column pid is an integer, and theirs is text that "
            "is none",
            "(d t r2 -1): the target's column duration is a floating-point number, and theirs is text that is none",
            "(d t r3 -1): the target's column start_date is a time, and theirs is text that is none",
            "(d t r4 -1): the target's column max_tries is an integer, and theirs is text that is none",
            "1 row of dag_run (d r4): the target's column external_trigger is a boolean, and theirs is text",
            "the target's column job_id is an integer, and theirs is text by which rows refer to each other",
        ]),
    ),
    Case("partitioned_xcom", "2.10.3", ["history", "partitioned_xcom"], Arrives()),
    Case("always_identity", "2.10.3", ["history"], Arrives(), target=["always_identity"]),
    Case(
        "other_unique_keys", "2.10.3", ["history"],
        Arrives(kept=["variable"], finds={"select count(*) from variable": [(1,)]}), target=["other_unique_keys"],
    ),
    Case("identity_columns", "2.5.1", ["history", "identity_columns"], Arrives(), target=["identity_columns"]),
    Case(
        "no_numbers_in_target, inherited_log", "2.10.3", ["history", "inherited_log"], Arrives(),
        target=["no_numbers_in_target"],
    ),
    Case(
        "added_columns", "2.10.3", ["history", "added_columns"],
        Arrives(says=[
            '"columns_left_out": ["dag_run.created_dag_version_id", "dag_run.key", "log_template.task_prefix", '
            '"task_instance.team"]'
        ]),
        target=["added_columns_in_target"],
    ),
    Case(
        "applications_objects", "2.5.1", ["history", "applications_objects"],
        Arrives(says=[
            '"columns_left_out": ["task_instance.email", "task_instance.owner", "task_instance.user_id", '
            '"xcom.description"]',
            '"indexes_left_out": ["ix_slow_tasks"]', '"constraints_left_out": ["one_description"]',
        ]),
        target=["added_columns_in_target"],
    ),
    Case("unique_conn_id_1_10", "1.10.12", ["history_1_10", "unique_conn_id_1_10"], Arrives()),
    Case(
        "row_level_security", "2.10.3", ["history", "row_level_security"],
        Refused("MissingRight", ["row-level security policy for table \"task_instance\""]),
    ),
    Case(
        "row_level_security", "2.10.3", ["history"],
        ImportFails("MissingRight", ["policy for table \"task_instance\"", "NO FORCE ROW LEVEL SECURITY"], code=3),
        target=["row_level_security"],
    ),

    # Columns that somebody has changed.
    Case(
        "widened_columns", "2.10.3", ["history", "widened_columns"],
        Refused("MigrationWouldFail", [
            "1 row of task_instance (d t r1 -1): the target's column operator takes 1,000 characters",
            "1 row of task_instance (d t r2 -1): the target's column pid is an integer",
            "1 row of task_instance (d t r3 -1): the target's column pool takes no NULL",
            "): the target's column event takes 60 characters", "--set-aside nulls,values",
        ]),
    ),
    Case(
        "widened_columns", "2.10.3", ["history", "widened_columns"], Arrives({"task_instance": 3, "log": 1}),
        export=["--set-aside", "nulls,values"],
    ),
    Case(
        "log_ids_apart", "2.10.3", ["history", "log_ids_apart"],
        Refused("KeysTooFarApart", ["log.id runs from 1 to 3,000,000,000", "--days"]),
    ),
    Case(
        "strict_target", "2.10.3", ["history", "for_a_strict_target"],
        ImportFails("RowsDoNotFit", [
            "4 rows of task_instance (d t r1 -1, d t r2 -1, ",
            "): the target's column operator takes 3 characters",
            "1 row of log (1): the target's column extra takes no NULL",
            "5 rows of log (1, 2, 3, 4, 5): the target asks for CHECK (dag_id",
        ]),
        target=["strict_target"],
    ),

    # Rows that a sound database does not have.
    *(
        Case(
            "dangling_2_10", airflow, ["history", "without_parents"],
            Arrives(
                {"task_instance": 1},
                says=[
                    "1 row of task_instance whose dag_run is missing, set aside: d t r3 -1",
                    "1 row of task_instance whose trigger is missing, trigger_id was cleared: d t r1 -1",
                    "1 row of dag_run whose log_template is missing, log_template_id was cleared",
                    '"set_aside_reasons": {"its parent is not in the artifact": 1}',
                ],
            ),
            target=target,
        )
        for airflow in ("2.5.1", "2.10.3")
        for target in ([], ["much_log"])
    ),
    Case(
        "xcom_of_a_lost_task", "2.5.1", ["history", "xcom_of_a_lost_task"],
        Arrives({"xcom": 1}, says=["1 row of xcom whose task_instance is missing, set aside"]),
    ),
    Case(
        "xcom_of_no_run", "2.10.3", ["history", "xcom_of_no_run"],
        Arrives({"xcom": 1}, says=['"set_aside_reasons": {"its dag_run is not in the target": 1}']),
    ),
    Case(
        "trigger_other_fernet_key", "2.10.3", ["history", "trigger_other_fernet_key"],
        Refused("UndecryptableSecret", ["trigger 8 (kwargs)", "--skip-undecryptable"]),
    ),
    Case(
        "trigger_other_fernet_key", "2.10.3", ["history", "trigger_other_fernet_key"],
        Arrives(
            {"trigger": 1},
            says=['["1 row of task_instance whose trigger is missing, trigger_id was cleared: d t r2 -1"]'],
            finds={
                "select count(*) from task_instance where trigger_id is not null": [(2,)],
                "select count(*) from task_instance": [(4,)],
            },
        ),
        export=["--skip-undecryptable"],
    ),
    Case(
        "undecryptable_last_trigger", "2.10.3", ["history", "undecryptable_last_trigger"],
        Arrives(
            {"trigger": 1},
            says=['["1 row of task_instance whose trigger is missing, trigger_id was cleared: d t r2 -1"]'],
        ),
        export=["--skip-undecryptable"],
    ),
    Case(
        "waiting_tasks", "2.10.3", ["history", "waiting_tasks"],
        Arrives(
            says=['["2 rows of task_instance whose trigger is missing, trigger_id was cleared: d t r1 -1, d t r2 -1"]'],
        ),
        export=["--exclude-tables", "trigger"],
    ),
    Case(
        "without dag_run", "2.5.1", ["history"],
        Arrives(
            {"task_instance": 4},
            says=[
                "4 rows of task_instance whose dag_run is missing, set aside: ",
                '"set_aside_reasons": {"its parent is not in the artifact": 4}',
            ],
        ),
        export=["--exclude-tables", "dag_run"],
    ),
    Case(
        "orphan_without_foreign_key", "2.5.1", ["history", "orphan_without_foreign_key"],
        Arrives(
            {"task_instance": 2, "task_reschedule": 2},
            says=[
                "2 rows of task_instance whose dag_run is missing, set aside: d t r1 -1, d t r3 -1",
                "2 rows of task_reschedule whose task_instance is missing, set aside: ",
            ],
        ),
    ),
    Case(
        "orphan_without_foreign_key", "2.10.3", ["history", "orphan_without_foreign_key"],
        Arrives(
            {"task_instance": 2, "task_reschedule": 2},
            says=[
                "2 rows of task_instance whose dag_run is missing, set aside: d t r1 -1, d t r3 -1",
                "2 rows of task_reschedule whose task_instance is missing, set aside: ",
            ],
        ),
        to="3.2.1",
    ),
    Case(
        "trigger_pod_2_8", "2.8.1", ["pod_trigger"],
        Arrives(
            {"trigger": 1},
            says=[
                '["trigger 1 (own.PodTrigger) of d t r1, set aside: this Airflow cannot read it',
                '''"set_aside_reasons": {"the target's Airflow cannot read it": 1}''',
            ],
            finds={
                "select classpath from trigger": [("own.Wait",)],
                "select run_id from task_instance where trigger_id is not null": [("r2",)],
            },
        ),
    ),
    Case("date_before_year_1_1_10", "1.10.12", ["history_1_10", "date_before_year_1_1_10"], Arrives()),
    Case("date_before_year_1", "2.10.3", ["time_before_year_1"], Arrives()),

    # Rows that Airflow's migrations do not take, or set aside.
    Case(
        "runs_twice", "2.10.3", ["history", "runs_twice"],
        Refused("MigrationWouldFail", ["1 row of dag_run (d r1 ", "--set-aside duplicates"]),
    ),
    Case(
        "runs_twice", "2.10.3", ["history", "runs_twice"], Arrives({"dag_run": 1}),
        export=["--set-aside", "duplicates"],
    ),
    Case(
        "keys_twice", "2.10.3", ["history", "keys_twice"],
        Refused("MigrationWouldFail", [
            "1 row of variable (stadt ", "1 row of slot_pool (p ", "1 row of dataset (s3://a ",
            "1 row of dag_run (d r1 ",
            "the unique constraint on dag_id, run_id is missing, and the target has it", "--set-aside duplicates",
        ]),
    ),
    Case(
        "keys_twice", "2.10.3", ["history", "keys_twice"],
        Arrives(
            {"variable": 1, "slot_pool": 1, "dataset": 1, "dag_run": 1},
            finds={"select slots from slot_pool where pool = 'p'": [(1,)]},
        ),
        export=["--set-aside", "duplicates"],
    ),
    Case(
        "task_fail_twice, null_pool_slots_1_10, null_run_id_1_10", "1.10.12",
        ["history_1_10", "task_fail_twice", "null_pool_slots_1_10", "null_run_id_1_10"],
        Arrives({"dag_run": 1}, says=['"set_aside_reasons": {"moved by Airflow\'s migrations": 1}']),
    ),
    Case(
        "dup_conn_id_1_10", "1.10.12", ["dup_conn_id_1_10"],
        Refused("MigrationWouldFail", [
            "connection (hive_cli node-2 ", "1 row of connection (typeless ", "--set-aside duplicates,nulls"
        ]),
    ),
    Case(
        "dup_conn_id_1_10, dup_xcom_1_10", "1.10.12", ["history_1_10", "dup_conn_id_1_10", "dup_xcom_1_10"],
        Arrives(
            {"connection": 2, "xcom": 1},
            says=["set aside: 1 row of connection (hive_cli node-2 ", "set aside: 1 row of xcom (d t "],
            finds={
                "select conn_id, host from connection": [("hive_cli", "node-1")],
                "select distinct convert_from(value, 'UTF8') from xcom": [("newest",)],
            },
        ),
        export=["--set-aside", "duplicates,nulls"],
    ),
    Case(
        "dup_xcom_1_10", "1.10.12", ["history_1_10", "dup_xcom_1_10"],
        Arrives({"xcom": 1}, says=["set aside: 1 row of xcom (d t "]),
    ),
    Case(
        "hop_xcom_nul", "2.10.3", ["history", "hop_xcom_nul"],
        Arrives(says=["an upgrade to Airflow 3 would fail: 1 row of xcom (d t r1 -1 k)", "NUL"]),
    ),
    Case(
        "hop_xcom_nul", "2.10.3", ["history", "hop_xcom_nul"],
        Arrives({"xcom": 0}),
        export=["--target-version", "3.2.1"],
    ),
    Case(
        "hop_xcom_nul", "2.10.3", ["history", "hop_xcom_nul"], Arrives({"xcom": 0}),
        export=["--target-version", "3.2.1", "--set-aside", "values"],
    ),
    Case(
        "what_jsonb_does_not_take", "2.10.3", ["history", "what_jsonb_does_not_take"],
        Arrives(
            says=[
                "1 XCom (d t r1 -1 broken): their value was no JSON",
                "1 XCom (d t r1 -1 deep): their value was cleared", "containers nested too deeply",
                "1 XCom (d t r2 -1 escaped)", "a NUL character",
                "1 XCom (d t r2 -1 fraction): their value has NaN or Infinity",
                "1 XCom (d t r3 -1 bytes)", "1 run (d r1): their conf was cleared", "half a character",
            ],
            finds={
                "select key, left(value::text, 30) from xcom order by 1": [
                    ("broken", r'"{\"a\": [1, 2}"'), ("bytes", None), ("deep", None), ("escaped", None),
                    ("fraction", '"Infinity"'), ("small", "1" + "0" * 29), ("text", r'"1e200000 \\u0000 {[NaN"'),
                ],
                "select run_id, conf from dag_run where run_id < 'r4' order by 1": [
                    ("r1", None), ("r2", {"a": 0}), ("r3", None),
                ],
            },
        ),
        export=["--target-version", "3.2.1"], hop="3.2.1",
    ),
]  # fmt: skip


def named(case: Case) -> str:
    how = {Refused: "refused", ImportFails: "fails", Arrives: "arrives"}[type(case.ends)]
    to = [] if case.to == TARGET else [case.to]
    return "-".join([case.name, case.airflow, *to, *case.target, *case.export, *filter(None, [case.hop]), how])


@pytest.mark.parametrize("case", CASES, ids=named)
def test_specification(case: Case, odd: Callable[..., Deployment], tmp_path: Path) -> None:
    source = odd(case.airflow, *case.source, **case.made)
    if isinstance(case.ends, Refused):
        refused = source.run("export", "--to", str(tmp_path), *case.export)
        assert (refused.code, refused.error) == (3, case.ends.error)
        assert [text for text in case.ends.says if text not in refused.message] == []
        assert not list(tmp_path.rglob("manifest.json"))
        return
    target = odd(case.to, *case.target, **case.made_target)
    exported = source.run("export", "--to", str(tmp_path), *case.export)
    assert exported.code == 0, exported.stderr
    if isinstance(case.ends, ImportFails):
        content = target.content()
        failed = target.run("import", "--from", str(tmp_path))
        assert (failed.code, failed.error) == (case.ends.code, case.ends.error)
        assert [text for text in case.ends.says if text not in failed.message] == []
        assert target.content() == content
        return
    imported = target.run("import", "--from", str(tmp_path))
    assert imported.code == 0, imported.stderr
    # The target's own triggers are the only rows that Airflow's code, run by verify, could write.
    schema = case.made_target.get("database__sql_alchemy_schema", "public")
    triggers = f"select xmin::text, kwargs from {schema}.trigger order by id"
    before = target.rows(triggers)
    assert target.succeed("verify", "--from", str(tmp_path))["verified"]
    assert target.rows(triggers) == before
    arrived = {name: table["merged"] + table["kept"] for name, table in imported.result["tables"].items()}
    there = source.counts()
    expected = {
        # What the target knows of DAGs its own scheduler writes.
        name: there[name] - case.ends.left_behind.get(name, 0)
        for name in exported.result["tables"]
        if name != "dag"
    }
    assert {name: arrived.get(name, 0) for name in expected} == expected
    kept = {name for name, table in imported.result["tables"].items() if table["kept"]}
    assert kept - {"log_template", "slot_pool"} == set(case.ends.kept)
    parts = [exported, imported]
    if case.hop is not None:
        parts.append(target.run("prepare-hop", "--to-version", case.hop))
        assert parts[-1].code == 0, parts[-1].stderr
        target = target.having(installation=airflow_installation.install(case.hop), home=tmp_path / case.hop)
        target.installation.migrate_database(target.environment())
    told = "\n".join(json.dumps(part.result, ensure_ascii=False) + part.stderr for part in parts)
    assert [text for text in case.ends.says if text not in told] == []
    assert {query: target.rows(query) for query in case.ends.finds} == case.ends.finds
