from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mwaa_migrator.artifact.artifact import find_artifact
from mwaa_migrator.artifact.manifest import check_id, read_manifest, read_schema
from mwaa_migrator.artifact.storage import Storage
from mwaa_migrator.errors import (
    ArtifactAmbiguous,
    ArtifactDamaged,
    ArtifactFormatUnknown,
    ArtifactIncomplete,
    InvalidArguments,
)

MANIFEST: dict[str, Any] = {
    "format_version": 1,
    "artifact_id": "first",
    "airflow_version": "2.10.3",
    "revision": "5f2621c13b39",
    "snapshot_time": "2026-01-02T03:04:05+00:00",
    "tables": {},
    "schema_sha256": hashlib.sha256(b"{}").hexdigest(),
}


def test_a_manifest_has_the_hash_of_its_bytes(storage: Storage) -> None:
    storage.write_json("manifest.json", MANIFEST)
    sha256 = hashlib.sha256(storage.read_bytes("manifest.json")).hexdigest()
    assert read_manifest(storage) == {**MANIFEST, "sha256": sha256}


def test_no_manifest(storage: Storage) -> None:
    with pytest.raises(ArtifactIncomplete, match="no export finished there"):
        read_manifest(storage)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"text"', b"{}", b'{"format_version": "1"}']
)
def test_what_is_no_manifest(content: bytes, directory: Storage) -> None:
    directory.write_bytes("manifest.json", content)
    with pytest.raises(ArtifactDamaged, match=r"manifest\.json"):
        read_manifest(directory)


@pytest.mark.parametrize("missing", sorted(set(MANIFEST) - {"format_version"}))
def test_a_manifest_without_one_of_its_fields(missing: str, directory: Storage) -> None:
    directory.write_json("manifest.json", {name: value for name, value in MANIFEST.items() if name != missing})
    with pytest.raises(ArtifactDamaged, match=missing):
        read_manifest(directory)


def test_a_later_format_whatever_it_has(directory: Storage) -> None:
    directory.write_json("manifest.json", {"format_version": 2})
    with pytest.raises(ArtifactFormatUnknown, match="format 2 and this version reads up to 1"):
        read_manifest(directory)


def test_a_schema(directory: Storage) -> None:
    with pytest.raises(ArtifactDamaged, match=r"schema\.json is missing"):
        read_schema(directory, MANIFEST)
    directory.write_bytes("schema.json", b"{}")
    assert read_schema(directory, MANIFEST) == {}
    directory.write_bytes("schema.json", b"{} ")
    with pytest.raises(ArtifactDamaged, match="not what the export wrote"):
        read_schema(directory, MANIFEST)


def test_an_artifact_is_found_at_its_folder_or_below_the_given_one(storage: Storage) -> None:
    with pytest.raises(ArtifactIncomplete):
        find_artifact(storage.url)
    storage.child("first").write_json("manifest.json", MANIFEST)
    storage.write_bytes("unfinished/tables/log/0000-0000.copy.gz", b"")
    assert find_artifact(storage.url).url == storage.child("first").url
    assert find_artifact(storage.url + "/first").url == storage.child("first").url
    assert find_artifact(storage.url, "first").url == storage.child("first").url
    assert find_artifact(storage.url + "/first", "first").url == storage.child("first").url


def test_the_wrong_artifact_is_never_found(storage: Storage) -> None:
    for name in ("first", "second"):
        storage.child(name).write_json("manifest.json", {**MANIFEST, "artifact_id": name})
    with pytest.raises(ArtifactAmbiguous, match=r"holds 2 artifacts \(first, second\)"):
        find_artifact(storage.url)
    assert find_artifact(storage.url, "second").url.endswith("/second")
    for url in (storage.url, storage.url + "/first"):
        with pytest.raises(ArtifactIncomplete):
            find_artifact(url, "third")


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,48}", fullmatch=True))
def test_ids_that_fit_a_schemas_name_and_a_key(artifact_id: str) -> None:
    assert check_id(artifact_id) == artifact_id


@pytest.mark.parametrize("artifact_id", ["", "-a", "a" * 50, "a/b", "..", 'a"', "a b", "a\n", "é", "a;drop"])
def test_ids_that_do_not(artifact_id: str) -> None:
    with pytest.raises(InvalidArguments, match="cannot be an artifact's id"):
        check_id(artifact_id)
