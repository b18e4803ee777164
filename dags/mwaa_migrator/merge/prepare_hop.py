"""Mends a target's own rows before it is upgraded in place to Airflow 3, so that the upgrade cannot fail for them.

A verify that comes later mends the artifact's rows in its scratch schema in the same way, and compares those.
"""

from __future__ import annotations

from typing import Any, Dict

from mwaa_migrator.mending.mend_rows import mend_rows
from mwaa_migrator.merge.receipts import note_hop
from mwaa_migrator.progress import Progress
from mwaa_migrator.scratch.scratch_schema import import_lock
from mwaa_migrator.this_airflow.database import metadata_database
from mwaa_migrator.this_airflow.place import session_name


def prepare_hop(
    airflow_version: str, pickled_xcoms: str, progress: Progress, run_id: str | None = None
) -> Dict[str, Any]:
    """``airflow_version`` is that after the hop, ``pickled_xcoms`` a value of ``options.py``, ``run_id`` a task's.

    Returns ``{"changed_for_hop", "phases"}``; ``changed_for_hop`` is what ``mend_rows`` returns.
    """
    with metadata_database(session_name("hop", run_id)) as target, import_lock(
        target.connection, run_id
    ), progress.phase("mend"):
        lines = mend_rows(target.connection, target.schema, target.revision, airflow_version, pickled_xcoms)
        note_hop(target.connection, airflow_version, pickled_xcoms)
        target.connection.commit()
    for line in lines:
        progress.say(line)
    return {"changed_for_hop": lines, "phases": progress.phases}
