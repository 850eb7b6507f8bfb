# Guardian's probe: answers request lines with what /proc and /sys say.  It only reads.
#
# Request:  SEQ SECTIONS          a number, then letters: f fast figures, t the clock, o mounts, i what it is; at their end p and a number: f as
#                                 one line of numbers, and nothing else if what they are of has the number that is named
#           SEQ r MOUNT MOUNT…    the room of these mounts, by df; a blank in a name is %20, a percent sign %25
#           SEQ q NAME NAME…      sections by name: tables, as the parts behind this one write them
#           SEQ rq MOUNT… -- NAME…  both in one answer
# Answer:   =SEQ 1                the number again, and the version of this protocol
#           KEY value value…      lines as below; -1 is a value that this kernel does not have
#           !FILE                 a file that could not be read
#           V NUMBER [x,x,…]      the fast figures as numbers, see the part that makes them
#           S<TAB>NAME            a section begins: R<TAB>cell<TAB>cell… are its rows, X<TAB>what<TAB>why<TAB>rule what this account may
#                                 not see, and the sudoers rule that would let it
#           .SEQ                  the end
#
# It ends when its input ends.  POSIX awk: mawk (started with -W interactive), gawk, busybox awk, original-awk.

BEGIN {
    place["MemTotal:"] = 1; place["MemFree:"] = 2; place["MemAvailable:"] = 3; place["Buffers:"] = 4
    place["Cached:"] = 5; place["SwapTotal:"] = 6; place["SwapFree:"] = 7
}

# in pieces: what is appended to a long text is copied with it
function add(line) {
    piece = piece line "\n"
    if (length(piece) > 8000) { out = out piece; piece = "" }
}

function miss(file) { add("!" file) }

function stat_(   f, l, a, cpus, ok, c) {
    f = "/proc/stat"; cpus = 0; running = blocked = -1
    while ((ok = (getline l < f)) > 0) {
        # by the first letters: no regular expression for each line
        c = substr(l, 1, 4)
        if (c == "cpu ") { split(l, a, " "); add("c " a[2] " " a[3] " " a[4] " " a[5] " " a[6] " " a[7] " " a[8] " " a[9]) }
        else if (c > "cpu") {
            if (c < "cpu~") cpus++
            else if (index(l, "procs_running ") == 1) running = substr(l, 15)
            else if (index(l, "procs_blocked ") == 1) { blocked = substr(l, 15); break }
        }
    }
    close(f)
    if (ok < 0) miss(f); else add("p " running " " blocked " " cpus)
}

function memory(   f, l, a, m, i, ok) {
    f = "/proc/meminfo"
    for (i = 1; i < 8; i++) m[i] = -1
    while ((ok = (getline l < f)) > 0) {
        i = index(l, ":")
        if (substr(l, 1, i) in place) {
            split(l, a, " "); m[place[a[1]]] = a[2]
            if (a[1] == "SwapFree:") break
        }
    }
    close(f)
    if (ok < 0) miss(f); else add("m " m[1] " " m[2] " " m[3] " " m[4] " " m[5] " " m[6] " " m[7])
    f = "/proc/vmstat"
    m[1] = m[2] = -1
    # two of two hundred lines: an awk that takes the file as one record finds them at once, mawk still reads lines, each as cheaply as can be
    if (reads_lines) {
        while ((ok = (getline l < f)) > 0)
            if (l ~ /^(pgmajfault|oom_kill) /) {
                split(l, a, " "); m[a[1] == "oom_kill" ? 2 : 1] = a[2]
                if (m[1] >= 0 && m[2] >= 0) break
            }
    } else {
        RS = "\001"
        while ((ok = (getline l < f)) > 0) {
            reads_lines = !index(l, "\n")
            l = "\n" l "\n"
            m[1] = word_behind(l, "\npgmajfault ", m[1]); m[2] = word_behind(l, "\noom_kill ", m[2])
            if (m[1] >= 0 && m[2] >= 0) break
        }
        RS = "\n"
    }
    close(f)
    if (ok < 0) miss(f); else add("v " m[1] " " m[2])
}

