"""Log templates: how the log files of a run are named, which the target must know to find them.

Since 2.3 Airflow keeps the template with the run, and a run without one has the first template of the table. Before 2.3
the template is configuration only, and the manifest carries it. Templates are matched by their text.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.airflow_schema.tables import LOG_TEMPLATE_TABLE
from mwaa_migrator.postgres.session import fetch_all, fetch_value
from mwaa_migrator.scratch.scratch_schema import ScratchSchema

#: [elasticsearch] log_id_template before Airflow 2.3. MWAA does not use it, and the column must not be NULL.
_OLD_ELASTICSEARCH_ID = "{dag_id}-{task_id}-{execution_date}-{try_number}"


def default_log_filename(scratch: ScratchSchema) -> str:
    """The template of the source's runs that have none."""
    return _default_template(scratch)[0]


def _default_template(scratch: ScratchSchema) -> tuple[str, str]:
    if not scratch.artifact.rows(LOG_TEMPLATE_TABLE):
        return scratch.artifact.manifest["log_filename_template"], _OLD_ELASTICSEARCH_ID
    query = sql.SQL("select filename, elasticsearch_id from {} order by id limit 1")
    filename, elasticsearch_id = fetch_all(scratch.connection, query.format(scratch.table(LOG_TEMPLATE_TABLE)))[0]
    return filename, elasticsearch_id


class TargetLogTemplates:
    """The target's templates during a merge."""

    def __init__(self, scratch: ScratchSchema) -> None:
        self._scratch = scratch
        self._connection = scratch.connection
        self._table = scratch.target.table(LOG_TEMPLATE_TABLE)
        self._newest = self._newest_template()
        self._default_id: int | None = None

    def _newest_template(self) -> Any:
        query = sql.SQL("select filename, elasticsearch_id from {} order by id desc limit 1").format(self._table)
        rows = fetch_all(self._connection, query)
        return rows[0] if rows else None

    def add_default(self) -> None:
        """Add the template of the source's runs that have none, unless the target has it by now.

        It must come after the source's own templates, so that none of them is in the target twice.
        """
        filename, elasticsearch_id = _default_template(self._scratch)
        query = sql.SQL("select id from {} where filename = {} order by id limit 1")
        found = fetch_value(self._connection, query.format(self._table, sql.Literal(filename)))
        self._default_id = self._add(filename, elasticsearch_id) if found is None else int(found)

    def _add(self, filename: str, elasticsearch_id: str) -> int:
        insert = sql.SQL("insert into {} (filename, elasticsearch_id, created_at) values ({}, {}, now()) returning id")
        values = sql.Literal(filename), sql.Literal(elasticsearch_id)
        return int(fetch_value(self._connection, insert.format(self._table, *values)))

    def or_default(self, value: sql.Composable) -> sql.Composable:
        """A run's template, or the default one that ``add_default`` has seen to."""
        assert self._default_id is not None
        return sql.SQL("coalesce({}, {})").format(value, sql.Literal(self._default_id))

    def keep_newest(self) -> None:
        """Add the target's newest template again if it is not the newest any more.

        New runs take the template with the highest id. Airflow itself does the same when its configuration changes.
        """
        if self._newest is not None and self._newest_template() != self._newest:
            self._add(*self._newest)
