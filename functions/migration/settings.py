"""What the template tells the functions, through environment variables."""

from __future__ import annotations

import os


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
