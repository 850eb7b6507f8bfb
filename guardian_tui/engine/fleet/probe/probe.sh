# The probe for hosts without awk: the same requests, the same answers as probe.awk, by the shell's own commands alone.
# What it starts are date, uname, nproc and df, where there are any.  It only reads, and ends when its input ends.
# POSIX sh: dash, bash, busybox sh.  The tasks that run come from /proc/loadavg, and those that are blocked are not
# told (-1), since a shell reads a byte at a time and /proc/stat is long.
set -f
unset IFS
nl='
'
add() { out=$out$1$nl; }
miss() { add "!$1"; }
first() {
    line=
    [ -r "$1" ] && { IFS= read -r line <"$1"; } 2>/dev/null
}
line_of() { if first "$2"; then add "$1 $line"; else miss "$2"; fi; }
# dash reads a byte at a time, which numbers under /proc/sys don't bear: there they are not told
sysctl() { if first "$2"; then add "$1 $line"; elif [ ! -r "$2" ]; then miss "$2"; fi; }
cpu() {
    f=/proc/stat cpus=0
    if [ -r "$f" ]; then
        while read -r k a b c d e g h i rest; do
            case $k in
            cpu) add "c $a $b $c $d $e $g $h $i" ;;
            cpu[0-9]*) cpus=$((cpus + 1)) ;;
            *) break ;;
            esac
        done <"$f"
        running=-1
        if first /proc/loadavg; then
            line=${line%%/*}
            running=${line##* }
        fi
        add "p $running -1 $cpus"
    else miss "$f"; fi
}
memory() {
    f=/proc/meminfo a=-1 b=-1 c=-1 d=-1 e=-1 g=-1 h=-1
    if [ -r "$f" ]; then
        while read -r k v rest; do
            case $k in
            MemTotal:) a=$v ;;
            MemFree:) b=$v ;;
            MemAvailable:) c=$v ;;
            Buffers:) d=$v ;;
            Cached:) e=$v ;;
            SwapTotal:) g=$v ;;
            SwapFree:) h=$v; break ;;
            esac
        done <"$f"
        add "m $a $b $c $d $e $g $h"
    else miss "$f"; fi
    f=/proc/vmstat a=-1 b=-1
    if [ -r "$f" ]; then
        while read -r k v rest; do
            case $k in
            pgmajfault) a=$v ;;
            oom_kill) b=$v; break ;;
            esac
        done <"$f"
        add "v $a $b"
    else miss "$f"; fi
}
pressure() {
    f=/proc/pressure/$1 some='-1 -1' full='-1 -1' seen=
    if [ -r "$f" ]; then
        while read -r k a b rest; do
            seen=1
            case $k in
            some) some="${a#*=} ${b#*=}" ;;
            full) full="${a#*=} ${b#*=}" ;;
            esac
        done <"$f" 2>/dev/null
    fi
    [ "$seen" ] || miss "$f"
    psi="$psi $some $full"
}
disks() {
    f=/proc/diskstats
    [ -r "$f" ] || { miss "$f"; return; }
    while read -r a b name r c sr mr w d sw mw now busy queue rest; do
        case $name in loop* | ram* | zram* | fd* | sr*) continue ;; esac
        case $r$w in 00) continue ;; esac
        add "d $name $r $sr $mr $w $sw $mw $now $busy $queue"
    done <"$f"
}
network() {
    f=/proc/net/dev
    [ -r "$f" ] || { miss "$f"; return; }
    while read -r l; do
        case $l in *:*) ;; *) continue ;; esac
        name=${l%%:*}
        case $name in
        lo | veth* | docker* | br-* | virbr* | cni* | flannel* | cali* | tap* | dummy* | ifb* | sit* | tunl* | ip6tnl*) continue ;;
        esac
        set -- ${l#*:}
        add "N $name $1 $2 $3 $4 $9 ${10} ${11} ${12}"
    done <"$f"
}
conntrack() {
    f=/proc/sys/net/netfilter/nf_conntrack
    first "${f}_count" && a=$line && first "${f}_max" && add "K $a $line"
}
clock() {
    l=$(date +%s.%N 2>/dev/null)
    [ -z "$l" ] || add "t $l"
}
mounts() {
    f=/proc/self/mounts
    [ -r "$f" ] || { miss "$f"; return; }
    while IFS= read -r l; do
        set -- $l
        case $3 in
        proc | sysfs | cgroup | cgroup2 | devpts | devtmpfs | mqueue | debugfs | tracefs | securityfs | pstore | bpf | configfs) ;;
        fusectl | hugetlbfs | autofs | binfmt_misc | nsfs | rpc_pipefs | efivarfs | squashfs | ramfs) ;;
        *) add "o $l" ;;
        esac
    done <"$f"
}
# each line of a text under a key
told() {
    IFS=$nl
    for l in $2; do add "$1 $l"; done
    unset IFS
}
# every $2 in $1 made $3
swap() {
    rest=$1 swapped=
    while :; do
        case $rest in
        *"$2"*) swapped=$swapped${rest%%"$2"*}$3 rest=${rest#*"$2"} ;;
        *) break ;;
        esac
    done
    swapped=$swapped$rest
}
rooms() {
    n=$#
    [ "$n" -gt 0 ] || return
    while [ "$n" -gt 0 ]; do
        swap "$1" %20 ' '
        swap "$swapped" %25 %
        set -- "$@" "$swapped"
        shift
        n=$((n - 1))
    done
    # a df that hangs is killed on the host too, where that can be done: a channel that is closed does not end it
    may=
    timeout -s KILL 1 true 2>/dev/null && may='timeout -s KILL 8'
    told D "$($may df -P -k -- "$@" 2>/dev/null)"
    told I "$($may df -P -i -- "$@" 2>/dev/null)"
}
identity() {
    first /proc/sys/kernel/osrelease && add "i k $line"
    add 'i v @VERSION@'
    told 'i a' "$(uname -m 2>/dev/null)"
    f=/etc/os-release
    if [ -r "$f" ]; then
        while IFS= read -r l; do
            case $l in PRETTY_NAME=*)
                l=${l#*=}
                l=${l#[\"\']}
                add "i s ${l%[\"\']}"
                ;;
            esac
        done <"$f"
    fi
    told 'i n' "$(nproc 2>/dev/null)"
}
while read -r seq sections points; do
    out=
    case $seq in '' | *[!0-9]* | ?????????????*) continue ;; esac
    add "=$seq 1"
    case $sections in *t*) clock ;; esac
    case $sections in *f*)
        line_of u /proc/uptime
        cpu
        memory
        line_of l /proc/loadavg
        psi=
        pressure cpu
        pressure memory
        pressure io
        add "P$psi"
        disks
        network
        sysctl F /proc/sys/fs/file-nr
        sysctl T /proc/sys/kernel/pid_max
        conntrack
        ;;
    esac
    case $sections in *o*) mounts ;; esac
    case $sections in *i*) identity ;; esac
    case $sections in *r*) rooms $points ;; esac
    printf '%s.%s\n' "$out" "$seq"
done
