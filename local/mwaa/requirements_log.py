"""The log that an environment's containers write when they install its requirements.txt.

On Amazon MWAA that is pip's output. Here uv resolves the file against the versions that the environment's Airflow was
installed with, and installs nothing: whether it succeeds is real, and the lines around its output are like those of the
images (aws/amazon-mwaa-docker-images, mwaa/utils/user_requirements.py).
"""

from __future__ import annotations

import codecs
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.installations import airflow_installation, uv
from local.installations.airflow_installation import AirflowInstallation

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

#: The log groups, by their suffixes, of the containers that install requirements.
GROUPS = ("Scheduler", "Worker", "WebServer")
_CONSTRAINT = re.compile(r"^\s*(--constraint|-c)")
#: The images' own test of whether a file names constraints; a comment counts.
_NAMES_CONSTRAINTS = re.compile(r"-c |--constraint ")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"#.*coding[:=]\s*([-\w.]+)")
_NO_CONSTRAINT = "[WARNING] - WARNING: Constraints should be specified for requirements.txt."
_FAILED = "[ERROR] - ERROR: pip installation exited with a non-zero error code."


def decoded(content: bytes) -> str:
    """A file's text as the images decode it (mwaa/utils/encoding.py): by a mark, a comment, else as UTF-8."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding)
    declared = next((found for line in content.split(b"\n")[:2] if (found := _DECLARED.match(line))), None)
    return content.decode(declared[1].decode() if declared else "utf-8", errors="replace")


def resolve(installation: AirflowInstallation, requirements: str) -> list[str]:
    """The lines of the log; the last one says so if the requirements cannot be installed."""
    lines = requirements.splitlines()
    # Constraint files are on the internet; the lock file has the same versions for what Airflow needs.
    wanted = [line for line in lines if not _CONSTRAINT.match(line)]
    log = [] if any(_NAMES_CONSTRAINTS.search(line) for line in lines) else [_NO_CONSTRAINT]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("\n".join(wanted) + "\n")
        try:
            output = uv.run(
                *("pip", "install", "--dry-run", "--no-build", "--python", str(installation.python)),
                *("--constraint", str(airflow_installation.lock_file(installation.version))),
                *("--requirement", str(file)),
            )
        except uv.InstallationFailed as error:
            # pip writes ERROR in capitals. The first line has the command.
            printed = re.sub(r"^error:", "ERROR:", str(error).partition("\n")[2], flags=re.MULTILINE)
            return [*log, *(f"[INFO] - {line}" for line in printed.splitlines() if line.strip()), _FAILED]
    return [*log, *(f"[INFO] - {line}" for line in output.splitlines() if line.strip())]


def publish(logs: CloudWatchLogsClient, environment: str, groups: set[str], lines: list[str]) -> None:
    """Writes a log to a new stream in each of the `groups` (by suffix) whose containers install requirements."""
    now = time.time()
    stream = f"requirements_install_{environment}_{now:.3f}.log"
    for suffix in GROUPS:
        if suffix in groups and lines:
            group = f"airflow-{environment}-{suffix}"
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            events = [{"timestamp": int(now * 1000), "message": line} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)  # type: ignore[arg-type]
