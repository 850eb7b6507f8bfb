"""A command with values in it is refused where quoting does not reach."""

from __future__ import annotations

import pytest

from guardian_tui.engine.runbooks.documents.shell import read_command
from tests.runbooks.sample import found, step, steps

VARS = "vars: {x: {type: text}, pw: {type: secret}}\n"


def of_command(command: str, more: str = "", kind: str = "run") -> dict[str, str]:
    """What is found in a command, with its place in it."""
    indented = "\n".join(f"  {line}" for line in command.split("\n"))
    return found(
        step(
            f"{kind}: |\n{indented}\n{more}dangerous: yes"
            if kind == "run"
            else f"{kind}: |\n{indented}\n{more}",
            VARS,
        )
    )


@pytest.mark.parametrize(
    "command",
    [
        "ls -l -- {{x}}", "find {{x}} -name '*.log' -mtime +3 -print", "psql -v x={{x}}", "sed -n 1,5p -- {{x}}",
        "systemctl restart ssh && kill {{x}}", 'x={{x}}; ls -- "$x"', "for f in a b; do ls -- {{x}}; done",
        "case {{x}} in a) ls;; *) id;; esac", "if [ -e {{x}} ]; then rm -f -- {{x}}; fi", "journalctl --vacuum-time={{x}}d",
        "echo a\\\n  {{x}}", "sudo -n -u postgres -- ls -- {{x}}", "( cd / && ls -- {{x}} ) 2>&1", "echo {{x}} >> /tmp/a",
        "systemctl status -- {{x}}; systemctl status ssh", "awk -F: '{print $1}' -- {{x}}", "grep -F -- {{x}} /etc/hosts",
        "cat /a > {{x}}", "{ id; id; } >| {{x}} 2>&1", "> {{x}}", "2>> {{x}} > /a id",
    ],
)  # fmt: skip
def test_plain_commands_take_values(command: str) -> None:
    assert of_command(command) == {}


