"""What a folder of dumps does on its host: constant scripts for ``sh``, which run with dash, bash and busybox.

Exit codes of their own, after sysexits: 65 damaged, 66 the folder, run or dump is not there, 73 can't be written, 75 in use.
"""

from __future__ import annotations

from guardian_tui.engine.backups.engines.keeping import DOOMED

_FOLDER = """
umask 077
if ! [ -d "$1" ]; then echo "there is no folder $1" >&2; exit 66; fi
"""

_READ = """
hash_of() { said=$(sha256sum <"$1") && hash=${said%% *}; }
field() { value=${about##* "$1"=}; value=${value%% *}; }
of_run() {
    { IFS= read -r about && read -r kept rest; } <"$1" || return 1
    field run
    case $about in '# guardian-dump '*) [ "$value" = "$2" ] ;; *) return 1 ;; esac
}
"""

PROBE = """
missing=
for program in sha256sum awk find stat mktemp head tail wc date grep cksum; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
if [ -n "$missing" ]; then echo $missing; exit 1; fi
echo 'dumps 1'
"""

INIT = """
umask 077
mkdir -p -- "$1" || exit 73
if ! [ -w "$1" ]; then echo "$(id -un) can't write in $1: Permission denied" >&2; exit 73; fi
"""

# $1 folder, $2 stem, then the dump's command.  The lock is held by every process of the dump; what a killed run left has none, and is taken away
DUMP = (
    _FOLDER
    + """
folder=$1 partial=$1/$2.partial stem=$2
shift 2
find "$folder" -maxdepth 1 -type f \\( -name '*.partial' -o -name '*.unverified' \\) -mmin +10 -exec flock -n {} rm -f -- {} \\; 2>/dev/null
true >>"$partial" || exit 73
exec 9>>"$partial"
if command -v flock >/dev/null 2>&1 && ! flock -n 9; then echo "another run writes $partial" >&2; exit 75; fi
true >"$partial"
trap 'rm -f -- "$partial"; exit 129' HUP
trap 'rm -f -- "$partial"; exit 130' INT
trap 'rm -f -- "$partial"; exit 143' TERM
began=$(date +%s)
"$@" >&9
code=$?
if [ "$code" = 0 ]; then mv -f -- "$partial" "$folder/$stem.$began.unverified"; exit; fi
rm -f -- "$partial"
exit "$code"
"""
)

# $1 folder, $2 stem, $3 what is written of it, $4 its name, then the command that verifies it
KEEP = (
    _FOLDER
    + _READ
    + """
folder=$1 final=$1/$2 about=$3 name=$4
for dump in "$final".*.unverified; do :; done
shift 4
if ! [ -f "$dump" ]; then echo 'there is no dump to verify' >&2; exit 66; fi
began=${dump%.unverified}
began=${began##*.}
exec 9<"$dump"
if command -v flock >/dev/null 2>&1; then flock -s -n 9; fi
fail() { rm -f -- "$dump" "$final.sha256.partial"; exit "$1"; }
trap 'fail 129' HUP
trap 'fail 130' INT
trap 'fail 143' TERM
"$@" <"$dump" >/dev/null || fail 65
hash_of "$dump" || fail 66
size=$(wc -c <"$dump")
printf '# guardian-dump began=%s ended=%s size=%s host=%s %s\\n%s  %s\\n' \\
    "$began" "$(date +%s)" "$((size))" "$(uname -n)" "$about" "$hash" "${final##*/}" >"$final.sha256.partial" || fail 73
sync -- "$dump" "$final.sha256.partial" 2>/dev/null || sync
mv -f -- "$dump" "$final" && mv -f -- "$final.sha256.partial" "$final.sha256" || fail 73
sync -- "$folder" 2>/dev/null || sync
echo "kept $name $((size))"
"""
)

# $1 folder, $2 run: what came of all of it
TOTAL = (
    _FOLDER
    + _READ
    + """
files=0 bytes=0
for beside in "$1"/*-"$2"-*.sha256; do
    [ -f "${beside%.sha256}" ] && of_run "$beside" "$2" || continue
    size=$(wc -c <"${beside%.sha256}")
    files=$((files + 1)) bytes=$((bytes + size))
done
if [ "$files" = 0 ]; then echo 'no dump was kept' >&2; exit 66; fi
echo "run $2 $files $bytes"
"""
)

_TELL = """
find . -maxdepth 1 -type f ! -name '*.sha256' -exec stat -c 'size %s %n' -- {} +
find . -maxdepth 1 -type f -name '*.sha256' -exec grep -H -m 1 -e '^# guardian-dump ' -- {} +
true
"""

# $1 folder, $2 what is asked for, told again for whoever reads the answer
LIST = (
    _FOLDER
    + """
cd -- "$1" || exit 66
echo "dumps 1 $2"
"""
    + _TELL
    + """
find . -maxdepth 1 -type f -name '*.sha256' -exec awk 'FNR == 2 { print "hash " $1 " " FILENAME }' {} +
echo end
"""
)

# $1 folder, $2 run, $3 the name of one of its dumps: the dump as it is
READ = (
    _FOLDER
    + _READ
    + """
for beside in "$1"/*-"$2"-*.sha256; do
    [ -f "$beside" ] && of_run "$beside" "$2" || continue
    field name
    [ "$value" = "$3" ] && exec cat -- "${beside%.sha256}"
done
echo "there is no dump $3 in the run $2" >&2
exit 66
"""
)

