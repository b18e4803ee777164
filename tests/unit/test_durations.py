from __future__ import annotations

from pathlib import Path

import pytest

from tests import durations
from tests.durations import Cost


def test_the_longest_file_comes_first_and_an_unknown_one_before_the_short() -> None:
    recorded = {"long.py": 200.0, "short.py": 0.1, "gone.py": 300.0}
    places = durations.longest_first(["short.py", "new.py", "long.py", "short.py"], recorded)
    assert sorted(places, key=places.__getitem__) == ["long.py", "new.py", "short.py"]


def test_without_a_record_files_have_the_order_of_their_names() -> None:
    assert durations.longest_first(["b.py", "a.py"], {}) == {"a.py": 0, "b.py": 1}


def test_a_record_is_renewed_for_what_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durations, "RECORDED", tmp_path / "durations.json")
    for file in ("kept.py", "ran.py"):
        (tmp_path / file).touch()
    durations.write({"kept.py": Cost(1, 1.0), "ran.py": Cost(1, 2.0)}, tmp_path)
    (tmp_path / "gone.py").touch()
    durations.write({"gone.py": Cost(1, 9.0)}, tmp_path)
    (tmp_path / "gone.py").unlink()
    durations.write({"ran.py": Cost(2, 3.04)}, tmp_path)
    assert durations.read() == {"kept.py": 1.0, "ran.py": 3.0}


def test_the_table_has_the_files_that_took_longest() -> None:
    costs = {"a.py": Cost(1, 1.0, 0.5), "b.py": Cost(12, 30.0, 4.0), "c.py": Cost(1, 0.0, 0.0)}
    assert durations.table(costs, 2) == [
        "  seconds  processor  tests  file",
        "     30.0        4.0     12  b.py",
        "      1.0        0.5      1  a.py",
    ]
