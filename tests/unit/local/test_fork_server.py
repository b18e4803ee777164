"""The process that forks for each request: exit codes, output, time-outs, and requests side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from local.installations.fork_server import ForkServer, ForkServerDied

WORKER = """
import os, signal, sys, time

def run(request):
    print("out", request["do"])
    sys.stderr.write("err\\n")
    if request["do"] == "wait":
        time.sleep(request["seconds"])
    if request["do"] == "end":
        sys.exit(request["code"])
    if request["do"] == "raise":
        raise ValueError("no such thing")
    if request["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
"""


def start(folder: Path, worker: str) -> ForkServer:
    file = folder / "worker.py"
    file.write_text(worker)
    return ForkServer(Path(sys.executable), file, os.environ, folder, folder / "log")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    made = start(tmp_path_factory.mktemp("server"), WORKER)
    made.wait()
    yield made
    made.stop()
    assert not made.is_ready


@pytest.mark.parametrize(
    ("request_", "code", "stderr"),
    [
        ({"do": "return"}, 0, ""),
        ({"do": "end", "code": None}, 0, ""),
        ({"do": "end", "code": 3}, 3, ""),
        ({"do": "end", "code": "a reason"}, 1, "a reason\n"),
        ({"do": "raise"}, 1, "ValueError: no such thing\n"),
        ({"do": "die"}, -9, ""),
    ],
)
def test_how_a_request_ends(
    server: ForkServer, tmp_path: Path, request_: dict[str, object], code: int, stderr: str
) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    pids: list[int] = []
    assert server.run(request_, out, err, started=pids.append) == code
    assert len(pids) == 1
    assert err.read_text().startswith("err\n")
    assert err.read_text().endswith(stderr)
    if code >= 0:
        assert out.read_text() == f"out {request_['do']}\n"


def test_a_request_that_takes_too_long_is_killed(server: ForkServer, tmp_path: Path) -> None:
    pids: list[int] = []
    with pytest.raises(subprocess.TimeoutExpired):
        server.run({"do": "wait", "seconds": 60}, tmp_path / "out", tmp_path / "out", 0.5, pids.append)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pids[0]}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_requests_run_side_by_side(server: ForkServer, tmp_path: Path) -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        files = [tmp_path / str(number) for number in range(4)]
        codes = list(pool.map(lambda file: server.run({"do": "wait", "seconds": 2}, file, file), files))
    assert codes == [0] * 4
    assert time.monotonic() - begun < 7


def test_a_command_is_read_while_it_runs(server: ForkServer) -> None:
    command = server.start_command({"do": "wait", "seconds": 60})
    assert command.stderr.readline() == "err\n"
    assert command.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(timeout=0.1)
    command.kill()
    command.communicate()
    assert command.returncode == -9
    command.kill()


def test_a_command_is_waited_for(server: ForkServer) -> None:
    command = server.start_command({"do": "end", "code": 3})
    assert command.communicate(timeout=10) == ("out end\n", "err\n")
    assert (command.returncode, command.poll()) == (3, 3)


def test_a_process_writes_to_a_file(server: ForkServer, tmp_path: Path) -> None:
    process = server.start({"do": "wait", "seconds": 60}, tmp_path / "out")
    deadline = time.monotonic() + 10
    while not (tmp_path / "out").read_text().endswith("err\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=10) == -15


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = start(tmp_path, "import no_such_module")
    with pytest.raises(ForkServerDied, match="No module named 'no_such_module'"):
        server.wait()
    server.stop()


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """However that ends: a worker of pytest-xdist runs nothing that was registered for its exit."""
    starter = """
import os, sys
from pathlib import Path
from tests.unit.local.test_fork_server import WORKER, start
server = start(Path(sys.argv[1]), WORKER)
server.wait()
print(server._process.pid, server._folder, flush=True)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", starter, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    pid, folder = done.stdout.split()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(int(pid)) or Path(folder).exists():
        assert time.monotonic() < deadline, "the server runs on"
        time.sleep(0.2)
