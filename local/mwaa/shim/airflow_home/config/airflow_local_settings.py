"""Amazon MWAA's own settings, in config/ of AIRFLOW_HOME; as those of the images they load the user's after them."""

import importlib.util
import os
from pathlib import Path

from mwaa.config import rds_iam

__all__ = []

rds_iam.install()

for _folder in ("dags", "plugins"):
    _path = Path(os.environ["AIRFLOW_HOME"], _folder, "airflow_local_settings.py")
    if _path.exists():
        _spec = importlib.util.spec_from_file_location(f"customer_{_folder}_airflow_local_settings", _path)
        _module = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(_module)
