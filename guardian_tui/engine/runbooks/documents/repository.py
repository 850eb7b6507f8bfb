"""A folder of runbooks that is a git repository: its commit, and who signed it.

Git is asked for objects only, with everything off by which a repository could make it run a program.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess  # git, with a list of arguments
from dataclasses import dataclass
from pathlib import Path

from guardian_tui.engine.runbooks.documents.folders import ENDING, MOST_BYTES, MOST_FILES, Folder
from guardian_tui.protocol.errors import InvalidRequest, NotFound
from guardian_tui.text import safe

SECONDS = 20.0
_ZERO = "%x00"


@dataclass(frozen=True, slots=True)
class Commit:
    """What is checked out."""

    id: str
    at: float
    signer: str = ""
    """Who signed it, as the list of allowed signers names them; empty: not looked for."""


def is_repository(root: Path) -> bool:
    """Whether a folder is the top of a work tree."""
    return (root / ".git").exists()


def marks(root: Path, signers: Path | None) -> tuple[tuple[int, int, int], ...]:
    """What changes when another commit is checked out, or when other people may sign; as cheap as a few looks at files."""
    git = root / ".git"
    places = [
        git / "HEAD",
        git / "logs" / "HEAD",
        git / "packed-refs",
        git / "index",
        *([signers] if signers else []),
    ]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        places.append(git / (git / "HEAD").read_text(encoding="utf-8").removeprefix("ref: ").strip()[:500])
    return tuple(_mark(place) for place in places)


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        about = path.stat()
    except (OSError, ValueError):
        return (0, 0, 0)
    return (about.st_ino, about.st_size, about.st_mtime_ns)


def head(root: Path, signers: Path | None) -> Commit:
    """The commit that is checked out.

    Args:
        root: top of the work tree.
        signers: OpenSSH's file of allowed signers; None: a signature is not asked for.

    Raises:
        InvalidRequest: there is none, git can't read it, or no allowed signer signed it; says what to do.
    """
    _check_owner(root)
    options: list[str] = []
    if signers is not None:
        _check_signers(root, signers)
        options = [f"gpg.ssh.allowedSignersFile={signers}"]
    marks = _ZERO.join(("%H", "%ct", "%G?", "%GS")) if signers else _ZERO.join(("%H", "%ct", "", ""))
    words = (
        _git(root, ["show", "-s", f"--format={marks}", "HEAD", "--"], options)
        .decode("utf-8", "replace")
        .rstrip("\n")
        .split("\0")
    )
    if len(words) != 4 or len(words[0]) < 40:
        raise InvalidRequest(f"git says nothing of the commit in {root}.", field="runbooks.folder")
    commit = Commit(words[0], float(words[1]), safe(words[3], 100))
    if signers is not None and words[2] != "G":
        raise InvalidRequest(
            f"Commit {commit.id[:12]} in {root}: {_SIGNATURES.get(words[2], 'its signature is not good')}.",
            field="runbooks.signers",
        )
    return commit


_SIGNATURES = {
    "N": "it is not signed. Sign it with `git commit --amend -S`, by someone whom runbooks.signers names",
    "U": "nobody whom runbooks.signers names signed it. Let one of them sign it, or add the key to that file",
    "B": "its signature is wrong: it was changed after it was signed. Find out who did that",
    "E": "its signature can't be checked. It must be an SSH signature, and ssh-keygen must be installed",
}


def committed(root: Path, commit: Commit, work: Folder) -> tuple[Folder, dict[str, str]]:
    """The files of a commit, and what in the work tree is not in it: path → why that is refused.

    Args:
        root: top of the work tree.
        commit: which.
        work: the work tree.
    """
    blobs = _blobs(root, commit)
    refused = {
        path: f"It is not in commit {commit.id[:12]}, which is signed. Commit it, and sign that."
        for path in work.files
        if path not in blobs
    }
    for path in blobs:
        try:
            same = work.read(path) == _blob(root, blobs[path])
        except (NotFound, InvalidRequest):
            same = False
        if not same:
            refused[path] = (
                f"It is not as in commit {commit.id[:12]}, which is signed. Commit it and sign that, or `git checkout` it."
            )

    def read(path: str) -> bytes:
        if path in refused:
            raise InvalidRequest(f"{path}: {refused[path]}", field=path)
        if path not in blobs:
            raise NotFound(f"There is no {path} in commit {commit.id[:12]}.", field=path)
        return _blob(root, blobs[path])

    return Folder({path: work.files.get(path, (0, 0, 0)) for path in blobs}, read, work.problem), refused


def differing(root: Path, commit: Commit, work: Folder) -> frozenset[str]:
    """The files of the work tree that are not in a commit, or not as they are in it: nobody finds them there."""
    blobs = _blobs(root, commit)

    def same(path: str) -> bool:
        name = blobs.get(path, "")
        try:
            text = work.read(path)
        except (NotFound, InvalidRequest):
            return False
        # as git names what it keeps
        hashed = hashlib.sha256 if len(name) == 64 else hashlib.sha1
        return hashed(b"blob %d\0%b" % (len(text), text)).hexdigest() == name

    return frozenset(path for path in work.files if not same(path))


def _blobs(root: Path, commit: Commit) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _git(root, ["ls-tree", "-r", "-z", commit.id], []).split(b"\0"):
        about, _, name = line.partition(b"\t")
        words = about.split()
        path = name.decode("utf-8", "replace")
        # 100644 and 100755 are files; links and submodules are none
        if (
            len(words) == 3
            and words[0].startswith(b"100")
            and path.endswith(ENDING)
            and not path.startswith(".")
            and len(found) < MOST_FILES
        ):
            found[path] = words[2].decode()
    return found


def _blob(root: Path, id_: str) -> bytes:
    data = _git(root, ["cat-file", "blob", id_], [])
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"A file of {root} is larger than {MOST_BYTES // 1024} KB.")
    return data


def _check_owner(root: Path) -> None:
    for path in (root, root / ".git"):
        owner = path.stat().st_uid
        if owner not in (0, os.getuid()):
            raise InvalidRequest(
                f"{path} belongs to user {owner}, who could make git run programs. Give it to root or to the engine's own user.",
                field="runbooks.folder",
            )  # fmt: skip


def _check_signers(root: Path, signers: Path) -> None:
    if not signers.is_file():
        raise InvalidRequest(
            f"There is no file {signers} of allowed signers. See ALLOWED SIGNERS in man ssh-keygen.",
            field="runbooks.signers",
        )
    if signers.resolve().is_relative_to(root.resolve()):
        raise InvalidRequest(
            f"{signers} lies in the repository: who writes runbooks could add a signer. Keep it elsewhere.",
            field="runbooks.signers",
        )


def _git(root: Path, words: list[str], options: list[str]) -> bytes:
    fixed = [
        f"safe.directory={root.resolve()}", "core.fsmonitor=false", "core.hooksPath=/dev/null", "gpg.program=/bin/false", "gpg.openpgp.program=/bin/false",
        "gpg.x509.program=/bin/false", "gpg.ssh.program=ssh-keygen", "gpg.ssh.defaultKeyCommand=", "gpg.ssh.revocationFile=", "log.showSignature=false",
        *options,
    ]  # fmt: skip
    argv = [
        "git",
        "--no-pager",
        "--no-optional-locks",
        "--no-replace-objects",
        *(part for one in fixed for part in ("-c", one)),
        "-C",
        str(root),
        *words,
    ]
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    try:
        done = subprocess.run(  # noqa: S603  # fixed words, no shell
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
            env={**kept, "LC_ALL": "C", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise InvalidRequest(
            f"{root} is a git repository, and git is not installed. Install it.", field="runbooks.folder"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidRequest(f"git did not answer for {root}: {error}.", field="runbooks.folder") from error
    if done.returncode:
        last = safe((done.stderr.strip().splitlines() or [b"no word"])[-1], 200)
        raise InvalidRequest(f"git can't read {root}: {last}.", field="runbooks.folder")
    return done.stdout
