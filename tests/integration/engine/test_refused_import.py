"""Imports that are refused: by name, with exit code 3, and with nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.installations import airflow_installation
from sources.deployment import Deployment


def largest_part(artifact: Path) -> Path:
    return max(artifact.glob("tables/*/*.copy.gz"), key=lambda path: path.stat().st_size)


def cut_short(artifact: Path) -> None:
    part = largest_part(artifact)
    part.write_bytes(part.read_bytes()[:-20])


def flip_a_byte(artifact: Path) -> None:
    part = largest_part(artifact)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)


def remove_a_part(artifact: Path) -> None:
    largest_part(artifact).unlink()


def forget_a_part(artifact: Path) -> None:
    _change_manifest(artifact, lambda manifest: manifest["tables"]["xcom"]["parts"].clear())


def remove_the_manifest(artifact: Path) -> None:
    (artifact / "manifest.json").unlink()


def cut_the_manifest(artifact: Path) -> None:
    manifest = artifact / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:1000])


def write_a_later_format(artifact: Path) -> None:
    _change_manifest(artifact, lambda manifest: manifest.update(format_version=2, tables=["another shape"]))


def change_the_schema(artifact: Path) -> None:
    schema = artifact / "schema.json"
    schema.write_text(schema.read_text().replace("timestamp with time zone", "text"))


def come_from_a_newer_airflow(artifact: Path) -> None:
    _change_manifest(artifact, lambda manifest: manifest.update(airflow_version="2.11.3"))


def _change_manifest(artifact: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    change(manifest)
    (artifact / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (cut_short, "ArtifactDamaged"),
        (flip_a_byte, "ArtifactDamaged"),
        (remove_a_part, "ArtifactDamaged"),
        (forget_a_part, "ArtifactDamaged"),
        (remove_the_manifest, "ArtifactIncomplete"),
        (cut_the_manifest, "ArtifactDamaged"),
        (write_a_later_format, "ArtifactFormatUnknown"),
        (change_the_schema, "ArtifactDamaged"),
        (come_from_a_newer_airflow, "TargetOlderThanSource"),
    ],
)
def test_artifact(damage: Callable[[Path], None], error: str, target: Deployment, broken: Path) -> None:
    damage(broken)
    assert_refused(target, broken, error)


def test_artifact_of_several(target: Deployment, artifact: Path, tmp_path: Path) -> None:
    shutil.copytree(artifact, tmp_path / "first")
    shutil.copytree(artifact, tmp_path / "second")
    assert_refused(target, tmp_path, "ArtifactAmbiguous")


def test_artifact_of_another_id(target: Deployment, artifact: Path) -> None:
    assert_refused(target, artifact, "ArtifactIncomplete", "--id", "another")


def test_target_older_than_the_source(
    source: Deployment, empty_target: Deployment, artifact: Path, tmp_path: Path
) -> None:
    """Although 2.10.3's schema revision is 2.11.2's."""
    empty_target.succeed("export", "--to", str(tmp_path))
    assert_refused(source, tmp_path, "TargetOlderThanSource")


def test_target_not_at_its_head(target: Deployment, artifact: Path) -> None:
    target.execute("update alembic_version set version_num = '290244fb8b83'")
    assert_refused(target, artifact, "TargetNotAtHead")


def test_target_without_airflows_tables(target: Deployment, artifact: Path) -> None:
    target.execute("drop table alembic_version")
    assert_refused(target, artifact, "AirflowNotSupported")


def test_target_of_airflow_3_with_a_database_of_2(target: Deployment, artifact: Path) -> None:
    assert_refused(target.having(installation=airflow_installation.install("3.2.1")), artifact, "TargetNotAtHead")


def test_target_on_sqlite(target: Deployment, artifact: Path, tmp_path: Path) -> None:
    elsewhere = {
        "database__sql_alchemy_conn": f"sqlite:///{tmp_path}/airflow.db",
        "core__executor": "SequentialExecutor",
    }
    assert_refused(target.having(options=elsewhere), artifact, "DatabaseNotSupported")
    assert not (tmp_path / "airflow.db").exists()


@pytest.mark.parametrize("address", ["postgres@127.0.0.1:1/airflow", "postgres@no-such-host.invalid/airflow"])
def test_database_unreachable(address: str, target: Deployment, artifact: Path) -> None:
    elsewhere = {"database__sql_alchemy_conn": f"postgresql+psycopg2://{address}"}
    assert_refused(target.having(options=elsewhere), artifact, "DatabaseUnreachable")


@pytest.fixture
def limited(target: Deployment) -> Deployment:
    """A target whose database user may use Airflow's tables and nothing else."""
    target.execute(
        """
        drop owned by limited;
        grant usage on schema public to limited;
        grant all on all tables in schema public to limited;
        grant all on all sequences in schema public to limited
        """
        if target.rows("select from pg_roles where rolname = 'limited'")
        else """
        create role limited login;
        grant all on all tables in schema public to limited;
        grant all on all sequences in schema public to limited
        """
    )
    return target.having(user="limited")


def test_no_right_to_create_a_schema(limited: Deployment, artifact: Path) -> None:
    refused = assert_refused(limited, artifact, "MissingRight")
    assert f"GRANT CREATE ON DATABASE {limited.database} TO limited" in refused


@pytest.mark.parametrize("right", ["insert on task_instance", "select on log", "update on sequence dag_run_id_seq"])
def test_no_right_on_a_table(right: str, limited: Deployment, artifact: Path) -> None:
    limited.execute(f"grant create on database {limited.database} to limited; revoke {right} from limited")
    assert_refused(limited, artifact, "MissingRight")


def test_not_owning_the_tables_is_no_hindrance(limited: Deployment, artifact: Path) -> None:
    limited.execute(f"grant create on database {limited.database} to limited")
    assert limited.succeed("import", "--from", str(artifact))["tables"]["task_instance"]["merged"] == 1000


def test_verify_before_an_import(target: Deployment, artifact: Path) -> None:
    refused = target.run("verify", "--from", str(artifact))
    assert (refused.code, refused.error) == (3, "NotImported")


def assert_refused(target: Deployment, artifact: Path, error: str, *arguments: str) -> str:
    before = target.content()
    refused = target.run("import", "--from", str(artifact), *arguments)
    assert (refused.error, refused.code) == (error, 3), refused.stderr[-1000:]
    assert refused.result["status"] == "failed"
    assert "Traceback" not in refused.stderr
    assert target.content() == before
    assert target.rows("select from pg_namespace where starts_with(nspname, 'mwaa_migrator')") == []
    return refused.message
