"""What happens where trees of rsync are kept: constant scripts for ``sh``, which run with dash, bash and busybox.

Exit codes of their own, after sysexits: 65 damaged or empty, 66 the folder or tree is not there, 73 can't be written, 75 in use.
"""

from __future__ import annotations

from guardian_tui.engine.backups.engines.keeping import DOOMED

NOT_WHOLE = "the dump is empty, or its end is missing"
"""Said at the far end of a dump whose program did not end well."""

_FOLDER = """
umask 077
if ! [ -d "$1" ]; then echo "there is no folder $1" >&2; exit 66; fi
"""

INIT = """
umask 077
mkdir -p -- "$1" || exit 73
if ! [ -w "$1" ]; then echo "$(id -un) can't write in $1: Permission denied" >&2; exit 73; fi
for program in rsync sha256sum awk find stat; do
    command -v "$program" >/dev/null 2>&1 || { echo "$program is not installed there" >&2; exit 69; }
done
"""

# On the host that runs the backup.  $1 take, release or clear, $2 how many seconds to wait, then the words that run HOLD where the
# trees are.  The owner is the shell that runs all stages: it lives as long as the run
LOCK = """
how=$1 wait=$2
shift 2
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
host=$(uname -n)
started() {
    { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    set -- ${line##*) }
    [ "$1" = Z ] && return 0
    shift 19
    echo "$1"
}
dead() {
    case $1 in *[!A-Za-z0-9.:-]* | '') return 1 ;; esac
    [ "${1##*:}" = "$host" ] || return 1
    rest=${1%:*}
    [ "${rest##*:}" = "$boot" ] || return 0
    rest=${rest%:*}
    [ "$(started "${rest%:*}")" != "${rest#*:}" ]
}
me=$PPID:$(started "$PPID"):$boot:$host
if [ "$how" = release ]; then exec "$@" release "$me" -; fi
until=$(($(date +%s) + wait))
while :; do
    owner=$("$@" take "$me" -)
    code=$?
    if [ "$code" = 75 ] && dead "$owner"; then owner=$("$@" take "$me" "$owner"); code=$?; fi
    [ "$code" = 75 ] || break
    if [ "$(date +%s)" -ge "$until" ]; then echo "the folder is in use by process ${owner%%:*} of ${owner##*:}" >&2; exit 75; fi
    sleep 2
done
if [ "$code" = 0 ] && [ "$how" = clear ]; then exec "$@" release "$me" -; fi
exit "$code"
"""

# $1 folder, $2 take or release, $3 who, $4 whose lock may be taken away
HOLD = (
    _FOLDER
    + """
lock=$1/.lock
owner=$(cat "$lock/owner" 2>/dev/null)
if [ "$2" = release ]; then
    if [ "$owner" = "$3" ]; then rm -f -- "$lock/owner" && rmdir -- "$lock"; fi
    exit 0
fi
[ -n "$owner" ] || [ -z "$(find "$lock" -maxdepth 0 -mmin +10 2>/dev/null)" ] || owner=-
if [ "$owner" = - ] || { [ "$4" != - ] && [ "$owner" = "$4" ]; }; then
    mv -- "$lock" "$lock.$3" && rm -f -- "$lock.$3/owner" && rmdir -- "$lock.$3"
fi
if said=$(mkdir -- "$lock" 2>&1); then
    echo "$3" >"$lock/owner" && exit 0
    rm -rf -- "$lock"
    exit 73
fi
if ! [ -d "$lock" ]; then echo "$said" >&2; exit 73; fi
echo "$owner"
exit 75
"""
)

# $1 folder, $2 run: with the lock held, whatever another run left half done is nobody's
PREPARE = (
    _FOLDER
    + """
cd -- "$1" || exit 66
find . -maxdepth 1 \\( -name '.partial-*' -o -name '.doomed-*' \\) ! -name ".partial-$2" -exec rm -rf -- {} +
mkdir -p -- ".partial-$2" || exit 73
date -u '+%Y%m%dT%H%M%SZ %s' >".partial-$2.began" || exit 73
"""
)

