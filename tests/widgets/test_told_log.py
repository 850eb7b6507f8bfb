"""What backup programs write is shown in words, and nothing of it is lost that could not be read."""

from __future__ import annotations

import pytest

from widgets.told_log import log_lines

BORG = """{"message": "Reading files", "operation": 1, "msgid": "cache.begin_transaction", "type": "progress_message", "finished": false}
{"operation": 1, "msgid": "cache.begin_transaction", "type": "progress_message", "finished": true}
{"levelname": "WARNING", "message": "/no/such: [Errno 2] No such file", "type": "log_message"}
{
    "archive": {
        "name": "shop~files",
        "stats": {
            "deduplicated_size": 1024,
            "nfiles": 1,
            "original_size": 2048
        }
    }
}
Killed"""


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (BORG, ["Reading files", "warning: /no/such: [Errno 2] No such file", "archive shop~files: 1 file, 2.0 KiB read, 1.0 KiB added", "Killed"]),
        ('{"message_type":"error","error":{"message":"denied"},"during":"scan","item":"/x"}', ["error in the scan: /x: denied"]),
        ('{"message_type":"error","error":{},"item":"/x"}', ["error: /x"]),
        ('{"message_type":"summary","files_new":41,"files_changed":0,"data_added":1024}', ["files: 41 new, 0 changed, 1.0 KiB added"]),
        ('{"message_type":"summary"}', ["summary"]),
        # what is none of it stands as it is
        ('{"a": 1}', ['{"a": 1}']), ("{broken", ["{broken"]), ("{", ["{"]), ("{\n}", ["{}"]), ('{"archive": {"stats": 1}}', ['{"archive": {"stats": 1}}']),
        ("", []), ("plain\n\nlines", ["plain", "lines"]),
    ],
)  # fmt: skip
def test_a_log_is_told_in_words(written: str, shown: list[str]) -> None:
    assert log_lines(written) == shown
