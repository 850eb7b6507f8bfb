"""A repository of restic whose password is cheap to try.

restic makes the derivation of a key take half a second of processor, each time that the repository is opened: right for a repository, and most of
the time of a test that opens one twenty times.  The key file says how dear it is, so its key can be wrapped again by a cheap derivation.
Format: https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

CHEAP = 2
IV_BYTES = MAC_BYTES = 16
SALT_BYTES = 64
KEY_BYTES = 64
_NEW: dict[str, Path] = {}
"""A new repository, by its password."""


def make_cheap(repository: Path, password: str) -> None:
    """Wrap the key of a local repository again, so that its password takes no time to try."""
    (path,) = (repository / "keys").iterdir()
    key = json.loads(path.read_bytes())
    master = _open(_derive(password, key), b64decode(key["data"]))
    key |= {"N": CHEAP, "r": 1, "p": 1, "salt": b64encode(os.urandom(SALT_BYTES)).decode()}
    key["data"] = b64encode(_seal(_derive(password, key), master)).decode()
    body = json.dumps(key).encode()
    # a file of restic is named by its hash
    (repository / "keys" / hashlib.sha256(body).hexdigest()).write_bytes(body)
    path.unlink()


def place_new(repository: Path, password: str) -> None:
    """A new repository with a cheap password, made by restic the first time and copied since: each takes it a second of work."""
    if password not in _NEW:
        kept = Path(tempfile.mkdtemp(prefix="restic-new-"))
        atexit.register(shutil.rmtree, kept, ignore_errors=True)
        subprocess.run(
            ["restic", "init", "--quiet", "--no-cache", "--repo", kept / "repo"], check=True, timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(kept), "RESTIC_PASSWORD": password},
        )  # fmt: skip
        make_cheap(kept / "repo", password)
        _NEW[password] = kept / "repo"
    shutil.copytree(_NEW[password], repository)


def add_files(repository: Path, password: str, kind: str, bodies: Iterable[bytes]) -> list[str]:
    """Put snapshots or locks into a local repository, many of them in little time; answers their ids.

    Args:
        repository: its folder.
        password: its password.
        kind: ``snapshots`` or ``locks``.
        bodies: what ``restic cat`` tells of each, as JSON.
    """
    (path,) = (repository / "keys").iterdir()
    key = json.loads(path.read_bytes())
    told = json.loads(_open(_derive(password, key), b64decode(key["data"])))
    master = b64decode(told["encrypt"]) + b64decode(told["mac"]["k"]) + b64decode(told["mac"]["r"])
    ids = []
    for body in bodies:
        sealed = _seal(master, body)
        ids.append(hashlib.sha256(sealed).hexdigest())
        (repository / kind / ids[-1]).write_bytes(sealed)
    return ids


def _derive(password: str, key: dict[str, object]) -> bytes:
    cost = {name: int(str(key[name])) for name in ("r", "p")}
    return hashlib.scrypt(
        password.encode(), salt=b64decode(str(key["salt"])), n=int(str(key["N"])), **cost, maxmem=1 << 30, dklen=KEY_BYTES
    )  # fmt: skip


def _cipher(key: bytes, iv: bytes) -> Cipher[modes.CTR]:
    return Cipher(algorithms.AES256(key[:32]), modes.CTR(iv))


def _mac(key: bytes, iv: bytes, text: bytes) -> bytes:
    """Poly1305-AES: the nonce, encrypted, is the second half of a one-time key."""
    encryptor = Cipher(
        algorithms.AES128(key[32:48]), modes.ECB()
    ).encryptor()  # one block, as the format has it
    return Poly1305.generate_tag(key[48:64] + encryptor.update(iv), text)


def _open(key: bytes, sealed: bytes) -> bytes:
    iv, text, mac = sealed[:IV_BYTES], sealed[IV_BYTES:-MAC_BYTES], sealed[-MAC_BYTES:]
    assert _mac(key, iv, text) == mac, "not a key of restic, or not its password"
    return _cipher(key, iv).decryptor().update(text)


def _seal(key: bytes, text: bytes) -> bytes:
    iv = os.urandom(IV_BYTES)
    sealed = _cipher(key, iv).encryptor().update(text)
    return iv + sealed + _mac(key, iv, sealed)
