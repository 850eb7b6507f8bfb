# --- network: sockets and who holds them, links, NFS

# two lines for each protocol: names, then values in the same order
function counters(f, wanted,   l, names, a, n, i) {
    while ((getline l < f) > 0) {
        n = split(l, a, " ")
        if (names[1] == a[1]) {
            for (i = 2; i <= n; i++) if (index(wanted, " " names[i] " ")) add("R\t" substr(a[1], 1, length(a[1]) - 1) " " names[i] "\t" a[i])
            names[1] = ""
        }
        else split(l, names, " ")
    }
    close(f)
}

function sockets_used(f,   l, a, n, i) {
    while ((getline l < f) > 0) {
        n = split(l, a, " ")
        for (i = 2; i < n; i += 2) {
            add("R\t" a[1] " " a[i] "\t" a[i + 1])
            if (a[1] ~ /^TCP/ && a[i] ~ /^(inuse|tw)$/) tcp_sockets += a[i + 1]
        }
    }
    close(f)
}

function states(f, count,   l, a) {
    while ((getline l < f) > 0) { split(l, a, " "); if (a[4] ~ /^[0-9A-F][0-9A-F]$/) count[a[4]]++ }
    close(f)
}

function sockets(   count, s) {
    tcp_sockets = 0
    sockets_used("/proc/net/sockstat"); sockets_used("/proc/net/sockstat6")
    # the kernel writes a line for each: a busy proxy's would cost more than they tell
    if (tcp_sockets < 20000) {
        states("/proc/net/tcp", count); states("/proc/net/tcp6", count)
        for (s in count) add("R\tstate " s "\t" count[s])
    }
    counters("/proc/net/snmp", " ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab OutSegs RetransSegs InErrs OutRsts InErrors RcvbufErrors SndbufErrors ")
    counters("/proc/net/netstat", " ListenOverflows ListenDrops TCPTimeouts TCPSynRetrans TCPMemoryPressures ")
}

# who holds which socket: socket_owner[inode] is a pid.  Other accounts' only root sees
function find_owners(   i, n, l, pid, ino) {
    n = output_to_root(8, "ss", "-Hntuape", "processes behind the sockets of other accounts")
    owners_hidden = n < 0
    if (n < 0 && path_of("ss") != "") n = output_of(bounded(8, path_of("ss") " -Hntuape"))
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        if (match(l, / ino:[0-9]+/)) {
            ino = substr(l, RSTART + 5, RLENGTH - 5)
            if (match(l, /,pid=[0-9]+/)) socket_owner[ino] = substr(l, RSTART + 5, RLENGTH - 5)
        }
    }
    if (n > 0) return
    n = output_of(bounded(8, "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -e ^/proc -e socket:"))
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        if (l ~ /^\/proc\//) { pid = substr(l, 7); sub(/\/.*/, "", pid) }
        else if (match(l, /socket:\[[0-9]+\]/)) socket_owner[substr(l, RSTART + 8, RLENGTH - 9)] = pid
    }
}

# the sockets of a protocol that listen, or the others; $2 is one's own address, $3 the other's, $4 the state
function sockets_of(protocol, listening,   f, l, a, waits) {
    f = "/proc/net/" protocol; waits = protocol ~ /^tcp/ ? "0A" : "07"
    while ((getline l < f) > 0 && socket_count < 20000) {
        if (split(l, a, " ") < 10 || a[1] !~ /:$/ || (a[4] == waits) != listening) continue
        socket_row[++socket_count] = protocol "\t" a[2] "\t" a[3] "\t" a[4] "\t" a[8]
        socket_inode[socket_count] = a[10]
        # each is looked for once: one whose process can't be seen is no reason to look again
        if (!(a[10] in socket_owner)) { socket_owner[a[10]] = ""; socket_news++ }
    }
    close(f)
}

function socket_table(listening,   i, pid) {
    if (socket_known > 50000) { split("", socket_owner); socket_known = 0 }
    socket_count = socket_news = 0
    sockets_of("tcp", listening); sockets_of("tcp6", listening); sockets_of("udp", listening); sockets_of("udp6", listening)
    socket_known += socket_news
    if (socket_news) find_owners()
    # who they are was not told the last time, and is not now
    else if (owners_hidden) output_to_root(8, "ss", "-Hntuape", "processes behind the sockets of other accounts")
    for (i = 1; i <= socket_count; i++) {
        pid = socket_owner[socket_inode[i]]
        add("R\t" socket_row[i] "\t" pid "\t" (pid == "" ? "" : plain(one("/proc/" pid "/comm"))))
    }
    # the order of bytes in an address is the processor's
    if (machine_name == "") machine_name = answer_of("uname -m")
    if (machine_name ~ /^(s390|ppc$|ppc64$|sparc|mips$|mips64$|m68k|parisc|armeb|aarch64_be)/) add("R\torder\tbig")
    if (listening) add("R\tports\t" plain(one("/proc/sys/net/ipv4/ip_local_port_range")))
}

function links(   f, l, n, a, i) {
    values("grep -sH . /sys/class/net/*/operstate /sys/class/net/*/carrier /sys/class/net/*/speed /sys/class/net/*/duplex /sys/class/net/*/mtu /sys/class/net/*/address /sys/class/net/*/flags /sys/class/net/*/carrier_changes", "/sys/class/net/")
    n = split(one("/sys/class/net/bonding_masters"), a, " ")
    for (i = 1; i <= n; i++) {
        f = "/proc/net/bonding/" a[i]
        while ((getline l < f) > 0) add("R\tB\t" plain(a[i]) "\t" plain(substr(l, 1, 200)))
        close(f)
    }
}

function nfs(   f, l, a, n, ops) {
    f = "/proc/self/mountstats"; ops = 0
    while ((getline l < f) > 0) {
        n = split(l, a, " ")
        if (a[1] == "device") {
            ops = a[7] == "fstype" && a[8] ~ /^nfs/
            if (ops) add("R\tM\t" plain(a[5]) "\t" plain(a[2]) "\t" a[8])
        }
        else if (ops && n >= 9 && a[1] ~ /^[A-Z_]+:$/ && a[2] > 0)
            add("R\tO\t" substr(a[1], 1, length(a[1]) - 1) "\t" a[2] "\t" a[3] "\t" a[4] "\t" a[7] "\t" a[8] "\t" a[9])
    }
    close(f)
}

function ask_network(name) {
    if (name == "sockets") sockets()
    else if (name == "connections") socket_table(0)
    else if (name == "listening") socket_table(1)
    else if (name == "links") links()
    else if (name == "nfs") nfs()
    else return 0
    return 1
}
