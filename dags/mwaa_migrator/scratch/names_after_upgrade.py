"""What Airflow's migrations have called the artifact's tables: a dataset is an asset in Airflow 3.

A table keeps its oid when it is renamed, so no list of names is needed.
"""

from __future__ import annotations

from typing import Dict, Mapping

from mwaa_migrator.postgres.session import fetch_all
from mwaa_migrator.scratch.scratch_schema import ScratchSchema


def table_oids(scratch: ScratchSchema) -> Dict[str, int]:
    """The scratch schema's tables and their oids; leaves the session out of a transaction."""
    query = """
        select c.relname::text, c.oid::bigint from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = %s and c.relkind in ('r', 'p')
    """
    found = dict(fetch_all(scratch.connection, query, (scratch.name,)))
    scratch.connection.rollback()
    return found


def names_after_upgrade(scratch: ScratchSchema, before: Mapping[str, int]) -> Dict[str, str]:
    """Old name to present name; a table that is gone, or was made anew, has its old one.

    ``before`` is what ``table_oids`` returned before the upgrade.
    """
    present = {oid: name for name, oid in table_oids(scratch).items()}
    return {name: present.get(oid, name) for name, oid in before.items()}
