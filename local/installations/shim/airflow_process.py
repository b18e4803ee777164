"""What a process does that has imported Airflow and is to be one of another deployment of the same version.

Python 3.7 has to be able to run this.
"""

import os

from airflow import settings
from airflow.models import crypto


def become(environment):
    """Takes a deployment's variables, and reads those again that Airflow has read."""
    os.environ.clear()
    os.environ.update(environment)
    settings.configure_vars()
    settings.configure_orm()
    crypto._fernet = None