# $1 what ends a dump that is whole, then the dump's command
DUMP = """
end=$1
shift
"$@"
code=$?
if [ "$code" = 0 ]; then printf %s "$end"; fi
exit "$code"
"""

# $1 folder, $2 run, $3 name, $4 what ends it: nobody here sees how the dump's program ended
TAKE = (
    _FOLDER
    + """
cd -- "$1/.partial-$2" || exit 66
cat >"../.partial-$2.dump" || exit 73
size=$(wc -c <"../.partial-$2.dump")
whole=$((size - ${#4}))
if [ "$whole" -lt 1 ] || [ "$(tail -c "${#4}" "../.partial-$2.dump")" != "$4" ]; then
    rm -f -- "../.partial-$2.dump"
    echo '"""
    + NOT_WHOLE
    + """' >&2
    exit 65
fi
truncate -s "$whole" "../.partial-$2.dump" && mv -f -- "../.partial-$2.dump" "./$3" || exit 73
echo "dump $3 $whole"
"""
)

# $1 the words that keep the tree, as a shell reads them, to which rsync's exit code is added, then rsync's command
SAVE = """
keep=$1
shift
"$@"
code=$?
case $code in 0 | 23 | 24) eval "$keep $code" || exit ;; esac
exit "$code"
"""

_COUNT = """
counted() {
    find "$1" -type f -exec stat -c %s -- {} + | awk '{ n++; size += $1 } END { printf "%d %.0f", n, size }'
}
field() { value=${about##* "$1"=}; value=${value%% *}; }
"""

# $1 folder, $2 run, $3 job, $4 host, the dumps that are wanted, and rsync's exit code
KEEP = (
    _FOLDER
    + _COUNT
    + """
cd -- "$1" || exit 66
partial=.partial-$2 run=$2 job=$3 host=$4 lacking=0
shift 4
while [ $# -gt 1 ]; do
    [ -f "$partial/$1" ] || lacking=$((lacking + 1))
    shift
done
read -r stamp began <"$partial.began" || exit 66
count=$(counted "$partial")
if [ "${count% *}" = 0 ]; then echo 'there was no file to save' >&2; exit 65; fi
name=$stamp-$job-$run
printf 'guardian-rsync 1 job=%s run=%s host=%s began=%s files=%s bytes=%s code=%s lacking=%s\\n' \\
    "$job" "$run" "$host" "$began" "${count% *}" "${count#* }" "$1" "$lacking" >"$partial.manifest" || exit 73
chmod 700 "$partial"
sync
mv -f -- "$partial.manifest" "$name.manifest" && mv -- "$partial" "$name" || exit 73
rm -f -- "$partial.began"
ln -sfn -- "$name" "latest-$job"
echo "tree $name $count"
"""
)

# $1 folder, $2 run, $3 job: hashes of what was saved, as it is now
HASH = (
    _FOLDER
    + """
cd -- "$1" || exit 66
tree=$(readlink "latest-$3") && cd -- "$tree" || exit 66
find . -type f -exec sha256sum -- {} + >"../.partial-$2.sha256" || exit 73
mv -f -- "../.partial-$2.sha256" "../$tree.sha256"
"""
)

LIST = (
    _FOLDER
    + """
cd -- "$1" || exit 66
echo 'rsync 1'
find . -maxdepth 1 -type d -name '*Z-*'
find . -maxdepth 1 -type f -name '*Z-*.manifest' -exec awk 'FNR == 1 { print FILENAME ": " $0 }' {} +
echo end
"""
)

# $1 folder, $2 tree: what stands at its top, as rsync reads lists of files; not as ./NAME, or the target would get the mode and owner of the tree
TOP = (
    _FOLDER
    + """
cd -- "$1/$2" || exit 66
for one in * .[!.]* ..?*; do
    if [ -e "$one" ] || [ -L "$one" ]; then printf '/%s\\0' "$one"; fi
done
"""
)

