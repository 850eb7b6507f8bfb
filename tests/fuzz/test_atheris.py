"""Coverage-guided fuzzing of what reads bytes of hosts, for as long as `make soak` gives it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.fakes import RECORDED

SECONDS = 120
PARSERS = 9
SEEDS = (
    b"S\tunits\nR\ta.service\tloaded\tactive\trunning\nX\tunits\tdenied\trule\n", b"OK - fine|'a b'=5ms;10;@1:20;0;100 c=1KB;~:5\nmore | d=3%",
    b'a.b[0]>3\n{"a": {"b": [4, "x", null, 1e400]}}', b'# TYPE x counter\nx{a="b\\"",c="d"} 1.5e3 1700000000\nx NaN\n',
    b"@cert-authority *.example.org,[10.0.0.1]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIClQ8kHSudjS4A3C2ZsGwvV5p2s5nCrvb2arpWVMqTTI\n|1|x|y ssh-rsa AAAA\n",
    b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 50 50 50% /\nfiles:/srv 9 9 0 100% /srv data\n",
)  # fmt: skip
"""Bytes that mean something to one parser or another."""


@pytest.mark.soak
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="there is no atheris for this machine"
)
@pytest.mark.timeout(SECONDS + 120)
def test_no_bytes_of_a_host_break_a_parser(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for parser in range(PARSERS):
        for file in RECORDED.glob("*.txt"):
            (seeds / f"{parser}-{file.name}").write_bytes(bytes([parser]) + file.read_bytes())
        for number, answer in enumerate(SEEDS):
            (seeds / f"{parser}-{number}").write_bytes(bytes([parser]) + answer)
    command = [sys.executable, "-m", "tests.fuzz.target", f"-max_total_time={SECONDS}", "-timeout=10", f"-artifact_prefix={tmp_path}/", str(seeds)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-4000:]
