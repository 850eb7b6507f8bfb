"""A restore on another host than the one that reads the repository: whether that one gets at it is asked of the real engine, before anything is written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from guardian_tui.engine.backups.engines.base import Capabilities, Place
from guardian_tui.engine.backups.reach import hindrance
from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import RepositorySpec
from tests.backups.house import HERE, house

OTHER = Way("other", "web-2", {}, None)


async def test_why_another_host_can_t_restore_is_said_with_what_to_do(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    subprocess.run(
        ["restic", "init", "-q", "-r", str(vault)], check=True, env={**os.environ, "RESTIC_PASSWORD": "the secret behind secret:backups/v"}
    )  # fmt: skip

    async with house(tmp_path, "") as home:
        sites = home.backups.sites

        async def said(location: str, way: Way = OTHER, **more: str) -> str:
            spec = RepositorySpec(
                name="vault", engine="restic", location=location, host="here", secrets={"RESTIC_PASSWORD": "secret:backups/v"}, **more
            )  # fmt: skip
            place = await sites.place(way, spec)
            return await hindrance(sites, way, HERE, Repository("r1", spec, "screen", 0.0), place)

        assert await said(str(vault)) == ""
        cut = await said("sftp://nobody@127.0.0.1:1//srv/vault")
        assert cut.startswith("web-2 does not get at vault (sftp://nobody@127.0.0.1:1//srv/vault): The link")
        assert "as here does" in cut and "restore into a folder on here and copy it from there" in cut
        assert "There is no repository" in await said(str(tmp_path / "nowhere"))
        # the host that reads it is not asked twice
        assert await said(str(tmp_path / "nowhere"), HERE) == ""
        spec = RepositorySpec(name="vault", engine="restic", location="/x", host="here")
        bare = Place(spec, Capabilities((), "restic is not installed."))
        words = await hindrance(sites, OTHER, HERE, Repository("r1", spec, "screen", 0.0), bare)
        assert words == "web-2 can't restore: restic is not installed. Install restic there."
