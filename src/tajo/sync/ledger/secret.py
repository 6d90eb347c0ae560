"""The ledger's secret: it turns e-mails and phones into keyed hashes, and seals what must wait."""

from __future__ import annotations

import hmac
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tajo.errors import Mend

T = TypeVar("T")


class Secret:
    """Two keys drawn from one secret: for HMAC-SHA-256 (cut to 16 bytes) and for AES-256-GCM.

    Of several secrets the first seals, and all of them open. The last one, which is the oldest, draws hashes
    and tokens: to draw those anew, the e-mails would have to be known.
    """

    def __init__(self, secret: bytes, *older: bytes) -> None:
        self._hash_key = _derive([secret, *older][-1], b"tajo hash")
        self._ciphers = [AESGCM(_derive(one, b"tajo seal")) for one in (secret, *older)]
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
        return self._encrypt(_encode(record), name)

    def unseal(self, sealed: bytes, name: bytes, kind: type[T]) -> T:
        """The record, of this kind. Raises `Mend` if none of the secrets is the one that sealed it."""
        record, _ = self._decrypt(sealed, name)
        return msgspec.msgpack.decode(record, type=kind)

    def resealed(self, sealed: bytes, name: bytes) -> bytes | None:
        """The same, sealed by the newest secret; None if it is already. Raises `Mend` as `unseal` does."""
        record, place = self._decrypt(sealed, name)
        return self._encrypt(record, name) if place else None

    def _encrypt(self, record: bytes, name: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._ciphers[0].encrypt(nonce, record, name)

    def _decrypt(self, sealed: bytes, name: bytes) -> tuple[bytes, int]:
        """What was sealed, and the place of the secret that did."""
        for place, cipher in enumerate(self._ciphers):
            with suppress(InvalidTag):
                return cipher.decrypt(sealed[:12], sealed[12:], name), place
        raise wrong_secret()


_encode = msgspec.msgpack.Encoder().encode


def wrong_secret() -> Mend:
    """The secret is not the one that the ledger was made with."""
    return Mend(
        "the ledger was written with another secret key",
        "restore TAJO_SECRET_KEY (or the key file beside the database); or delete the database: "
        "the next full sync rebuilds it and starts no automation.",
    )


def find_secret(env_value: str | None, key_file: Path) -> Secret:
    """The secret of `TAJO_SECRET_KEY`, else of the key file, which is made (mode 600) when missing.

    Both may hold several, the newest first, each on a line of its own.
    """
    given = [line for line in (env_value or "").splitlines() if line.strip()]
    if given:
        return Secret(*(line.encode() for line in given))
    try:
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            _write(file, os.urandom(32).hex())
        _settle(key_file.parent)
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
    lines = text.split()
    if not lines or min(map(len, lines)) < 32:
        raise Mend(
            f"the key file {key_file} cannot be read, or is cut short",
            "restore it from a backup; or delete it together with the database.",
        )
    return Secret(*(line.encode() for line in lines))


def add_secret(key_file: Path) -> None:
    """Put a new secret before those of the key file, which stays its owner's. Raises `Mend` if it cannot."""
    key_file = key_file.resolve()
    beside = key_file.with_suffix(".new")
    try:
        older, owner = key_file.read_text(encoding="ascii"), key_file.stat()
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            _write(file, f"{os.urandom(32).hex()}\n{older.strip()}\n")
        beside.replace(key_file)
        _settle(key_file.parent)
    except OSError as error:
        raise Mend(
            f"cannot write the key file {key_file}: {error.strerror}", "let Tajo write into that folder."
        ) from None


def _write(file: TextIO, text: str) -> None:
    """Write it down to the disk: what is sealed by a key must not outlive it in a power cut."""
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """The same for the names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)
