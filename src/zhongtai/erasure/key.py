"""The key of the tombstones: drawn once, kept in a file that only its owner reads.

A tombstone is an HMAC-SHA256 of what a source called a person. Without the key nobody can try a
list of phone numbers on it; with the key lost nobody can keep erased persons out, so it is backed
up apart from the data.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.settings import Settings

_BLOCK = 64
FOLDER = "erasure"


@dataclass(frozen=True)
class Key:
    """The secret, and the two pads by which SQL computes the same HMAC."""

    secret: bytes

    @property
    def pads(self) -> dict[str, bytes]:
        """Parameters of `mac_sql`."""
        padded = self.secret.ljust(_BLOCK, b"\0")
        return {
            "inner": bytes(byte ^ 0x36 for byte in padded),
            "outer": bytes(byte ^ 0x5C for byte in padded),
        }

    def sign(self, text: str) -> str:
        """The HMAC of a text as hexadecimal digits."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def mac_sql(kind: str, value: str) -> str:
    """SQL (DuckDB): the HMAC of two text expressions; needs the parameters `Key.pads`."""
    text = f"encode({kind} || chr(31) || {value})"
    return f"sha256($outer::blob || unhex(sha256($inner::blob || {text})))"


def key_file(settings: Settings) -> Path:
    """Where the key is kept."""
    return settings.path(FOLDER, "key")


def draw_key(settings: Settings) -> Key:
    """The key of this home; drawn at the first call. The caller holds the erasures' lock alone."""
    file = key_file(settings)
    for staged in file.parent.glob(".key.*"):
        # left by a process that died here, or was not allowed to remove it
        staged.unlink()
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = file.with_name(f".key.{os.getpid()}")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
            stream.flush()
            os.fsync(descriptor)
        try:
            # who comes second takes the key of who came first
            os.link(staged, file)
        except FileExistsError:
            return read_key(settings)
        finally:
            staged.unlink()
        reach("erase.key_drawn")
    return read_key(settings)


def read_key(settings: Settings) -> Key:
    """The key of this home. Raises ZhongtaiError where it is gone."""
    file = key_file(settings)
    if not file.exists():
        raise ZhongtaiError(
            f"the key of the tombstones is missing: {file}",
            hint="restore this file from a backup: without it erased persons can come back",
        )
    return Key(bytes.fromhex(file.read_text("ascii").strip()))
