"""A server that does not answer, seen from the clients that functions and tasks have."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server

from chaos.no_answer import READ_SECONDS, SHORT_TIMEOUTS, NoAnswer

CLIENT = """
import sys, botocore.session
from botocore.config import Config
config = Config(read_timeout=60, retries={"total_max_attempts": 1})
session = botocore.session.Session()
session.create_client("s3", "eu-west-1", endpoint_url=sys.argv[1], config=config).list_buckets()
"""


@contextmanager
def server(answer: NoAnswer) -> Iterator[str]:
    made = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.port}"
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize(
    ("hanging", "error", "seconds"), [(True, "ReadTimeoutError", READ_SECONDS), (False, "ConnectionClosedError", 0)]
)
def test_the_sdk_gets_no_answer(hanging: bool, error: str, seconds: float) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with server(NoAnswer(threading.Event(), hanging=hanging)) as url:
        begun = time.monotonic()
        client = subprocess.run(
            [sys.executable, "-c", CLIENT, url],
            env={**os.environ, **keys, **SHORT_TIMEOUTS},
            capture_output=True,
            text=True,
            check=False,
        )
    assert f"botocore.exceptions.{error}" in client.stderr
    assert seconds <= time.monotonic() - begun < seconds + 30