# what stands behind a key to the end of its line, or the other value
function word_behind(text, key, other,   at) {
    at = index(text, key)
    if (!at) return other
    text = substr(text, at + length(key), 40)
    return substr(text, 1, index(text, "\n") - 1)
}

function line_of(key, f,   l, ok) {
    ok = (getline l < f)
    close(f)
    if (ok > 0) add(key " " l); else miss(f)
}

function pressure(what,   f, l, a, some, full, ok) {
    f = "/proc/pressure/" what; some = full = " -1 -1"
    while ((ok = (getline l < f)) > 0) {
        # some avg10=0.00 avg60=0.00 avg300=…
        split(l, a, "=")
        a[1] = " " substr(a[2], 1, length(a[2]) - 6) " " substr(a[3], 1, length(a[3]) - 7)
        if (l ~ /^some/) some = a[1]; else full = a[1]
    }
    close(f)
    if (ok < 0) miss(f)
    return some full
}

function disks(   f, l, a, ok) {
    f = "/proc/diskstats"
    while ((ok = (getline l < f)) > 0) {
        # seen before it is cut into words: there may be dozens of these
        if (index(l, " loop") || index(l, " ram") || index(l, " zram")) continue
        split(l, a, " ")
        if (a[4] + a[8] > 0 && a[3] !~ /^(fd|sr)/)
            add("d " a[3] " " a[4] " " a[6] " " a[7] " " a[8] " " a[10] " " a[11] " " a[12] " " a[13] " " a[14])
    }
    close(f)
    if (ok < 0) miss(f)
}

function network(   f, l, a, n, i, ok) {
    f = "/proc/net/dev"
    while ((ok = (getline l < f)) > 0) {
        i = index(l, ":")
        if (!i) continue
        n = substr(l, 1, i - 1)
        if (!(n in card)) {
            # containers' come and go
            if (++cards > 1000) { split("", card); cards = 0 }
            card[n] = card_of(n)
        }
        if (card[n] == "") continue
        split(substr(l, i + 1), a, " ")
        add(card[n] a[1] " " a[2] " " a[3] " " a[4] " " a[9] " " a[10] " " a[11] " " a[12])
    }
    close(f)
    if (ok < 0) miss(f)
}

# how the line of an interface begins, empty for those that are no card; found once for each
function card_of(n) {
    gsub(/ /, "", n)
    if (n == "lo" || n ~ /^(veth|docker|br-|virbr|cni|flannel|cali|tap|dummy|ifb|sit|tunl|ip6tnl)/) return ""
    return "N " n " "
}

function uptime(   f, l, ok) {
    f = "/proc/uptime"
    ok = (getline l < f)
    close(f)
    if (ok > 0) { up = l + 0; add("u " l) } else { up += 8; miss(f) }
}

# figures that say little new within 8 s (means of 10 s and more, and how full large tables are) are read for every other answer and told
# again for the one between; a host that is asked more seldom has them read each time
function gauges(   kept) {
    if (gauged == "" || gauges_due-- <= 0 || up < gauged_at || up - gauged_at >= 8) {
        kept = piece; piece = ""
        line_of("l", "/proc/loadavg")
        add("P" pressure("cpu") pressure("memory") pressure("io"))
        line_of("F", "/proc/sys/fs/file-nr")
        limits()
        if (pid_max == "") miss("/proc/sys/kernel/pid_max"); else add("T " pid_max)
        conntrack()
        gauged = piece; gauged_at = up; gauges_due = 1
        piece = kept
    }
    piece = piece gauged
}

# limits seldom change: read again every so many answers
function limits(   f) {
    if (limits_due-- > 0) return
    limits_due = 30
    pid_max = conntrack_max = ""
    f = "/proc/sys/kernel/pid_max"
    getline pid_max < f
    close(f)
    f = "/proc/sys/net/netfilter/nf_conntrack_max"
    getline conntrack_max < f
    close(f)
}

