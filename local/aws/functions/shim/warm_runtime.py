"""What local.installations.fork_server forks functions from: Lambda's runtime with the SDK imported.

The runtime client reads the environment when it is imported, so each function imports that itself, as its own code.
"""

import os
import sys
import time
from pathlib import Path

# As `python -m awslambdaric` begins it.
sys.path[0] = str(Path.cwd())

import boto3.session  # noqa: E402, F401
import botocore.client  # noqa: E402, F401
import s3transfer.manager  # noqa: E402, F401


def run(request):
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    from awslambdaric.__main__ import main

    main(["awslambdaric", request["handler"]])
    return 0
