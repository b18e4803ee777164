"""Secrets are decrypted wherever their flag says that they are encrypted, whatever somebody has made of its type."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from mwaa_migrator.airflow_schema.encryption import Decrypter


@pytest.mark.parametrize("flag", ["t", "1", "true"])
def test_flag(flag: str) -> None:
    fernet = Fernet(Fernet.generate_key())
    fernet.is_encrypted = True  # type: ignore[attr-defined]
    decrypter = Decrypter("variable", ("key", "val", "is_encrypted"), fernet)
    assert decrypter.decrypt(["k", fernet.encrypt(b"clear").decode(), flag]) == ["k", "clear", flag]
    assert decrypter.decrypt(["k", "in clear", "0"]) == ["k", "in clear", "0"]
