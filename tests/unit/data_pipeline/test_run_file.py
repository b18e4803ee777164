"""The file of runs that `make pipelines` is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_runs.run_file import read_runs

SAMPLES = Path(__file__).parents[2] / "data_pipeline" / "samples.toml"


def test_each_sample_says_what_its_run_must_do() -> None:
    runs = read_runs(SAMPLES)
    assert [run.dag_id.split("_")[1] for run in runs] == ["02", "04", "05", "07", "10", "12"]
    assert all(run.expected for run in runs)


def test_what_a_run_does_not_have_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "runs.toml"
    file.write_text('[dag]\ndate = "2026-03-04"\nvariable = {}\n')
    with pytest.raises(TypeError, match="variable"):
        read_runs(file)
