"""What local.installations.fork_server forks functions from: Lambda's runtime with the SDK imported.

Two more modules are slow to import and read no variable: asyncio, which the X-Ray SDK needs, and simplejson, which the
runtime client needs. The runtime client reads the environment when it is imported, so each function imports that
itself, as its own code.
"""

import os
import sys
import time
from pathlib import Path

# As `python -m awslambdaric` begins it.
sys.path[0] = str(Path.cwd())

import asyncio  # noqa: E402, F401

import boto3.session  # noqa: E402, F401
import botocore.loaders  # noqa: E402
import botocore.session  # noqa: E402
import s3transfer.manager  # noqa: E402, F401
import simplejson  # noqa: E402, F401

# Each session reads and parses the models of its services, which takes as long as all else in making its clients.
MODELS = botocore.loaders.create_loader()
botocore.session.create_loader = lambda search_paths=None: MODELS
for service in ("s3", "logs", "stepfunctions", "kms", "iam", "mwaa"):
    botocore.session.get_session().create_client(
        service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )


def run(request):
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    from awslambdaric.__main__ import main

    main(["awslambdaric", request["handler"]])
    return 0
