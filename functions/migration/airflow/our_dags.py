"""The DAGs that a migration puts into the environments. Their files are packaged beside the functions, in dags/."""

from __future__ import annotations

EXPORT = "mwaa_migrator_export"
IMPORT = "mwaa_migrator_import"
RESUME = "mwaa_migrator_resume"
DAGS = (EXPORT, IMPORT, RESUME)
#: The DAG of `mwaa-migrator doctor --probe`; a killed one leaves it behind.
DOCTOR = "mwaa_migrator_doctor"
#: What is no DAG of the user's.
OURS = (*DAGS, DOCTOR)
#: The steps that come before the last export and its import, by the ends of their runs' names: the base, and the
#: refreshes, each with its number.
BASE = "base"
REFRESH = "refresh"
#: The run of EXPORT that changes nothing and reports what an export would be refused for, and what an import will need.
PROBE = "mwaa_migrator_probe"
#: The end of the delta's run of EXPORT: whether the source still is what was exported.
COMPARE = "mwaa_migrator_compare"
#: The run of IMPORT that changes nothing and reports whether an Airflow 3 lets the import into its database.
TARGET_PROBE = "mwaa_migrator_target_probe"
#: The run of IMPORT that unpauses the target's DAGs. It may be started early; it waits for its request.
CUT_OVER = "mwaa_migrator_cut_over"
#: The run of IMPORT that gives old task instances a DAG version, after the upgrade in place to Airflow 3.
VERSIONS = "mwaa_migrator_versions"

#: Everything of ours in a DAG folder has a name that begins so.
NAME = "mwaa_migrator"
