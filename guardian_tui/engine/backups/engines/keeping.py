"""What a retention policy forgets, worked out on the host that keeps the backups, for engines that have no such command of their own.

Adapters see no list of what is there: the policy is decided where it is, from what is there at that moment.
"""

from __future__ import annotations

# Of each of the newest hours, days, weeks (from Monday), months and years (UTC) in which there is a run the newest whole one is kept, or the newest if none is
# whole.  What is newer than the newest whole one always stays.  Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
DOOMED = """
LC_ALL=C awk -v job="$2" -v keep="$3" '
$1 == "size" && NF == 3 { size[$3] = $2; next }
$2 == "guardian-dump" || $3 == "guardian-dump" {
    for (name in told) delete told[name]
    for (i = 1; i <= NF; i++) if (split($i, pair, "=") == 2) told[pair[1]] = pair[2]
    run = told["run"]
    if (told["job"] != job || run !~ /^[A-Za-z0-9][A-Za-z0-9._-]*$/ || told["began"] !~ /^[0-9]+$/) next
    if (!(run in at) || told["began"] + 0 < at[run]) at[run] = told["began"] + 0
    of[run] = told["of"] + 0
    file = $1; sub(/\\.sha256:#$/, "", file)
    if (file in size && size[file] == told["size"]) whole[run]++
}
function bucket(kind, t,   d, era, doe, yoe, doy, mp, y, m) {
    if (kind == 1) return t
    if (kind == 2) return int(t / 3600)
    d = int(t / 86400)
    if (kind == 3) return d
    if (kind == 4) return int((d + 3) / 7)
    d += 719468; era = int(d / 146097); doe = d - era * 146097
    yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
    doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100)); mp = int((5 * doy + 2) / 153)
    m = mp < 10 ? mp + 3 : mp - 9; y = yoe + era * 400 + (m <= 2)
    return kind == 5 ? y * 12 + m : y
}
END {
    n = 0
    for (run in at) { id[++n] = run; good[run] = whole[run] > 0 && whole[run] >= of[run] }
    for (i = 2; i <= n; i++) {
        run = id[i]
        for (j = i - 1; j > 0 && (at[id[j]] < at[run] || (at[id[j]] == at[run] && id[j] < run)); j--) id[j + 1] = id[j]
        id[j + 1] = run
    }
    split(keep, most, ",")
    any = 0
    for (kind = 1; kind <= 6; kind++) any += most[kind]
    for (i = 1; i <= n; i++) { if (good[id[i]]) break; stays[id[i]] = 1 }
    for (kind = 1; kind <= 6; kind++) {
        filled = 0
        for (name in chosen) delete chosen[name]
        for (i = 1; i <= n; i++) {
            b = kind == 1 ? i : bucket(kind, at[id[i]])
            if (!(b in chosen)) { if (filled == most[kind]) break; filled++; chosen[b] = id[i] }
            else if (good[id[i]] && !good[chosen[b]]) chosen[b] = id[i]
        }
        for (b in chosen) stays[chosen[b]] = 1
    }
    if (any) for (i = 1; i <= n; i++) if (!(id[i] in stays)) print id[i]
}'
"""
"""A pipe's end for ``sh``: the runs of job ``$2`` that ``$3`` (six numbers with commas between, from ``last`` to ``yearly``) forgets, newest first.

It reads of each file of a run ``size BYTES FILE`` if it is there, and ``FILE.sha256:# guardian-dump`` with ``job=``, ``run=``, ``began=`` (Unix seconds), ``size=`` and
``of=`` (how many files make a whole run).
"""
