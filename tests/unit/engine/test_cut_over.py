"""How long the run that unpauses the target's DAGs waits for its request."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from mwaa_migrator.artifact.location import open_storage
from mwaa_migrator.dag_tasks import cut_over
from mwaa_migrator.errors import CutOverNotRequested
from mwaa_migrator.progress import Progress


def test_it_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(str(tmp_path))
    times = iter([0.0, 1.0, 21_599.0, 21_601.0])
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(CutOverNotRequested, match=r"within 21600 s\. No DAG was unpaused"):
        cut_over.wait_for_request(storage, Progress(), lambda: next(times))
    assert list(times) == []
    (tmp_path / "request.json").write_text(json.dumps({"dags": ["etl"], "withdrawn": None}))
    assert cut_over.wait_for_request(storage, Progress()) == ["etl"]
