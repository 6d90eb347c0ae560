"""The ledger's secret: it turns e-mails and phones into keyed hashes, and seals what must wait."""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tajo.errors import Mend

T = TypeVar("T")


class Secret:
    """Two keys drawn from one secret: for HMAC-SHA-256 (cut to 16 bytes) and for AES-256-GCM."""

    def __init__(self, secret: bytes) -> None:
        self._hash_key = _derive(secret, b"tajo hash")
        self._cipher = AESGCM(_derive(secret, b"tajo seal"))
        self.proof = self._hash(b"tajo proof")

    def _hash(self, text: bytes) -> bytes:
        return hmac.digest(self._hash_key, text, "sha256")[:16]

    def person(self, email: str) -> bytes:
        """The 16 bytes by which an e-mail is remembered; upper and lower case are one."""
        return self._hash(email.strip().lower().encode())

    def token(self, purpose: str) -> str:
        """A secret word for one purpose, 64 hexadecimal digits: the same every time, and told to others."""
        return hmac.digest(self._hash_key, b"token:" + purpose.encode(), "sha256").hex()

    def phone(self, number: str) -> bytes:
        """The 16 bytes by which an E.164 number is remembered."""
        return self._hash(b"tel:" + number.encode())

    def seal(self, record: Any, name: bytes) -> bytes:
        """Encrypt; only under this name (of a person, an event) can it be opened again."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, _encode(record), name)

    def unseal(self, sealed: bytes, name: bytes, kind: type[T]) -> T:
        """The record, of this kind. Raises `Mend` if the secret is not the one that sealed it."""
        try:
            record = self._cipher.decrypt(sealed[:12], sealed[12:], name)
        except InvalidTag:
            raise wrong_secret() from None
        return msgspec.msgpack.decode(record, type=kind)


_encode = msgspec.msgpack.Encoder().encode


def wrong_secret() -> Mend:
    """The secret is not the one that the ledger was made with."""
    return Mend(
        "the ledger was written with another secret key",
        "restore TAJO_SECRET_KEY (or the key file beside the database); or delete the database: "
        "the next full sync rebuilds it and starts no automation.",
    )


def find_secret(env_value: str | None, key_file: Path) -> Secret:
    """The secret of `TAJO_SECRET_KEY`, else of the key file, which is made (mode 600) when missing."""
    if env_value:
        return Secret(env_value.encode())
    try:
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(os.urandom(32).hex())
    except FileExistsError:
        pass
    except OSError as error:
        raise Mend(
            f"cannot make the key file {key_file}: {error.strerror}",
            "set TAJO_SECRET_KEY, or let Tajo write into that folder.",
        ) from None
    try:
        text = key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if len(text) < 32:
        raise Mend(
            f"the key file {key_file} cannot be read, or is cut short",
            "restore it from a backup; or delete it together with the database.",
        )
    return Secret(text.encode())


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)
