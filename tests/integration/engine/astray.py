"""What finds rows that refer to the wrong row, in a database filled by `rows_2_10.sql`."""

from __future__ import annotations

#: Rows whose reference does not lead to the row whose name they hold (see rows_2_10.sql), of the source's.
ASTRAY_IN_2 = {
    **{
        f"{table}.{column}": f"""
        {table} t left join {parent} p on p.id = t.{column}
         where t.dag_id like 'source%' and p.{name} is distinct from t.{held_in}"""
        for table in ("task_instance", "task_instance_history")
        for column, parent, name, held_in in (
            ("job_id", "job", "hostname", "hostname"),
            ("queued_by_job_id", "job", "hostname", "unixname"),
            ("trigger_id", "trigger", "classpath", "next_method"),
        )
    },
    "dag_run.creating_job_id": """
        dag_run t left join job p on p.id = t.creating_job_id
         where t.dag_id like 'source%' and p.hostname is distinct from t.dag_hash""",
    "trigger.triggerer_id": """
        trigger t left join job p on p.id = t.triggerer_id
         where t.classpath like 'source%' and t.classpath not like '%.' || coalesce(p.hostname, '')""",
    "xcom.dag_run_id": """
        xcom t left join dag_run p on p.id = t.dag_run_id
         where t.dag_id like 'source%' and (p.dag_id, p.run_id) is distinct from (t.dag_id, t.run_id)""",
    "dag_run_note.dag_run_id": r"""
        dag_run_note t left join dag_run p on p.id = t.dag_run_id
         where p.dag_id is null or not starts_with(t.content, p.run_id || E'\n')""",
    "dataset_event.dataset_id": """
        dataset_event t left join dataset p on p.id = t.dataset_id where p.uri is distinct from t.extra ->> 'uri'""",
    "dagrun_dataset_event": """
        dagrun_dataset_event t left join dag_run r on r.id = t.dag_run_id left join dataset_event e on e.id = t.event_id
         where r.run_id is distinct from e.extra ->> 'caused' or r.dag_id is distinct from e.source_dag_id""",
    "dataset_alias_dataset": """
        dataset_alias_dataset t
          left join dataset_alias a on a.id = t.alias_id left join dataset p on p.id = t.dataset_id
         where p.uri is null or not starts_with(p.uri, 's3://' || split_part(a.name, '_', 1))""",
    "dataset_alias_dataset_event": """
        dataset_alias_dataset_event t
          left join dataset_alias a on a.id = t.alias_id left join dataset_event e on e.id = t.event_id
         where e.extra is null or not starts_with(e.extra ->> 'uri', 's3://' || split_part(a.name, '_', 1))""",
}
