"""What the template tells the functions, through environment variables."""

from __future__ import annotations

import json
import os
from typing import Any


def exchange_bucket() -> str:
    return os.environ["EXCHANGE_BUCKET"]


def key_arn() -> str:
    """The KMS key that encrypts the exchange bucket."""
    return os.environ["KEY_ARN"]


def topic_arn() -> str:
    return os.environ["TOPIC_ARN"]


def import_version() -> str:
    return os.environ["IMPORT_VERSION"]


def region() -> str:
    """The stack's region, which Lambda sets."""
    return os.environ["AWS_REGION"]


def log_quotas() -> dict[str, Any]:
    """CloudWatch Logs' quotas by operation, the `percent` of each for a copy, and how many `workers` share it."""
    quotas: dict[str, Any] = json.loads(os.environ["LOG_QUOTAS"])
    return quotas
