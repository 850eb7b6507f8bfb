"""ssh_config and known_hosts as people have them, and as nobody should: read, named, never run."""

from __future__ import annotations

import asyncssh
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.sources.ssh_config import parse_ssh_config
from guardian_tui.engine.remote.pins import parse_known_hosts

KEY = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
CONFIG = """
Host web db-*
    HostName %h.example.org
    Port=2222
    IdentityFile "~/.ssh/my key"
    ProxyJump ada@bastion:2200,inner
Host db-1
    User=postgres
    ProxyCommand nc %h %p
Host * !web
    User ada
    ServerAliveInterval 30
Host odd
    Port many
Match exec "touch /tmp/never"
    User nobody
Include other
Host
Host "unfinished
"""


def test_hosts_are_read_as_ssh_reads_them_and_the_rest_is_named() -> None:
    reading = parse_ssh_config(CONFIG)
    hosts = {host.spec.name: host for host in reading.entries}
    assert set(hosts) == {"web", "db-1"}
    web, db = hosts["web"].spec, hosts["db-1"].spec
    assert (web.address, web.port, web.user, web.credential) == (
        "web.example.org",
        2222,
        "",
        "key:~/.ssh/my key",
    )
    assert tuple(web.jump) == ("bastion", "inner")
    assert (db.address, db.user) == ("db-1.example.org", "postgres")
    assert hosts["web"].unsupported == ()
    assert [word.split()[0] for word in hosts["db-1"].unsupported] == ["proxycommand"]
    told = "\n".join(reading.problems)
    for words in (
        "Match is not supported",
        "Include is not followed",
        "has no value",
        "host odd",
        "No closing",
    ):
        assert words in told


@given(st.text(max_size=400))
def test_no_ssh_config_breaks_the_reader(text: str) -> None:
    parse_ssh_config(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "Host",
                "a",
                "b*",
                "!a",
                "=",
                '"',
                "Port",
                "22",
                "-1",
                "ProxyJump",
                "@:",
                ",",
                "\n",
                "\t",
                "\x00",
                "Match",
            ]
        ),
        max_size=40,
    )
)
def test_no_mixture_of_its_words_breaks_the_reader(words: list[str]) -> None:
    parse_ssh_config(" ".join(words))


def test_pins_authorities_and_hashed_names_are_taken_and_what_is_wrong_is_named() -> None:
    text = f"""# mine
web,10.0.0.1 {KEY} comment
@cert-authority *.example.org {KEY}
@revoked old {KEY}
|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {KEY}
@strange web {KEY}
short line
web ssh-ed25519 notbase64
"""
    pins, problems = parse_known_hosts(text)
    assert [pin.kind for pin in pins] == ["key", "authority", "revoked", "key"]
    assert pins[1].line == f"@cert-authority *.example.org {KEY}"
    assert len(problems) == 3
    assert ["line 6" in problems[0], "line 7" in problems[1], "line 8" in problems[2]] == [True] * 3


@given(st.text(max_size=300))
def test_no_known_hosts_breaks_the_reader(text: str) -> None:
    parse_known_hosts(text)
    parse_known_hosts(f"{text} {KEY}")
