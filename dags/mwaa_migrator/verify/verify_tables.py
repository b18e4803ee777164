"""The temporary tables of verify."""

from __future__ import annotations

from mwaa_migrator.postgres.temporary_tables import named

#: ``row, identity, content`` of each row, as ``comparable_rows`` selects them.
SOURCE_ROWS = named("source_rows")
TARGET_ROWS = named("target_rows")
#: ``identity, content, kept`` of each row that the merge did not write.
ROWS_NOT_WRITTEN = named("rows_not_written")
#: ``table_name, dag_id, run_id, rows, sum`` of each run in the target.
RUN_SUMS = named("run_sums")
