"""The tables of an Airflow database on PostgreSQL, by Alembic revision.

``postgres_schemas.json.gz`` has them as the catalog of real databases gave them (tools/postgres_schemas.py); a test
compares it with what each Airflow makes. The target's migrations refer to constraints by the names that Airflow's
migrations have given them on PostgreSQL, which other databases do not keep and models do not have.
"""

from __future__ import annotations

import json
import pkgutil
import zlib
from functools import lru_cache
from typing import Any, Dict

from mwaa_migrator.artifact.schema_description import described_tables
from mwaa_migrator.errors import DatabaseNotSupported
from mwaa_migrator.postgres.catalog import Table
from mwaa_migrator.this_airflow.release import version_tuple

_FILE = "postgres_schemas.json.gz"
_GZIP = 31  # zlib's wbits for a gzip header and trailer


def tables_at(revision: str) -> Dict[str, Table]:
    """All tables of the schema, by name; raises DatabaseNotSupported for a revision that no release ends at."""
    content = _read()
    found = content["revisions"].get(revision)
    if found is None:
        versions = sorted((one["airflow_version"] for one in content["revisions"].values()), key=version_tuple)
        raise DatabaseNotSupported(
            "The metadata database is at revision {}, for which no tables of PostgreSQL are known. Known are those of "
            "Airflow {}: migrate this Airflow to one of these releases, and export then.".format(
                revision, ", ".join(versions)
            )
        )
    return described_tables({"tables": [content["definitions"][number] for number in found["tables"]]})


@lru_cache(maxsize=None)
def _read() -> Dict[str, Any]:
    # Not by open: the engine can be one file, of which this is a part.
    content = pkgutil.get_data(__package__, _FILE)
    assert content is not None
    return dict(json.loads(zlib.decompress(content, _GZIP).decode("utf-8")))