@pytest.mark.parametrize(
    ("code", "command", "column"),
    [
        ("placeholder-quoted", "ls '{{x}}'", 7), ("placeholder-quoted", 'ls "a {{x}}"', 9), ("placeholder-escaped", "ls \\{{x}}", 7),
        ("placeholder-dollar", "ls ${{x}}", 7), ("placeholder-comment", "ls # {{x}}", 8), ("placeholder-in-expansion", 'ls "${A:-{{x}}}"', 12),
        ("placeholder-as-program", "{{x}} a", 3), ("placeholder-as-program", "id | {{x}}", 8), ("placeholder-as-program", "id; A=b {{x}}", 11),
        ("placeholder-as-program", "> /a {{x}} b", 8), ("placeholder-as-program", "2>/a A=b {{x}}", 12), ("placeholder-as-program", ">&2 {{x}}", 7),
        ("placeholder-as-program", "{ id; } >| /a; </a 2>&1 {{x}}", 27), ("placeholder-as-program", "echo \\>& {{x}}", 12),
        ("placeholder-with-code", "> /a eval {{x}}", 8), ("placeholder-with-code", "2> /a bash -c {{x}}", 9),
        ("placeholder-with-code", "echo $(date) {{x}}", 8), ("placeholder-with-code", 'echo "$(date)" {{x}}', 9),
        ("placeholder-with-code", "echo `date` {{x}}", 8), ("placeholder-with-code", "cat <<E\nE\nls {{x}}", 7),
        ("placeholder-with-code", "echo $((1+1)) {{x}}", 8), ("placeholder-with-code", "echo $'a' {{x}}", 8),
        ("placeholder-with-code", "eval {{x}}", 3), ("placeholder-with-code", "x={{x}}; eval \"$x\"", 12), ("placeholder-with-code", "sudo sh -c id {{x}}", 8),
        ("placeholder-with-code", "/bin/bash -c {{x}}", 3), ("placeholder-with-code", "ssh web {{x}}", 3), ("placeholder-with-code", "sudo -u a ssh web {{x}}", 13),
        ("placeholder-with-code", "find {{x}} -exec sh -c id \\;", 20), ("placeholder-with-code", "ls | xargs rm {{x}}", 8),
        ("placeholder-with-code", "su - bob -c {{x}}", 3), ("placeholder-with-code", "sudo -i {{x}}", 3), ("placeholder-with-code", "[[ {{x}} -eq 1 ]]", 3),
        ("placeholder-with-code", "(( {{x}} ))", 3), ("placeholder-with-code", "diff <(ls) {{x}}", 8), ("placeholder-with-code", "env -S {{x}}", 3),
        ("value-as-code", "psql -c {{x}}", 11), ("value-as-code", "mysql --execute={{x}}", 9), ("value-as-code", "sed -i s/a/{{x}}/ f", 10),
        ("value-as-code", "awk {{x}} f", 7), ("value-as-code", "perl -e {{x}}", 11), ("bare-variable", "x={{x}}; ls $x", 15),
        ("secret-in-command", "echo {{pw}}", 8), ("unknown-variable", "ls -- {{mnt}}", 9), ("open-quote", "ls 'a", 7), ("open-quote", "ls (a", 7),
    ],
)  # fmt: skip
def test_values_are_refused_where_quoting_does_not_reach(code: str, command: str, column: int) -> None:
    all_ = of_command(command)
    assert code in all_, all_
    assert all_[code].startswith(f"10:{column} "), all_[code]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ('ls -- "$NAME"', ""), ("sh -c 'echo \"$1\"' x \"$NAME\"", ""), ('n="$(wc -l < "$NAME")"; echo "$n"', ""), ('echo "${NAME:-none}"', ""),
        ('{ echo a; echo b; } > "$NAME"', ""), ('(ls) 2> "$NAME"', ""),
        ('if id; then id; fi >> "$NAME"', ""), ('exec > "$NAME"', ""), ('cat <<< "$NAME"', ""), ('echo "${NAME:-\'none\'}"', ""), ("ls -- $NAME", "bare-variable"), ("ls -- ${NAME}", "bare-variable"), ('echo "$(cat $NAME)"', "bare-variable"),
        ('sh -c "echo $NAME"', "value-as-code"), ('sudo bash -lc "$NAME"', "value-as-code"), ('eval "$NAME"', "value-as-code"),
        ('eval "${A:+$NAME}"', "value-as-code"), ('ssh web "ls $NAME"', "value-as-code"), ('awk "$NAME" f', "value-as-code"), ('psql -c "$NAME"', "value-as-code"),
        ('su -c "$NAME"', "value-as-code"),
    ],
)  # fmt: skip
def test_a_value_in_the_environment_is_quoted_and_never_code(command: str, code: str) -> None:
    all_ = of_command(command, "env: {NAME: '{{x}}'}\n")
    assert list(all_) == ([code] if code else [])


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ('sh -c $(echo) "$NAME"', "value-as-code"), ('sh "$NAME"', "value-as-code"), ("sh -c 'rm $NAME'", "bare-variable"),
        ("sh -c 'eval \"$1\"' x \"$NAME\"", "value-as-code"), ("sh -c 'sh -c \"$1\"' x \"$NAME\"", "value-as-code"), ("sh -c 'rm -- $1' x \"$NAME\"", "bare-variable"),
        ("trap 'ls $NAME' EXIT", "bare-variable"), ('find . -exec sh -c true \\; -exec sh -c "$NAME" \\;', "value-as-code"),
        ('"$NAME" a', "placeholder-as-program"), ('sudo -u root "$NAME"', "placeholder-as-program"), ('$(echo) "$NAME"', "placeholder-as-program"),
        ('> /a "$NAME"', "placeholder-as-program"), ('bash < "$NAME"', "value-as-code"), ('timeout 5 "$NAME"', "placeholder-as-program"), ('env A=1 nice -n 5 "$NAME"', "placeholder-as-program"), ('exec "$NAME"', "placeholder-as-program"),
        ('v="$NAME"; eval "$v"', "value-as-code"), ('v="$NAME"; w=$v; ls $w', "bare-variable"), ('for v in a "$NAME"; do sh -c "$v"; done', "value-as-code"),
        ('set -- "$NAME"; eval "$1"', "value-as-code"), ('f() { eval "$1"; }; f "$NAME"', "value-as-code"), ('export V="$NAME"; sh -c \'ls $V\'', "bare-variable"),
        ("echo $((NAME + 1))", "value-as-code"), ('echo "$(($NAME))"', "value-as-code"), ('(( "$NAME" ))', "value-as-code"), ('[ -v "$NAME" ]', "value-as-code"),
        ('printf -v "$NAME" a', "value-as-code"), ('read "$NAME"', "value-as-code"), ('[[ "$NAME" -eq 1 ]]', "value-as-code"),
    ],
)  # fmt: skip
def test_values_do_not_become_code_by_a_side_door(command: str, code: str) -> None:
    assert code in of_command(command, "env: {NAME: '{{x}}'}\n")


