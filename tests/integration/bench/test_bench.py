from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bench import downtime, memory, results, timing
from bench.__main__ import main
from bench.results import Result
from tests.integration.engine.commands import eventually


def test_tiny_benchmark_measures_every_contender(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    parts = [option for part in ("speed", "memory", "direct") for option in ("--only", part)]
    assert main(["--scale", "0.001", "--runs", "1", *parts, "--out", str(out)]) == 0
    rows = {row["name"]: row for row in json.loads(out.read_text())}
    assert all(row["value"] > 0 for row in rows.values())
    assert rows["Import / `COPY FROM`"]["bar"] == 1.0
    assert rows["Import / mwaa-dr's restore"]["ok"] is (rows["Import / mwaa-dr's restore"]["value"] <= 0.7)
    assert rows["Import into 3.2.1 / `COPY FROM` and `airflow db migrate`"]["bar"] == 0.7
    assert rows["Import into 3.2.1: the database at its largest / afterwards"]["value"] > 1
    # Whatever the number of rows, the engine holds a few blocks of them.
    assert {name for name, row in rows.items() if row["unit"] == "MB" and not row["ok"]} == set()


def test_a_tiny_downtime_is_measured_step_by_step(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    assert main(["--scale", "0.001", "--runs", "1", "--only", "downtime", "--out", str(out)]) == 0
    rows = {row["name"]: row for row in json.loads(out.read_text())}
    assert all(row["value"] > 0 for row in rows.values())
    assert {row["name"] for row in rows.values() if row["unit"] == "MB" and not row["ok"]} == set()
    for version in ("2.11.2", "3.2.1"):
        steps = [rows[f"Downtime, to {version}: {step}"]["value"] for step in downtime.STEPS]
        # Each row is rounded.
        whole = rows[f"Downtime, to {version}, 1 % of the runs changed"]
        assert whole["value"] == pytest.approx(sum(steps), abs=0.01)
        assert whole["bar"] == 35
        assert rows[f"Refresh, to {version}, that finds nothing"]["bar"] == 30


def test_two_commits_are_compared(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    arguments = ["--scale", "0.001", "--runs", "1", "--only", "speed", "--against", "HEAD", "--out", str(out)]
    assert main(arguments) == 0
    rows = json.loads(out.read_text())
    assert [(row["unit"], row["bar"], row["value"] > 0) for row in rows] == [("ratio", 1.05, True)] * 3


def test_pairs_begin_in_turns() -> None:
    done: list[str] = []
    one, other = (timing.Contender(name, run=partial(done.append, name)) for name in "ab")
    assert len(timing.ratios(one, other, 2)) == 2
    assert done == ["a", "b", "b", "a"]


def test_contenders_take_turns() -> None:
    done: list[str] = []
    contenders = [
        timing.Contender(name, run=partial(done.append, name), prepare=partial(done.append, "prepare")) for name in "ab"
    ]
    assert set(timing.medians(contenders, 2)) == {"a", "b"}
    assert done == ["prepare", "a", "prepare", "b"] * 2


def test_memory_is_that_of_all_descendants() -> None:
    child = "import sys; held = bytearray(50_000_000); print(flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        assert len(memory.family(process.pid)) == 2
        assert memory.pss(process.pid) < 50_000_000 < memory.family_pss(process.pid)
        process.stdin.close()
    assert memory.family_pss(process.pid) == 0


def test_memory_of_a_child_that_runs_in_its_parents_is_not_added(tmp_path: Path) -> None:
    """Between vfork and exec; opening the FIFO, which nobody has opened yet, keeps the child from getting further."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = """
import os, sys
held = bytearray(50_000_000)
child = os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)])
os.waitpid(child, 0)
"""
    with subprocess.Popen([sys.executable, "-c", script, str(fifo)]) as process:
        eventually(lambda: len(memory.family(process.pid)) == 2)
        parent, child = memory.family(process.pid)
        assert memory.pss(child) > 50_000_000
        assert memory.family_pss(process.pid) < memory.pss(parent) + 10_000_000
        with fifo.open("w"):
            eventually(lambda: memory.pss(child) < 50_000_000)
            assert memory.pss(child) > 0
            assert memory.family_pss(process.pid) > memory.pss(parent)


def test_a_process_tells_its_own_peak_and_not_that_of_its_parent() -> None:
    """By fork and exec, as multiprocessing's spawn starts a worker."""
    child = "from bench import memory; print(memory.own_peak())"
    parent = f"""
import os, sys
from bench import memory
held = bytearray(200_000_000)
print(memory.own_peak(), flush=True)
if not os.fork():
    os.execv(sys.executable, [sys.executable, "-c", {child!r}])
os.wait()
"""
    told = subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, check=True, text=True).stdout
    of_parent, of_child = map(int, told.split())
    assert of_child < 100_000_000 < 200_000_000 < of_parent


def test_page_gets_the_table_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    measured = [Result("A / B", 1.7, "ratio", 1.6), Result("A", 123.4, "s")]
    results.write_page(measured, f"{os.cpu_count()} cores.", page)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| A / B | 1.70 **missed** | 1.60 |" in text
    assert "| A | 123 s |  |" in text

    page.write_text("no markers")
    with pytest.raises(results.MarkersMissing, match=r"benchmarks\.md"):
        results.write_page(measured, "", page)
