"""StageRollBack: puts our DAGs into the source's folder, where one of them resumes the user's."""

from __future__ import annotations

from typing import Any

from migration.aws import clients
from migration.environments import dag_folder, s3_objects
from migration.exchange.locks import require_locks
from migration.observability import state


@state
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """`{"migration"}` -> `{"ours"}`: how many of our files are in the source's DAG folder."""
    migration = event["migration"]
    require_locks(migration, event["execution"])
    source = migration["source"]
    s3 = clients.s3(source["region"], s3_objects.COPIERS)
    return {"ours": dag_folder.put_our_dags(s3, source["bucket"], source["dagsPath"])}