def test_code_in_quotes_may_use_its_arguments() -> None:
    for command in (
        "find . -exec sh -c 'ls -- \"$1\"' x {} \\;",
        'sh -c \'echo "$1"\' x "$NAME"',
        "sh -c 'echo \"$NAME\"'",
        'usermod --shell /bin/sh -- "$NAME"',
    ):
        assert of_command(command, "env: {NAME: '{{x}}'}\n") == {}
    assert "placeholder-with-code" in of_command('$""bash -c {{x}}')
    assert "placeholder-as-program" in of_command("$1eval a{{x}}")
    assert of_command("timeout 5 nice -n 5 ls -- {{x}}") == {}
    assert "placeholder-as-program" in of_command("sudo -n -u root {{x}}")


@pytest.mark.parametrize(
    "program",
    ["psql", "mysql", "sh", "sudo -u postgres psql -X", "python3", "bash -s", "sqlite3 /a", "ssh web"],
)
def test_values_are_not_fed_to_what_runs_its_input(program: str) -> None:
    assert "value-as-code" in of_command(program, "stdin: \"select '{{x}}'\"\n")
    assert of_command("psql -v x={{x}}", "stdin: \"select :'x'\"\n") == {}
    assert of_command("tee /tmp/a", "stdin: '{{x}}'\n") == {}


def test_the_rollback_is_held_to_the_same() -> None:
    assert of_command("id", "rollback: ls '{{x}}'\n")["placeholder-quoted"].startswith("11:15 ")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("rm -- /a", "rm"),
        ("sudo -n systemctl restart a", "systemctl restart"),
        ("ls; mkfs.ext4 /dev/x", "mkfs.ext4"),
    ],
)
def test_what_takes_something_away_is_marked(command: str, word: str) -> None:
    assert word in found(step(f"run: {command}"))["unmarked-danger"]
    assert word in found(step(f"check: {command}"))["check-writes"]
    assert found(step(f"run: {command}\ndangerous: It takes a service away.")) == {}
    looks = "systemctl status -- a; rm --help; ls rm; apt-get --simulate upgrade; apt-get check; certbot certificates; passwd --status a"
    assert found(step(f"check: {looks}")) == {}


def test_a_missing_double_dash_is_a_hint() -> None:
    assert of_command("rm {{x}}").keys() == {"no-double-dash"}
    assert of_command("rm -- {{x}}") == {} == of_command("systemctl stop {{x}}")


def test_places_are_those_of_the_file() -> None:
    quoted = found(step("run: \"ls '{{x}}'\"", VARS))
    assert quoted["placeholder-quoted"].startswith("9:11 ")
    plain = found(step("run: ls -- {{x}}-{{b}}", VARS))
    assert plain["unknown-variable"].startswith("9:18 ")
    nested = found(step("run: |\n  if true; then\n      ls '{{x}}'\n  fi", VARS))
    assert nested["placeholder-quoted"].startswith("11:11 ")


def test_words_of_a_command_are_those_of_the_shell() -> None:
    reading = read_command(
        'A=1 sudo ls -l "a b"\'c\' \\\n d >/dev/null 2>&1 && { echo "$(id -u "$X")" e; } | tee /a # no'
    )
    assert [[one.bare for one in command] for command in reading.commands if command] == [
        ["sudo", "ls", "-l", "a bc", "d", "/dev/null", "1"], ["echo", "$(", "e"], ["id", "-u", "$X"], ["tee", "/a"],
    ]  # fmt: skip
    assert {odd.code for odd in reading.oddities} == {"substitution"}


@pytest.mark.parametrize(
    "bomb",
    [
        "a " * 8000,
        "sudo " + "sh " * 5000,
        "((" * 7900,
        "$((" * 5000,
        "${A:-" * 3200,
        '"$(' * 5000,
        "{{x}} " * 2700,
        "sh -c '" + "$1 " * 5000 + "'",
    ],
)
def test_a_command_that_is_made_to_take_long_is_not_followed(bomb: str) -> None:
    fences = "".join(
        f"```step s{number}\nrun: |\n  {bomb}\nenv: {{X: '{{{{x}}}}'}}\n```\n" for number in range(12)
    )
    assert "too-long" in found(steps(fences, VARS))
