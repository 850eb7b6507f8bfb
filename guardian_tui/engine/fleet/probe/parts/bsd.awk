# --- FreeBSD and macOS: the same lines from sysctl, vm_stat, netstat, iostat and df.  What they don't tell is left out, or -1

# whether this is one of them: Linux is told by its /proc, without starting anything
function is_bsd(   l) {
    if (system_name == "") {
        system_name = (getline l < "/proc/stat") > 0 ? "Linux" : answer_of("uname -s")
        close("/proc/stat")
        if (system_name == "") system_name = "unknown"
    }
    return system_name == "FreeBSD" || system_name == "Darwin"
}

# NAME: VALUE of each line, in told_by_kernel[NAME]
function ask_kernel_for(command,   n, i, at) {
    split("", told_by_kernel)
    n = output_of(command)
    for (i = 1; i <= n; i++) {
        at = index(line_of_output[i], ": ")
        if (at) told_by_kernel[substr(line_of_output[i], 1, at - 1)] = substr(line_of_output[i], at + 2)
    }
    return n
}

# a number that follows a word in braces: { sec = 17, usec = 4 }
function in_braces(text, word) {
    if (!match(text, word " = [0-9]+")) return 0
    return substr(text, RSTART + length(word) + 3, RLENGTH - length(word) - 3) + 0
}

function whole(x) { return sprintf("%.0f", x) }

function three_loads(   a) {
    if (split(told_by_kernel["vm.loadavg"], a, " ") >= 4) add("l " a[2] " " a[3] " " a[4])
}

function megabytes(text, word,   a, n, i) {
    n = split(text, a, " ")
    for (i = 1; i + 2 <= n; i++) if (a[i] == word && a[i + 1] == "=") return (a[i + 2] + 0) * (a[i + 2] ~ /G$/ ? 1048576 : 1024)
    return -1
}

function freebsd_fast(   a, n, i, k, page, ticks, hz, cpus, available, arc, all, used) {
    ask_kernel_for("sysctl hw.ncpu hw.physmem hw.pagesize kern.cp_time kern.clockrate kern.boottime vm.loadavg vm.stats.vm.v_free_count vm.stats.vm.v_inactive_count vm.stats.vm.v_cache_count vm.stats.vm.v_laundry_count vm.stats.vm.v_io_faults vfs.bufspace kern.openfiles kern.maxfiles kern.maxproc kstat.zfs.misc.arcstats.size kstat.zfs.misc.arcstats.c_min")
    cpus = told_by_kernel["hw.ncpu"] + 0
    n = split(told_by_kernel["kern.cp_time"], a, " "); ticks = 0
    for (i = 1; i <= n; i++) ticks += a[i]
    # seconds since boot to a hundredth, as the clock's ticks have counted them; the time of boot is whole seconds
    hz = in_braces(told_by_kernel["kern.clockrate"], "stathz")
    if (n == 5 && hz && cpus) add("u " sprintf("%.2f", ticks / hz / cpus) " 0")
    else up_since(told_by_kernel["kern.boottime"])
    if (n == 5) add("c " a[1] " " a[2] " " a[3] " " a[5] " 0 " a[4] " 0 0")
    if (cpus) add("p -1 -1 " cpus)
    page = told_by_kernel["hw.pagesize"] / 1024
    # what ZFS keeps in memory it gives back, down to its least
    arc = told_by_kernel["kstat.zfs.misc.arcstats.size"] - told_by_kernel["kstat.zfs.misc.arcstats.c_min"]
    if (arc < 0) arc = 0
    available = (told_by_kernel["vm.stats.vm.v_free_count"] + told_by_kernel["vm.stats.vm.v_inactive_count"] + told_by_kernel["vm.stats.vm.v_cache_count"]) * page + arc / 1024
    all = used = 0
    n = output_of("swapinfo -k")
    for (i = 2; i <= n; i++) if (split(line_of_output[i], a, " ") >= 4 && a[1] != "Total") { all += a[2]; used += a[3] }
    if (told_by_kernel["hw.physmem"] > 0) add("m " whole(told_by_kernel["hw.physmem"] / 1024) " " whole(told_by_kernel["vm.stats.vm.v_free_count"] * page) " " whole(available) " " whole(told_by_kernel["vfs.bufspace"] / 1024) " " whole((told_by_kernel["vm.stats.vm.v_inactive_count"] + told_by_kernel["vm.stats.vm.v_laundry_count"]) * page + arc / 1024) " " all " " all - used)
    if (told_by_kernel["vm.stats.vm.v_io_faults"] != "") add("v " told_by_kernel["vm.stats.vm.v_io_faults"] " -1")
    three_loads()
    if (told_by_kernel["kern.maxfiles"] > 0) add("F " told_by_kernel["kern.openfiles"] " 0 " told_by_kernel["kern.maxfiles"])
    n = output_of("iostat -Ix")
    for (i = 1; i <= n; i++) {
        k = split(line_of_output[i], a, " ")
        # device, reads, writes, kB read, kB written, in flight, seconds of all transfers, seconds busy
        if (k == 8 && a[2] ~ /^[0-9.]+$/ && a[1] !~ /^(cd|md|pass|fd)[0-9]/ && a[2] + a[3] > 0)
            add("d " a[1] " " whole(a[2]) " " whole(a[4] * 2) " " whole(a[7] * 1000) " " whole(a[3]) " " whole(a[5] * 2) " 0 " a[6] " " whole(a[8] * 1000) " " whole(a[7] * 1000))
    }
    interfaces("netstat -ibnW")
}