# $1 folder, $2 tree, $3 a path in it, or / for all: as a tar archive, whose names don't touch the folder that it is unpacked in
PACK = (
    _FOLDER
    + """
cd -- "$1/$2" || exit 66
path=${3#/}
if [ -n "$path" ]; then
    if ! [ -e "./$path" ] && ! [ -L "./$path" ]; then echo "there is no $3 in the tree $2" >&2; exit 66; fi
    exec tar -cf - "./$path"
fi
set --
for one in * .[!.]* ..?*; do
    if [ -e "$one" ] || [ -L "$one" ]; then set -- "$@" "./$one"; fi
done
exec tar -cf - "$@"
"""
)

# $1 folder, $2 level, $3 share (from 0) of $4
CHECK = (
    _FOLDER
    + _COUNT
    + """
cd -- "$1" || exit 66
level=$2 share=$3 shares=$4
trees=0 errors=0 hashed=0
bad() { errors=$((errors + 1)); printf 'bad %s %s\\n' "$name" "$1"; }
for manifest in *Z-*.manifest; do
    [ -f "$manifest" ] || continue
    name=${manifest%.manifest}
    case $name in *[!A-Za-z0-9._-]*) continue ;; esac
    IFS= read -r about <"$manifest" || { bad 'its manifest is empty'; continue; }
    trees=$((trees + 1))
    if ! [ -d "$name" ]; then bad 'the tree is gone'; continue; fi
    field files; files=$value
    field bytes; bytes=$value
    count=$(counted "$name")
    [ "$count" = "$files $bytes" ] || bad "it holds ${count% *} files of ${count#* } bytes, and was saved with $files of $bytes"
    [ "$level" = structure ] && continue
    field job
    if [ "$level" = sample ]; then
        [ "$(readlink "latest-$value")" = "$name" ] || continue
    else
        shares=1 share=0
    fi
    if ! [ -f "$name.sha256" ]; then bad 'no hashes were taken when it was saved'; continue; fi
    wanted=$(awk -v n="$share" -v m="$shares" '(NR - 1) % m == n' <"$name.sha256" | awk 'END { print NR }')
    said=$(
        cd -- "$name" && awk -v n="$share" -v m="$shares" '(NR - 1) % m == n' <"../$name.sha256" | LC_ALL=C sha256sum -c 2>/dev/null |
            awk '/: OK$/ { ok++; next } shown++ < 3 { printf "%s; ", $0 } END { print "." ok + 0 }'
    )
    ok=${said##*.}
    hashed=$((hashed + ok))
    [ "$ok" = "$wanted" ] || bad "$((wanted - ok)) of its files were changed or damaged: ${said%.*}"
done
echo "total $trees $errors $hashed"
[ "$errors" = 0 ] || exit 65
"""
)

# $1 folder, $2 job, $3 how many are kept, $4 dry or not.  What has another name than ours is never touched
RETAIN = (
    _FOLDER
    + """
cd -- "$1" || exit 66
doomed=$(
    find . -maxdepth 1 -type f -name "*Z-$2-*.manifest" -exec awk '
        FNR == 1 {
            name = substr(FILENAME, 3); sub(/\\.manifest$/, "", name)
            whole = / code=0 / && / lacking=0$/
            line = $0; sub(/ run=[^ ]*/, "", line)
            print "size 1 " name
            print name ".sha256:# guardian-dump" substr(line, 17) " run=" name " size=1 of=" (whole ? 1 : 2)
        }' {} + | """
    + DOOMED.strip()
    + """
) || exit
forgotten=0
for name in $doomed; do
    case $name in
        [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-"$2"-*[!A-Za-z0-9._]*) continue ;;
        [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-"$2"-*) ;;
        *) continue ;;
    esac
    echo "forget $name"
    [ "$4" = dry ] && continue
    if [ -d "$name" ]; then mv -- "$name" ".doomed-$name" || exit 73; fi
    rm -f -- "$name.manifest" "$name.sha256" && rm -rf -- ".doomed-$name" || exit 73
    forgotten=$((forgotten + 1))
done
echo "forgotten $forgotten"
"""
)
