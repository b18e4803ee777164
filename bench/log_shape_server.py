"""`python -m bench.log_shape_server SHAPE SCALE`: CloudWatch Logs with one shape, until its input ends.

Prints its URL; answers each line of its input, a JSON list, with a line of JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

from bench.log_shapes import SOURCE, ShapeService, shapes
from local.aws.logs.quotas import QUOTAS
from local.aws.logs.server import LogServer

#: Seconds until an answer. AWS publishes none; these are in the range of what CloudWatch takes within its region.
LATENCY = {
    "GetLogEvents": 0.15,
    "FilterLogEvents": 0.3,
    "DescribeLogGroups": 0.05,
    "DescribeLogStreams": 0.05,
    "CreateLogStream": 0.04,
    "PutLogEvents": 0.06,
}


def main(shape: str, scale: str) -> None:
    # Three days ago, so that no event is too old.
    service = ShapeService(shapes(float(scale))[int(shape)], int(time.time() * 1000) - 3 * 24 * 60 * 60 * 1000)
    bound = service.bound()
    service.limit(QUOTAS)
    with LogServer(service, LATENCY) as server:
        _say(server.url)
        for line in sys.stdin:
            question, *more = json.loads(line)
            if question == "bound":
                _say(bound)
            elif question == "incomplete":
                _say(list(service.incomplete()))
            elif question == "names":
                _say(list(itertools.islice(service.groups[SOURCE].streams, more[0])))
            elif question == "object":
                _say(server.objects.objects[more[0]].decode())


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
