"""Authors check runbooks without an engine, on a machine that has none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardian_tui.cli.main import main
from guardian_tui.engine.runbooks.documents.front import KEYS, VARIABLE_KEYS
from guardian_tui.engine.runbooks.documents.known import Known
from guardian_tui.engine.runbooks.documents.schema import make_schema
from guardian_tui.engine.runbooks.documents.steps import KEYS as STEP_KEYS
from tests.runbooks.sample import found, step

ROOT = Path(__file__).parent.parent.parent


def run(*words: object) -> Result:
    """One call of the program."""
    return CliRunner().invoke(main, ["runbooks", *map(str, words)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a sound runbook, a doubtful one and a broken one."""
    (tmp_path / "good.md").write_text(
        step("check: uptime\nas: root", "vars: {x: {default: 5}}\n").replace("id: a", "id: good")
    )
    (tmp_path / "doubtful.md").write_text(
        step("run: rm -- /a\nrollback: touch -- /a").replace("id: a", "id: doubtful")
    )
    (tmp_path / "broken.md").write_text(step("rum: id\n"))
    return tmp_path


def test_lint_says_what_is_wrong_where_and_ends_with_one(folder: Path) -> None:
    whole = run("lint", folder)
    assert whole.exit_code == 1
    assert whole.stdout.splitlines() == [
        f"{folder}/doubtful.md:8:6: warning: rm can take something away, and the step is not marked. Add dangerous: and why. [unmarked-danger]",
        f"{folder}/broken.md:8:1: error: 'rum' is no kind of step. Did you mean run? [unknown-kind]",
    ]  # fmt: skip
    assert "3 runbooks: 1 error, 1 warning, 0 hints." in whole.stderr
    assert run("lint", folder / "good.md").exit_code == 0 == run("lint", folder / "doubtful.md").exit_code
    assert run("lint", "--strict", folder / "doubtful.md").exit_code == 1
    assert run("lint", folder / "gone.md").exit_code == 2


def test_lint_knows_the_channels_of_a_config_and_the_names_that_it_is_given(tmp_path: Path) -> None:
    config, book = tmp_path / "config.toml", tmp_path / "a.md"
    config.write_text('[alerts.channels.desk]\nkind = "webhook"\nurl = "http://127.0.0.1:1/"\n')
    book.write_text(step("notify: Look.\nchannels: [desk, dsek]"))
    told = run("lint", "--config", config, tmp_path)
    assert told.exit_code == 0 and told.stdout.splitlines() == [
        f"{book}:9:11: warning: There is no channel 'dsek'. Did you mean desk? [unknown-channel]"
    ]
    config.write_text("[alerts]\n")
    assert ":8:1: warning: This tells nobody, and fails" in run("lint", "--config", config, book).stdout
    config.write_text("[alerts\n")
    assert run("lint", "--config", config, book).exit_code == 1
    config.write_bytes(b"\xff")
    assert "can't be read" in run("lint", "--config", config, book).stderr
    many = Known(hosts=frozenset(f"web-{number}" for number in range(20)), jobs=frozenset(("nightly",)))
    assert "There are 20 others." in found(step("run: id\nhosts: [db]"), known=many)["unknown-host"]
    assert "Did you mean web-1" in found(step("run: id\nhosts: [web-111]"), known=many)["unknown-host"]
    assert found(step('backup: "{{job}}"', "vars: {job: {type: word}}\n"), known=many) == {}


def test_lint_speaks_json(folder: Path) -> None:
    told = json.loads(run("lint", "--json", folder / "broken.md").stdout)
    assert [(one["line"], one["column"], one["severity"], one["code"]) for one in told] == [
        (8, 1, "error", "unknown-kind")
    ]


def test_lint_knows_the_rules_and_the_parts(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "_part.md").write_text("```step more\ncheck: id\n```\n")
    text = step("check: id", "for: [disk_lwo]\n") + "```include ../_part.md\n```\n"
    (tmp_path / "own" / "a.md").write_text(text)
    alone = run("lint", tmp_path / "own" / "a.md").stdout
    assert "Did you mean disk_low?" in alone and "outside of the folder" in alone
    assert "outside" not in run("lint", "--root", tmp_path, tmp_path / "own" / "a.md").stdout
    tmp_path.chmod(0o777)
    assert "chmod o-w" in run("lint", tmp_path).stdout


def test_read_says_how_a_document_is_understood(folder: Path) -> None:
    said = run("read", folder / "good.md").stdout
    assert "A (good, version 1)" in said and "value x: text, from person, 5 if nothing is said" in said
    assert "1. one (check, as root)" in said and "then end; on failure ask" in said
    assert "back: touch -- /a" in run("read", folder / "doubtful.md").stdout
    assert json.loads(run("read", "--json", folder / "good.md").stdout)["steps"][0]["user"] == "root"
    broken = run("read", folder / "broken.md")
    assert broken.exit_code == 1 and "no kind of step" in broken.stderr


def test_what_is_hostile_in_a_document_is_shown_harmless(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(step("run: id\n\x1b]0;x\x07: y\n"))
    assert (
        "\x1b" not in run("lint", tmp_path / "a.md").output + run("lint", "--json", tmp_path / "a.md").output
    )


def test_the_published_schema_is_the_one_that_the_program_prints() -> None:
    printed = run("schema").stdout
    assert (ROOT / "docs" / "runbook.schema.json").read_text() == printed, (
        "guardian-tui runbooks schema > docs/runbook.schema.json"
    )
    schema = json.loads(printed)
    assert schema == make_schema()
    assert set(schema["$defs"]["front_matter"]["properties"]) == set(KEYS)
    assert set(schema["$defs"]["variable"]["properties"]) == set(VARIABLE_KEYS)
    for kind, keys in STEP_KEYS.items():
        assert set(schema["$defs"][f"step_{kind}"]["properties"]) == {kind, *keys}


def test_documents_cost_nothing_before_one_is_read() -> None:
    script = "import sys, guardian_tui.engine.runbooks.documents.library\nprint(sorted({'markdown_it', 'ruamel', 'ruamel.yaml', 're2'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
