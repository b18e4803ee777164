"""Gives each new connection of Airflow's engine a token for a password, as the images' patch does.

In the images that is mwaa/config/airflow_rds_iam_patch.py (2.x) and rds_iam_patch.py (3.x): a token is valid for 15
minutes, and a process makes a new one when fewer than 5 are left. Here they are signed with a secret of the local AWS
instead of IAM credentials; DATABASE_TOKEN_SECONDS is their life.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import Any

_kept = ("", 0.0)


def token() -> str:
    """A token of which a third of its life is left at least."""
    global _kept  # one for the process and its forks, as in the images
    life = float(os.environ["DATABASE_TOKEN_SECONDS"])
    if time.time() > _kept[1] - life / 3:
        expires = time.time() + life
        signature = hmac.new(os.environ["DATABASE_SECRET"].encode(), repr(expires).encode(), hashlib.sha256)
        _kept = (f"{expires!r}:{signature.hexdigest()}", expires)
    return _kept[0]


def give_token(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
    is_ours = (parameters.get("host"), str(parameters.get("port"))) == (
        os.environ["POSTGRES_HOST"],
        os.environ["POSTGRES_PORT"],
    )
    if is_ours and parameters.get("user") in ("airflow_user", "adminuser"):
        parameters.update(user="airflow_user", password=token())


def install() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "do_connect", give_token)
