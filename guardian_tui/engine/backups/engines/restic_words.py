"""The words by which restic complains: 0.14 ends with 1 whatever happened, and even newer ones have codes for three of its troubles only."""

from __future__ import annotations

import re
from typing import Literal

from guardian_tui.engine.backups.engines.base import Signs

Trouble = Literal["cancelled", "no_space", "locked", "network", "auth", "missing"]

# in the order in which they are tried: "Is there a repository …?" is asked whatever hindered it from being read
_WORDS: tuple[tuple[Trouble, str], ...] = (
    ("cancelled", r"signal (interrupt|terminated) received"),
    (
        "no_space",
        r"no space left on device|disk quota exceeded|507 Insufficient Storage|StorageFull|QuotaExceeded|not enough space",
    ),
    ("locked", r"repository is already locked|repo already locked"),
    (
        "auth",
        r"wrong password or no key found|an empty password is not|Resolving password failed"
        r"|Permission denied \((publickey|password|keyboard)|Host key verification failed|HOST IDENTIFICATION HAS CHANGED"
        r"|\b40[13] (Unauthorized|Forbidden)|Access ?Denied|InvalidAccessKeyId|SignatureDoesNotMatch|invalid credentials"
        # an S3 store's own words, which restic hands on in place of its codes
        r"|Access Key Id you provided does not exist|request signature we calculated does not match|provided token (has expired|is malformed)"
        r"|request time and the current time is too large"
        r"|unable to open (config file|repository)\b.*: permission denied",
    ),
    (
        "network",
        r"connection (refused|reset|timed out|closed|lost)|no route to host|network is (unreachable|down)|i/o timeout|no such host"
        r"|Could not resolve hostname|Temporary failure in name resolution|TLS handshake|ssh: connect to host"
        r"|kex_exchange_identification|ssh command exited|unable to start the sftp session|broken pipe|unexpected EOF"
        r"|context deadline exceeded|50[234] (Bad Gateway|Service Unavailable|Gateway Time)"
        r"|reduce your request rate|encountered an internal error",
    ),
    (
        "missing",
        r"Is there a repository at the following location|repository does not exist"
        r"|unable to open config file: .*(no such file|does not exist|not found|NoSuchBucket)",
    ),
)
_BY_TROUBLE = dict(_WORDS)
LOCKED = Signs((11,), _BY_TROUBLE["locked"])
CUT = Signs(words=_BY_TROUBLE["network"])
LASTING = Signs((10, 12), f"{_BY_TROUBLE['no_space']}|{_BY_TROUBLE['auth']}")
_PATTERNS = tuple((trouble, re.compile(words, re.IGNORECASE)) for trouble, words in _WORDS)


def complaint(words: str) -> Trouble | None:
    """What kind of trouble a complaint tells of; None: none that has a name."""
    return next((trouble for trouble, pattern in _PATTERNS if pattern.search(words)), None)
