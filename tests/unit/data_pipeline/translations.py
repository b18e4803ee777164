"""The definitions in tests/data_pipeline, translated: one of each form and each kind of work. Names are made up."""

from __future__ import annotations

import functools
from pathlib import Path

from data_pipeline import reading
from data_pipeline.options import Options
from data_pipeline.translated import Translation
from data_pipeline.translation import translate

OPTIONS = Options()
FOLDER = Path(__file__).parents[2] / "data_pipeline"
#: The files of each definition.
DEFINITIONS = {
    "redshift_loads": ("redshift-loads.json",),
    "shell_in_parallel": ("shell-in-parallel.json",),
    "on_demand": ("on-demand.json",),
    "dynamodb_to_redshift": ("dynamodb-to-redshift.json",),
    "sqoop_weekly": ("sqoop-weekly.json",),
    "backup": ("backup-definition.json", "backup-parameters.json", "backup-values.json"),
    "everything": ("everything.json",),
    "serverless": ("serverless.json",),
    "staged": ("staged.json",),
    "late": ("late.json",),
}


@functools.cache
def translated(name: str, options: Options = OPTIONS) -> Translation:
    """One of the definitions, translated."""
    (found,) = reading.read([FOLDER / file for file in DEFINITIONS[name]])
    return translate(found, options)