function up_since(boot,   now) {
    now = answer_of("date +%s")
    if (in_braces(boot, "sec") && now > 0) add("u " now - in_braces(boot, "sec") " 0")
}

function darwin_fast(   n, i, page, cpus, load, pages, swapped) {
    ask_kernel_for("sysctl hw.ncpu hw.memsize kern.boottime vm.loadavg vm.swapusage kern.num_files kern.maxfiles")
    up_since(told_by_kernel["kern.boottime"])
    cpus = told_by_kernel["hw.ncpu"] + 0
    # its ticks are told to no command: ps has the share of each process, smoothed over the last minute
    load = 0
    n = output_of("ps -A -o %cpu=")
    for (i = 1; i <= n; i++) load += line_of_output[i]
    if (n && cpus) {
        load = load / cpus * 10
        if (load > 1000) load = 1000
        ticks_busy += load; ticks_idle += 1000 - load
        add("c " whole(ticks_busy) " 0 0 " whole(ticks_idle) " 0 0 0 0")
    }
    if (cpus) add("p -1 -1 " cpus)
    three_loads()
    if (told_by_kernel["kern.maxfiles"] > 0) add("F " told_by_kernel["kern.num_files"] " 0 " told_by_kernel["kern.maxfiles"])
    swapped = told_by_kernel["vm.swapusage"]
    load = told_by_kernel["hw.memsize"] / 1024
    if (ask_kernel_for("vm_stat") && load > 0) {
        page = 4
        if (match(line_of_output[1], /page size of [0-9]+/)) page = substr(line_of_output[1], RSTART + 13, RLENGTH - 13) / 1024
        pages = told_by_kernel["Pages free"] + told_by_kernel["Pages speculative"]
        add("m " whole(load) " " whole(pages * page) " " whole((pages + told_by_kernel["Pages inactive"]) * page) " 0 " whole(told_by_kernel["File-backed pages"] * page) " " whole(megabytes(swapped, "total")) " " whole(megabytes(swapped, "free")))
    }
    interfaces("netstat -ibn")
}

