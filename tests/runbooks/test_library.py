"""The library reads a folder or a signed repository, again when it changes, and never offers what it can't vouch for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from guardian_tui.engine.runbooks.documents import folders
from guardian_tui.engine.runbooks.documents import library as library_module
from guardian_tui.engine.runbooks.documents import repository as repository_module
from guardian_tui.engine.runbooks.documents.library import Entry, Library
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound
from tests.runbooks.sample import step

GOOD = step("check: uptime").replace("id: a", "id: look").replace("title: A", "title: Look")


def write(folder: Path, name: str, text: str) -> Path:
    """A file of a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def library(folder: Path, signers: Path | None = None) -> Library:
    """A library of one folder, read."""
    made = Library(folder, signers=signers, shipped=False)
    made.refresh()
    return made


def one(made: Library, id_: str) -> Entry:
    """The entry of this id."""
    return next(entry for entry in made.entries if entry.id == id_)


def test_a_folder_is_read_and_read_again_when_it_changes(tmp_path: Path) -> None:
    write(tmp_path, "look.md", GOOD)
    write(tmp_path, "deep/other.md", GOOD.replace("id: look", "id: other"))
    made = library(tmp_path)
    assert [(entry.id, entry.file, entry.origin) for entry in made.entries] == [
        ("other", "deep/other.md", "own"),
        ("look", "look.md", "own"),
    ]
    assert made.get("look").title == "Look" and not made.problem
    assert made.refresh() is False
    write(tmp_path, "look.md", GOOD.replace("title: Look", "title: Look again"))
    (tmp_path / "deep" / "other.md").unlink()
    assert made.refresh() is True
    assert [entry.title for entry in made.entries] == ["Look again"]


def test_a_library_that_is_not_read_yet_says_so(tmp_path: Path) -> None:
    made = Library(tmp_path)
    assert made.problem == "They are not read yet."
    with pytest.raises(Conflict, match="not read yet"):
        made.get("disk-almost-full")


def test_a_document_that_breaks_is_listed_as_broken_and_its_old_version_is_not_run(tmp_path: Path) -> None:
    path = write(tmp_path, "renamed.md", GOOD)
    made = library(tmp_path)
    path.write_text(GOOD.replace("check:", "chekc:"))
    made.refresh()
    assert one(made, "look").document is None
    with pytest.raises(InvalidRequest, match=r"renamed\.md:8:1: error: 'chekc' is no kind of step"):
        made.get("look")
    with pytest.raises(NotFound, match="no runbook 'gone'"):
        made.get("gone")


def test_a_document_that_the_reader_stumbles_over_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "look.md", GOOD)
    write(tmp_path, "odd.md", GOOD.replace("id: look", "id: odd"))
    real = library_module.parse
    monkeypatch.setattr(
        library_module,
        "parse",
        lambda data, name, **more: 1 // 0 if name == "odd.md" else real(data, name, **more),
    )
    made = library(tmp_path)
    assert made.get("look") and "a fault of Guardian's own" in one(made, "odd").problems[0]


def test_a_part_is_no_runbook_and_its_change_changes_who_includes_it(tmp_path: Path) -> None:
    write(tmp_path, "look.md", GOOD + "```include _part.md\n```\n")
    write(tmp_path, "_part.md", "```step more\ncheck: id\n```\n")
    made = library(tmp_path)
    before = made.get("look")
    assert [one.name for one in before.steps] == ["one", "more"] and len(made.entries) == 1
    write(tmp_path, "_part.md", "```step most\ncheck: id\n```\n")
    assert made.refresh() and made.get("look").hash != before.hash


def test_two_of_one_id_are_both_broken_and_ones_own_stands_in_for_a_shipped_one(tmp_path: Path) -> None:
    write(tmp_path, "a.md", GOOD)
    write(tmp_path, "b.md", GOOD)
    made = library(tmp_path)
    assert [entry.problems for entry in made.entries] == [
        ("a.md:1:1: error: b.md has the id look too. Change one. [double-id]",), ("b.md:1:1: error: a.md has the id look too. Change one. [double-id]",),
    ]  # fmt: skip
    (tmp_path / "b.md").unlink()
    write(tmp_path, "a.md", GOOD.replace("id: look", "id: disk-almost-full"))
    whole = Library(tmp_path, rules=["disk_low"])
    whole.refresh()
    assert one(whole, "disk-almost-full").origin == "own"


def test_what_leads_out_or_is_open_to_all_is_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    write(inside, "look.md", GOOD)
    write(tmp_path, "secret.md", GOOD)
    (inside / "link.md").symlink_to(tmp_path / "secret.md")
    (inside / "up").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe.md")
    write(inside, "open.md", GOOD.replace("id: look", "id: open")).chmod(0o666)
    write(inside, "includes.md", GOOD.replace("id: look", "id: includes") + "```include link.md\n```\n")
    made = library(inside)
    assert {entry.id for entry in made.entries if entry.document} == {"look"}
    assert "is no file" in one(made, "pipe").problems[0] and "chmod o-w" in one(made, "open").problems[0]
    assert "bad-include" in one(made, "includes").problems[0]
    inside.chmod(0o777)
    made.refresh()
    assert made.entries == () and "chmod o-w" in made.problem
    assert "can't be read" in library(tmp_path / "gone").problem


