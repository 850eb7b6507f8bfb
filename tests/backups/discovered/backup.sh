#!/bin/bash
# it's the nightly backup
set -euo pipefail
. /HOME/.restic-env
export RESTIC_CACHE_DIR=/var/cache/restic
trap "restic unlock" ERR
if ! restic backup --tag nightly --exclude-file=/etc/restic/excludes \
        /etc /srv "$HOME"; then
    echo "restic backup failed" | mail -s "that's bad" root
fi
restic forget --keep-daily 7 --prune
