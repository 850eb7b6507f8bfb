"""How engines that go through ``ssh`` call it, and the locations that they must not be given."""

from __future__ import annotations

import re

SSH = "ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=30 -oServerAliveCountMax=4"
"""Neither asks for a password, nor waits for a server that is gone."""
PASSWORD_INSIDE = re.compile(r"://[^/@]*:[^/@]*@|^[^/@:]+:[^/@]+@")
"""``ssh`` takes no password from a location, and everybody reads it there."""
LEAVE_IT_OUT = (
    "A password stands in the location, where everybody reads it, and ssh takes none from there."
    " Leave it out, and let the host log in by a key."
)