# columns are counted from the right: an interface without an address has one less.  FreeBSD tells drops too
function interfaces(command,   n, i, a, k, drops, at) {
    n = output_of(command)
    drops = n && line_of_output[1] ~ / Idrop /
    for (i = 2; i <= n; i++) {
        k = split(line_of_output[i], a, " ")
        if (a[3] !~ /^<Link/ || k < 10 || a[1] ~ /^(lo|gif|stf|bridge|utun|awdl|llw|anpi|ap|p2p|epair|tap|pflog|pfsync|enc|vm-|XHC)[0-9-]/) continue
        sub(/\*$/, "", a[1])
        at = k - (drops ? 7 : 6)
        add("N " a[1] " " a[k - 4] " " a[at] " " a[at + 1] " " (drops ? a[at + 2] : 0) " " a[k - 1] " " a[k - 3] " " a[k - 2] " 0")
    }
}

# as a line of /proc/self/mounts: a blank in a name is \040
function mount_line(device, point, kind, options) {
    add("o " swap(device, " ", "\\040") " " swap(point, " ", "\\040") " " kind " " options " 0 0")
}

function bsd_mounts(   n, i, k, l, a, at, options) {
    if (system_name == "FreeBSD") {
        n = output_of("mount -p")
        for (i = 1; i <= n; i++) {
            k = split(line_of_output[i], a, /\t+/)
            if (k >= 4 && a[3] !~ /^(devfs|procfs|linprocfs|linsysfs|fdescfs|tmpfs|nullfs|mqueuefs|autofs)$/) mount_line(a[1], a[2], a[3], a[4])
        }
        return
    }
    # DEVICE on MOUNT (TYPE, OPTION, OPTION)
    n = output_of("mount")
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]; at = index(l, " on /")
        if (!at || !match(l, / \([^()]*\)$/)) continue
        options = substr(l, RSTART + 2, RLENGTH - 3)
        k = split(options, a, ", ")
        if (a[1] ~ /^(devfs|autofs|nullfs)$/ || (options ~ /nobrowse/ && l !~ / on \/System\/Volumes\/Data \(/)) continue
        mount_line(substr(l, 1, at - 1), substr(l, at + 4, RSTART - at - 4), a[1], options ~ /read-only/ ? "ro" : "rw")
    }
}

function bsd_rooms(   i, n, l, points, a, k) {
    for (i = 3; i <= last_mount; i++) points = points quoted($i)
    if (points == "") return
    run("D", bounded(8, "df -P -k --" points " 2>/dev/null"))
    # inodes stand behind the size there: … Capacity iused ifree %iused MOUNT
    n = output_of(bounded(8, "df -k -i --" points))
    for (i = 2; i <= n; i++) {
        l = line_of_output[i]
        if (!match(l, /% +[0-9]+ +[0-9]+ +([0-9]+%|-) +\//)) continue
        k = split(substr(l, RSTART + 1), a, " ")
        add("I " swap(substr(l, 1, index(l, " ") - 1), " ", "") " " a[1] + a[2] " " a[1] " " a[2] " " (a[3] == "-" ? "0%" : a[3]) " " substr(l, RSTART + RLENGTH - 1))
    }
}

function bsd_identity(   f, l, seen) {
    run("i k", "uname -r")
    add("i v @VERSION@")
    run("i a", "uname -m")
    f = "/etc/os-release"
    while ((getline l < f) > 0)
        if (l ~ /^PRETTY_NAME=/) { l = substr(l, 13); gsub(/^["\047]|["\047]$/, "", l); add("i s " l); seen = 1 }
    close(f)
    if (!seen && system_name == "Darwin") { l = answer_of("sw_vers -productVersion"); if (l != "") { add("i s macOS " l); seen = 1 } }
    if (!seen) run("i s", "uname -s -r")
    run("i n", "sysctl -n hw.ncpu")
}

function bsd(sections) {
    if (index(sections, "f")) { if (system_name == "FreeBSD") freebsd_fast(); else darwin_fast() }
    if (index(sections, "o")) bsd_mounts()
    if (index(sections, "i")) bsd_identity()
    if (index(sections, "r")) bsd_rooms()
}
