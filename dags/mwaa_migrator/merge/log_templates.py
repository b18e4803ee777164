"""Log templates: how the log files of a run are named, which the target must know to find them.

Airflow since 2.3 keeps the template with the run; a run without one has the first template of the table. Before 2.3
the template is configuration, which the manifest carries. Templates are matched by their text.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import sql

from mwaa_migrator.postgres.catalog import qualified
from mwaa_migrator.postgres.session import execute, fetch_all, fetch_value

#: [elasticsearch] log_id_template before Airflow 2.3; MWAA does not use it, and the column must not be NULL.
_OLD_ELASTICSEARCH_ID = "{dag_id}-{task_id}-{execution_date}-{try_number}"


class LogTemplates:
    """``with_default`` gives runs without a template the one that the source meant by that."""

    def __init__(self, connection: Any, scratch: str, schema: str, manifest: dict[str, Any]) -> None:
        self._connection = connection
        self._scratch = scratch
        self._target = qualified(schema, "log_template")
        self._manifest = manifest
        self._newest = self._newest_template()
        self._default: int | None = None

    def _newest_template(self) -> Any:
        query = sql.SQL("select filename, elasticsearch_id from {} order by id desc limit 1").format(self._target)
        rows = fetch_all(self._connection, query)
        return rows[0] if rows else None

    def with_default(self, value: sql.Composable) -> sql.Composable:
        if self._default is None:
            self._default = self._find_default()
        return sql.SQL("coalesce({}, {})").format(value, sql.Literal(self._default))

    def _default_template(self) -> tuple[str, str]:
        if not self._manifest["tables"].get("log_template", {}).get("rows"):
            return self._manifest["log_filename_template"], _OLD_ELASTICSEARCH_ID
        source = qualified(self._scratch, "log_template")
        query = sql.SQL("select filename, elasticsearch_id from {} order by id limit 1").format(source)
        filename, elasticsearch_id = fetch_all(self._connection, query)[0]
        return filename, elasticsearch_id

    def default_filename(self) -> str:
        """What a run of the source without a template means."""
        return self._default_template()[0]

    def _find_default(self) -> int:
        filename, elasticsearch_id = self._default_template()
        query = sql.SQL("select id from {} where filename = %s order by id limit 1").format(self._target)
        found = fetch_value(self._connection, query, (filename,))
        if found is None:
            insert = sql.SQL(
                "insert into {} (filename, elasticsearch_id, created_at) values (%s, %s, now()) returning id"
            ).format(self._target)
            found = fetch_value(self._connection, insert, (filename, elasticsearch_id))
        return int(found)

    def keep_newest(self) -> None:
        """New runs take the template with the highest id, so the target's own must have it, as Airflow would see to."""
        if self._newest is not None and self._newest_template() != self._newest:
            insert = sql.SQL("insert into {} (filename, elasticsearch_id, created_at) values (%s, %s, now())")
            execute(self._connection, insert.format(self._target), self._newest)
