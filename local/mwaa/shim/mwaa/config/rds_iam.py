"""Gives each new connection of Airflow's engine a token for a password, as the images' patch does.

In the images that is mwaa/config/airflow_rds_iam_patch.py (2.x) and rds_iam_patch.py (3.x): a token is valid for 15
minutes, and a process makes a new one when fewer than 5 are left. As there, the credentials for it come from the
address that the environment has. But tokens are signed in the local AWS's own way, and live for DATABASE_TOKEN_SECONDS.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
import urllib.request
from typing import Any
from urllib.parse import urlparse

_TIMEOUT_SECONDS = 5

_kept = ("", 0.0, 0.0)


def token() -> str:
    """A token of which a third of its life is left at least.

    Raises:
        ValueError: a variable is missing.
        OSError: the credentials are not served.
    """
    global _kept  # one for the process and its forks, as in the images
    _, expires, life = _kept
    if time.time() > expires - life / 3:
        credentials = _credentials()
        life = float(credentials["TokenSeconds"])
        expires = time.time() + life
        signature = hmac.new(credentials["SecretAccessKey"].encode(), repr(expires).encode(), hashlib.sha256)
        _kept = (f"{expires!r}:{signature.hexdigest()}", expires, life)
    return _kept[0]


def give_token(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
    is_ours = (parameters.get("host"), str(parameters.get("port"))) == (
        os.environ.get("MWAA__DB__POSTGRES_HOST"),
        os.environ.get("MWAA__DB__POSTGRES_PORT"),
    )
    if is_ours and parameters.get("user") in ("airflow_user", "adminuser"):
        parameters.update(user="airflow_user", password=token())


def install() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "do_connect", give_token)


def _credentials() -> dict[str, Any]:
    path, metadata, _ = map(
        _variable, ("AWS_TASK_EXEC_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI", "RDS_IAM_TOKEN_HOSTNAME")
    )
    parsed = urlparse(metadata)
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(f"{parsed.scheme}://{parsed.netloc}{path}", timeout=_TIMEOUT_SECONDS) as answer:
        return dict(json.loads(answer.read()))


def _variable(name: str) -> str:
    if not os.environ.get(name):
        raise ValueError(f"{name} not set")
    return os.environ[name]