function conntrack(   f, c) {
    # only where the module is loaded; not having it is no fault
    if (conntrack_max == "") return
    f = "/proc/sys/net/netfilter/nf_conntrack_count"
    if ((getline c < f) > 0) add("K " c " " conntrack_max)
    close(f)
}

function clock(   c, l) {
    c = "date +%s.%N"
    if ((c | getline l) > 0) add("t " l)
    close(c)
}

function mounts(   f, l, ok) {
    f = "/proc/self/mounts"
    while ((ok = (getline l < f)) > 0)
        if (l !~ /^[^ ]+ [^ ]+ (proc|sysfs|cgroup2?|devpts|devtmpfs|mqueue|debugfs|tracefs|securityfs|pstore|bpf|configfs|fusectl|hugetlbfs|autofs|binfmt_misc|nsfs|rpc_pipefs|efivarfs|squashfs|ramfs) /) add("o " l)
    close(f)
    if (ok < 0) miss(f)
}

function run(key, command,   l) {
    while ((command | getline l) > 0) add(key " " l)
    close(command)
}

function swap(s, from, to,   a, n, i, o) {
    n = split(s, a, from); o = a[1]
    for (i = 2; i <= n; i++) o = o to a[i]
    return o
}

# a mount point as one word of a shell command
function quoted(word) { return " \047" swap(swap(swap(word, "%20", " "), "%25", "%"), "\047", "\047\\\047\047") "\047" }

function rooms(   i, points, may) {
    for (i = 3; i <= last_mount; i++) points = points quoted($i)
    if (points == "") return
    # a df that hangs is killed on the host too, where that can be done: a channel that is closed does not end it
    may = "t=; timeout -s KILL 1 true 2>/dev/null && t=\"timeout -s KILL 8\"; $t "
    run("D", may "df -P -k --" points " 2>/dev/null")
    run("I", may "df -P -i --" points " 2>/dev/null")
}

function identity(   f, l) {
    f = "/proc/sys/kernel/osrelease"
    if ((getline l < f) > 0) add("i k " l)
    close(f)
    add("i v @VERSION@")
    run("i a", "uname -m")
    f = "/etc/os-release"
    while ((getline l < f) > 0)
        if (l ~ /^PRETTY_NAME=/) { l = substr(l, 13); gsub(/^["\047]|["\047]$/, "", l); add("i s " l) }
    close(f)
    run("i n", "nproc 2>/dev/null")
}

# --- what the parts share

# text as one cell: no tab, no line's end, no other control character
function plain(s) { gsub(/[\001-\037\177]/, " ", s); return s }

# the first line of a file, empty if it can't be read
function one(f,   l) {
    l = ""
    if ((getline l < f) < 0) l = ""
    close(f)
    return l
}

# the first line that a command writes
function answer_of(command,   l) {
    l = ""
    command = command " 2>/dev/null"
    command | getline l
    close(command)
    return l
}

# a number of the host, or what stands for it
function or_else(number, other) { return number + 0 > 0 ? number : other }

# the lines that a command writes, in line_of_output[1..]; answers how many
function output_of(command,   l, n) {
    n = 0
    command = command " 2>/dev/null"
    while (n < 20000 && (command | getline l) > 0) line_of_output[++n] = l
    close(command)
    return n
}

# whether a program is there
function has(program) { return answer_of("command -v " program) != "" }

# what must end: killed on the host after some seconds, where that can be done
function bounded(seconds, command) {
    if (can_bound == "") can_bound = answer_of("timeout -s KILL 1 echo y") "n"
    return can_bound == "yn" ? "timeout -s KILL " seconds " " command : command
}

function withheld(what, why, rule) { add("X\t" plain(what) "\t" plain(why) "\t" rule) }