def test_a_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    for name in "abcd":
        write(tmp_path, f"{name}.md", GOOD.replace("id: look", f"id: {name}"))
    write(tmp_path, "1/2/3/4/5/deep.md", GOOD)
    made = library(tmp_path)
    assert len(made.entries) == 3 and "more than 3" in made.problem
    monkeypatch.setattr(folders, "MOST_BYTES", 10)
    write(tmp_path, "a.md", GOOD)
    made.refresh()
    assert "larger than" in one(made, "a").problems[0]


# --- repositories -------------------------------------------------------------------------------------


def git(root: Path, *words: str, key: Path | None = None) -> str:
    """Run git as its owner would."""
    sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"] if key else []
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *who, *sign, "-C", root, *words], check=True, capture_output=True, text=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    ).stdout  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one committed runbook."""
    root = tmp_path / "repository"
    write(root, "look.md", GOOD)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "First")
    return root


def keys(folder: Path) -> tuple[Path, Path, Path]:
    """The key of one who may sign, that of another, and the list of those who may."""
    for name in ("anna", "bert"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True
        )
    signers = folder / "signers"
    signers.write_text(f"anna@example.org {(folder / 'anna.pub').read_text()}")
    return folder / "anna", folder / "bert", signers


def test_a_repository_shows_its_commit(repository: Path) -> None:
    made = library(repository)
    first = git(repository, "rev-parse", "HEAD").strip()
    assert one(made, "look").commit == first and one(made, "look").signer == ""
    assert made.refresh() is False
    git(repository, "commit", "-q", "--allow-empty", "-m", "Second")
    assert made.refresh() is True
    assert one(made, "look").commit == git(repository, "rev-parse", "HEAD").strip() != first


def test_what_stands_in_no_commit_shows_none(repository: Path) -> None:
    write(repository, "look.md", GOOD + "```include _part.md\n```\n")
    write(repository, "_part.md", "```step more\ncheck: id\n```\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "Second")
    write(repository, "new.md", GOOD.replace("id: look", "id: new"))
    made = library(repository)
    second = git(repository, "rev-parse", "HEAD").strip()
    assert (one(made, "look").commit, one(made, "new").commit) == (second, "")
    write(repository, "_part.md", "```step more\ncheck: id -u\n```\n")
    made.refresh()
    found = one(made, "look")
    assert found.commit == "" and found.document is not None, (
        "a part is edited: it is run, and is in no commit"
    )
    git(repository, "checkout", "-q", "_part.md")
    made.refresh()
    assert one(made, "look").commit == second
    commit, work = repository_module.head(repository, None), folders.survey(repository)
    assert repository_module.differing(repository, commit, work) == {"new.md"}
    # nor does what can't be read any more
    (repository / "look.md").chmod(0o666)
    assert repository_module.differing(repository, commit, work) == {"look.md", "new.md"}


def test_only_a_commit_that_an_allowed_signer_signed_is_run(repository: Path, tmp_path: Path) -> None:
    anna, bert, signers = keys(tmp_path)
    made = library(repository, signers)
    assert one(made, "look").document is None
    assert "it is not signed" in made.problem and "it is not signed" in one(made, "look").problems[0]
    git(repository, "commit", "-q", "--amend", "--no-edit", "-S", key=bert)
    made.refresh()
    assert "nobody whom runbooks.signers names" in made.problem
    git(repository, "commit", "-q", "--amend", "--no-edit", "-S", key=anna)
    made.refresh()
    assert made.problem == "" and one(made, "look").signer == "anna@example.org" and made.get("look")
    write(repository, "look.md", GOOD + "\nMore.\n")
    write(repository, "new.md", GOOD.replace("id: look", "id: new"))
    made.refresh()
    assert (
        "is not as in commit" in one(made, "look").problems[0]
        and "is not in commit" in one(made, "new").problems[0]
    )
    git(repository, "checkout", "-q", ".")
    (repository / "new.md").unlink()
    made.refresh()
    assert made.get("look")
    signers.write_text("")
    made.refresh()
    assert one(made, "look").document is None


def test_a_forged_commit_is_told_as_such(repository: Path, tmp_path: Path) -> None:
    anna, _, signers = keys(tmp_path)
    git(repository, "commit", "-q", "--amend", "--no-edit", "-S", key=anna)
    raw = git(repository, "cat-file", "commit", "HEAD").replace("First", "Other")
    forged = subprocess.run(
        ["git", "-C", repository, "hash-object", "-t", "commit", "-w", "--stdin"],
        input=raw,
        capture_output=True,
        text=True,
        check=True,
    )
    git(repository, "reset", "-q", "--hard", forged.stdout.strip())
    assert "its signature is wrong" in library(repository, signers).problem


def test_who_may_sign_is_not_said_by_the_repository_itself(repository: Path, tmp_path: Path) -> None:
    _, _, signers = keys(tmp_path)
    inside = write(repository, "signers", signers.read_text())
    assert "could add a signer" in library(repository, inside).problem
    assert "There is no file" in library(repository, tmp_path / "gone").problem
    plain = tmp_path / "plain"
    write(plain, "look.md", GOOD)
    made = library(plain, signers)
    assert "no git repository" in made.problem and one(made, "look").document is None


def test_a_repository_makes_git_run_nothing(repository: Path, tmp_path: Path) -> None:
    anna, _, signers = keys(tmp_path)
    git(repository, "commit", "-q", "--amend", "--no-edit", "-S", key=anna)
    trap = write(tmp_path, "trap", f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for name in (
        "core.fsmonitor",
        "gpg.program",
        "gpg.ssh.program",
        "core.pager",
        "gpg.ssh.defaultKeyCommand",
        "diff.external",
        "core.sshCommand",
    ):
        git(repository, "config", name, str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    write(repository, ".gitattributes", "*.md filter=trap diff=trap\n")
    for name in ("filter.trap.clean", "filter.trap.smudge", "diff.trap.textconv"):
        git(repository, "config", name, str(trap))
    made = library(repository, signers)
    assert made.get("look") and not (tmp_path / "sprung").exists()


def test_a_repository_without_a_commit_is_told(tmp_path: Path) -> None:
    write(tmp_path, "look.md", GOOD)
    git(tmp_path, "init", "-q")
    made = library(tmp_path)
    assert "git can't read" in made.problem and one(made, "look").document is None


def test_what_is_not_in_a_signed_commit_is_included_by_nothing(repository: Path, tmp_path: Path) -> None:
    anna, _, signers = keys(tmp_path)
    write(repository, "look.md", GOOD + "```include _part.md\n```\n")
    write(repository, "_part.md", "```step more\ncheck: id\n```\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "Second", "-S", key=anna)
    made = library(repository, signers)
    assert len(made.get("look").steps) == 2
    write(repository, "_part.md", "```step more\ncheck: rm\n```\n")
    made.refresh()
    assert "_part.md: It is not as in commit" in one(made, "look").problems[0]
    (repository / "_part.md").unlink()
    made.refresh()
    assert "is not as in commit" in one(made, "look").problems[0]
    git(repository, "rm", "-q", "--cached", "_part.md")
    git(repository, "commit", "-qm", "Third", "-S", key=anna)
    made.refresh()
    assert "There is no _part.md in commit" in one(made, "look").problems[0]


def test_a_signed_file_that_is_too_large_is_not_read(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, _, signers = keys(tmp_path)
    git(repository, "commit", "-q", "--amend", "--no-edit", "-S", key=anna)
    monkeypatch.setattr(repository_module, "MOST_BYTES", 10)
    (found,) = library(repository, signers).entries
    assert found.document is None and found.problems


def test_a_repository_of_somebody_else_is_not_asked_for_its_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whoever owns it could make git run programs
    me, real = os.getuid(), Path.stat

    def stat(path: Path, **more: bool) -> os.stat_result:
        about = real(path, **more)
        fields = list(about)
        fields[4] = me + 4711
        return os.stat_result(fields) if path.name == ".git" else about

    monkeypatch.setattr(Path, "stat", stat)
    made = library(repository)
    assert f"belongs to user {me + 4711}, who could make git run programs" in made.problem
    assert one(made, "look").document is None


def test_a_git_that_is_not_there_says_nothing_or_does_not_answer_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert "git is not installed" in library(repository).problem
    stand_in = write(programs, "git", "#!/bin/sh\necho odd\n")
    stand_in.chmod(0o755)
    assert "git says nothing of the commit" in library(repository).problem
    stand_in.write_text("#!/bin/sh\nexit 3\n")
    assert "git can't read" in library(repository).problem and "no word" in library(repository).problem
    monkeypatch.setattr(repository_module, "SECONDS", 0.2)
    stand_in.write_text("#!/bin/sh\nwhile :; do :; done\n")
    assert "git did not answer" in library(repository).problem


def test_what_leads_to_a_file_within_the_folder_by_a_link_is_not_read_either(tmp_path: Path) -> None:
    write(tmp_path, "look.md", GOOD + "```include _link.md\n```\n")
    write(tmp_path, "_real.md", "```step more\ncheck: id\n```\n")
    (tmp_path / "_link.md").symlink_to("_real.md")
    assert "_link.md can't be read" in one(library(tmp_path), "look").problems[0]
    (tmp_path / "_link.md").unlink()
    assert "There is no _link.md" in one(library(tmp_path), "look").problems[0]
