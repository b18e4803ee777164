"""How the whole suite runs on several processes: the longest files first, and at its end what took long."""

from __future__ import annotations

import functools
import gc
import os
import time
from collections.abc import Generator
from typing import Any

import botocore.loaders
import botocore.session
import psutil
import pytest

from tests import durations, memory_folder
from tests.durations import Cost, file_of
from tests.scheduling import SpareWorkerScheduling, yield_if_spare

# Powertools reads these when a function is imported, whichever file of tests imports one first.
os.environ |= {
    "POWERTOOLS_SERVICE_NAME": "mwaa-migrator",
    "POWERTOOLS_METRICS_NAMESPACE": "MwaaMigrator",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
# Before anything asks for a temporary folder.
memory_folder.use()
# moto's EC2 would make a thousand machine images, with volumes, for each test that asks it for a subnet.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# moto gives each test a new session, which would read the services' models again.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)

# By default Python looks for circles whenever there are 700 new objects, among the million of moto and botocore, which
# takes a sixth of the processor time.
gc.set_threshold(50_000, 20, 20)

_SLOWEST = 20
_PROCESSOR = "processor seconds"
_BEGAN = pytest.StashKey[float]()
_RUN_BEGAN = pytest.StashKey[tuple[float, float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-durations", action="store_true", help="write tests/durations.json at the end")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RUN_BEGAN] = time.monotonic(), _busy_seconds()
    if hasattr(config, "workerinput"):
        yield_if_spare(config.workerinput["workerid"])


# Not known to pytest where xdist is switched off.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SpareWorkerScheduling | None:
    by_file = config.getoption("dist") == "loadfile"
    return SpareWorkerScheduling(config, log) if by_file else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # One process alone keeps the order in which the tests were named.
    if hasattr(config, "workerinput"):
        places = durations.longest_first((file_of(item.nodeid) for item in items), durations.read())
        items.sort(key=lambda item: places[file_of(item.nodeid)])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.stash[_BEGAN] = _processor_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "teardown":
        report.user_properties.append((_PROCESSOR, _processor_seconds() - item.stash[_BEGAN]))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("numprocesses", None):
        return
    costs = _costs([report for reports in terminalreporter.stats.values() for report in reports])
    terminalreporter.section(f"the {_SLOWEST} files that took longest")
    for line in durations.table(costs, _SLOWEST):
        terminalreporter.write_line(line)
    began, busy = config.stash[_RUN_BEGAN]
    elapsed, cores = time.monotonic() - began, os.cpu_count() or 1
    terminalreporter.write_line(
        f"The tests' processes and their ended children used {sum(cost.processor for cost in costs.values()):.0f} "
        f"processor seconds. The machine was busy for {_busy_seconds() - busy:.0f} of {elapsed * cores:.0f} "
        f"({cores} cores for {elapsed:.0f} s)."
    )
    if config.getoption("record_durations"):
        durations.write(costs)


def _costs(reports: list[object]) -> dict[str, Cost]:
    costs: dict[str, Cost] = {}
    for report in reports:
        if isinstance(report, pytest.TestReport):
            cost = costs.setdefault(file_of(report.nodeid), Cost())
            cost.seconds += report.duration
            if report.when == "teardown":
                cost.tests += 1
                cost.processor += sum(float(str(value)) for name, value in report.user_properties if name == _PROCESSOR)
    return costs


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_seconds() -> float:
    """Of all cores of this machine, whoever kept them busy."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