# $1 folder, $2 level, $3 of $4 shares, then three scripts that verify a dump, each with an argument: SQLite, MySQL, a whole cluster of PostgreSQL
CHECK = (
    _FOLDER + _READ + """
cd -- "$1" || exit 66
level=$2 share=$3 shares=$4
shift 4
files=0 errors=0 bytes=0
verify() {
    case $1 in
        postgresql-*.sql) sh -c "$5" guardian-verify "$6" ;;
        postgresql-*) command -v pg_restore >/dev/null 2>&1 || return 0; pg_restore --file=/dev/null ;;
        mysql-*) sh -c "$3" guardian-verify "$4" ;;
        sqlite-*) sh -c "$2" guardian-verify /var/tmp ;;
    esac
}
"""
    "check() {\n"
    """    if ! [ -f "$file" ]; then why='it is gone'; return 1; fi
    field size
    size=$(wc -c <"$file")
    if [ "$value" != "$((size))" ]; then why="it has $((size)) bytes and had $value"; return 1; fi
    [ "$level" = structure ] && return 0
    if [ "$level" = sample ]; then
        number=$(printf %s "$file" | cksum)
        [ "$((${number%% *} % shares))" = "$share" ] || return 0
    fi
    hash_of "$file" || { why='it can not be read'; return 1; }
    bytes=$((bytes + size))
    if [ "$hash" != "$kept" ]; then why='its hash is another: the file was changed or damaged'; return 1; fi
    [ "$level" = all ] || return 0
    field name
    why=$(verify "$value" "$@" <"$file" 2>&1) && return 0
    why="it can not be read through: $why"
    return 1
}
for beside in *.sha256; do
    [ -f "$beside" ] || continue
    case $beside in *[!A-Za-z0-9._-]*) continue ;; esac
    { IFS= read -r about && read -r kept rest; } <"$beside" || continue
    case $about in '# guardian-dump '*) ;; *) continue ;; esac
    file=${beside%.sha256}
    files=$((files + 1))
    if ! check "$@"; then
        errors=$((errors + 1))
        printf 'bad %s %s\\n' "$file" "$(printf %s "$why" | head -n 3 | tr '\\n' ' ')"
    fi
done
echo "total $files $errors $bytes"
[ "$errors" = 0 ] || exit 65
"""
)

_TAKE = """
take() {
    mkdir -p -- "$2" || exit 73
    part=$2/.$4.partial
    trap 'rm -f -- "$part"' EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
    cat <"$1" >"$part" || exit 73
    hash_of "$part" || exit 66
    if [ "$hash" != "$3" ]; then echo "$4 is damaged: its hash is another" >&2; exit 65; fi
    sync -- "$part" 2>/dev/null || sync
    mv -f -- "$part" "$2/$4" || exit 73
    size=$(wc -c <"$2/$4")
    files=$((files + 1)) bytes=$((bytes + size))
}
files=0 bytes=0
"""

# $1 folder, $2 run, $3 target, then the names that are wanted; none: all
RESTORE = (
    _FOLDER
    + _READ
    + _TAKE
    + """
folder=$1 run=$2 target=$3
shift 3
wanted=$#
for beside in "$folder"/*-"$run"-*.sha256; do
    [ -f "$beside" ] && of_run "$beside" "$run" || continue
    field name
    name=$value
    if [ "$wanted" != 0 ]; then
        for one in "$@"; do [ "$one" = "$name" ] && break; one=; done
        [ -n "$one" ] || continue
    fi
    take "${beside%.sha256}" "$target" "$kept" "$name"
done
if [ "$files" = 0 ] || { [ "$wanted" != 0 ] && [ "$files" != "$wanted" ]; }; then
    echo "$files of the wanted dumps are in the run $run" >&2
    exit 66
fi
echo "total $files 0 $bytes"
"""
)

# $1 folder, $2 the other, then runs
COPY = (
    _FOLDER
    + _READ
    + _TAKE
    + """
if ! [ -d "$2" ]; then echo "there is no folder $2" >&2; exit 66; fi
folder=$1 other=$2
shift 2
for run in "$@"; do
    before=$files
    for beside in "$folder"/*-"$run"-*.sha256; do
        [ -f "$beside" ] && of_run "$beside" "$run" || continue
        file=${beside%.sha256}
        take "$file" "$other" "$kept" "${file##*/}"
        cp -- "$beside" "$other/.${beside##*/}.partial" && mv -f -- "$other/.${beside##*/}.partial" "$other/${beside##*/}" || exit 73
    done
    if [ "$files" = "$before" ]; then echo "there is no run $run" >&2; exit 66; fi
done
echo "total $files 0 $bytes"
"""
)

_FORGET = """
folder=$1 files=0
shift
for run in "$@"; do
    for beside in "$folder"/*-"$run"-*.sha256; do
        [ -f "$beside" ] && of_run "$beside" "$run" || continue
        rm -f -- "${beside%.sha256}" && rm -f -- "$beside" || exit 73
        files=$((files + 1))
    done
done
echo "total $files 0 0"
"""

# $1 folder, $2 job, $3 how many are kept, $4 dry or not.  The dump goes first: what is left by a crash in between is listed as damaged, and is forgotten again
RETAIN = (
    _FOLDER
    + _READ
    + """
doomed=$(
    cd -- "$1" || exit 66
"""
    + _TELL
    + """
) || exit
doomed=$(printf '%s\\n' "$doomed" | """
    + DOOMED.strip()
    + """) || exit
dry=$4
set -f
for run in $doomed; do echo "forget $run"; done
if [ "$dry" = dry ]; then echo 'total 0 0 0'; exit 0; fi
set -- "$1" $doomed
set +f
"""
    + _FORGET
)
