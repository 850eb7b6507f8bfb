# --- kernel: processors, interrupts, what the kernel says of itself, control groups and the containers in them

function cores(   f, l, n, a, d) {
    f = "/proc/stat"
    while ((getline l < f) > 0) {
        if (l !~ /^cpu/) break
        if (l ~ /^cpu[0-9]/) {
            n = split(l, a, " "); d = "/sys/devices/system/cpu/" a[1]
            add("R\t" substr(a[1], 4) "\t" a[2] + a[3] "\t" a[4] "\t" a[5] "\t" a[6] "\t" a[7] + a[8] "\t" a[9] "\t" one(d "/cpufreq/scaling_cur_freq") "\t" one(d "/thermal_throttle/core_throttle_count"))
        }
    }
    close(f)
}

# a line for each interrupt, all processors together: what it is called follows its counts
function interrupts(kind, f,   l, n, a, i, total, what) {
    while ((getline l < f) > 0) {
        n = split(l, a, " ")
        if (a[1] !~ /:$/) continue
        total = 0; what = ""
        for (i = 2; i <= n && a[i] ~ /^[0-9]+$/; i++) total += a[i]
        for (; i <= n; i++) what = what " " a[i]
        if (total) add("R\t" kind "\t" plain(substr(a[1], 1, length(a[1]) - 1)) "\t" sprintf("%.0f", total) "\t" plain(substr(what, 2, 100)))
    }
    close(f)
}

function fact(name, value) { if (value != "") add("R\t" name "\t" plain(substr(value, 1, 1000))) }

function kernel(   f, l, n, a, i) {
    fact("version", one("/proc/version"))
    fact("cmdline", one("/proc/cmdline"))
    fact("tainted", one("/proc/sys/kernel/tainted"))
    fact("entropy", one("/proc/sys/kernel/random/entropy_avail"))
    fact("pool", one("/proc/sys/kernel/random/poolsize"))
    fact("hung", one("/proc/sys/kernel/hung_task_detect_count"))
    fact("numa", one("/sys/devices/system/node/online"))
    fact("thp", one("/sys/kernel/mm/transparent_hugepage/enabled"))
    fact("lsm", one("/sys/kernel/security/lsm"))
    fact("lockdown", one("/sys/kernel/security/lockdown"))
    fact("clocksource", one("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    f = "/proc/modules"; n = 0
    while ((getline l < f) > 0) n++
    close(f)
    if (n) fact("modules", n)
    f = "/proc/meminfo"
    while ((getline l < f) > 0)
        if (l ~ /^(HugePages_(Total|Free)|Hugepagesize|Committed_AS|CommitLimit|HardwareCorrupted|Slab):/) {
            split(l, a, " "); fact(substr(a[1], 1, length(a[1]) - 1), a[2])
        }
    close(f)
    f = "/proc/stat"
    while ((getline l < f) > 0) if (l ~ /^btime /) fact("booted", substr(l, 7))
    close(f)
    n = split("meltdown spectre_v1 spectre_v2 spec_store_bypass l1tf mds tsx_async_abort itlb_multihit srbds mmio_stale_data retbleed gather_data_sampling reg_file_data_sampling spec_rstack_overflow indirect_target_selection", a, " ")
    for (i = 1; i <= n; i++) {
        l = one("/sys/devices/system/cpu/vulnerabilities/" a[i])
        if (l ~ /^Vulnerable/) fact("vulnerable", a[i] ": " l)
    }
}

# values of files by their paths, PATH:VALUE a line: by one grep, since awk can't list a folder; what can't be read (a link that is down,
# a sensor that sleeps, a control group that is just gone) is left out
function values(command, top,   i, n, l) {
    n = output_of(bounded(8, command))
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        if (index(l, top) == 1) add("R\tV\t" plain(substr(l, length(top) + 1, 400)))
    }
}

function groups() {
    values("find /sys/fs/cgroup -maxdepth 5 \\( -name cpu.stat -o -name memory.current -o -name memory.max -o -name memory.events -o -name pids.current -o -name pids.max -o -name memory.pressure -o -name io.pressure -o -name cpuacct.usage -o -name memory.usage_in_bytes -o -name memory.limit_in_bytes \\) -exec grep -sH -e \047^[0-9]*$\047 -e ^usage_usec -e ^nr_periods -e ^nr_throttled -e \047^oom_kill \047 -e ^some {} +", "/sys/fs/cgroup/")
}

function engine_rows(engine, n,   i) { for (i = 1; i <= n; i++) add("R\tE\t" engine "\t" substr(plain(line_of_output[i]), 1, 600)) }

# what a command lists as this account; -1: it was refused
function listed(engine, command,   n) {
    command = command " 2>/dev/null && echo ."
    n = output_of(bounded(8, command))
    if (!n || line_of_output[n] != ".") return -1
    engine_rows(engine, n - 1)
    return n - 1
}

# what docker and podman list, and what control groups show of containers of any kind
function containers(   i, n) {
    # a daemon that does not run lists nothing and hides nothing, and its client is dear to start
    if (path_of("docker") != "" && answer_of("ls -d /var/run/docker.sock $XDG_RUNTIME_DIR/docker.sock") != "") {
        if (listed("docker", path_of("docker") " ps -a --no-trunc --format {{.ID}}~{{.Image}}~{{.Names}}~{{.Status}}") >= 0) {
            # restarts are told only where no rule is needed: one for all containers would let more be seen than that
            n = output_of(bounded(8, path_of("docker") " inspect --format {{.Id}}~{{.RestartCount}} $(" path_of("docker") " ps -aq --no-trunc 2>/dev/null)"))
            for (i = 1; i <= n; i++) add("R\tN\t" plain(line_of_output[i]))
        }
        else if (am_root()) withheld("containers of docker", "its daemon does not answer", "")
        else engine_rows("docker", output_to_root(8, "docker", "ps -a --no-trunc --format {{.ID}}~{{.Image}}~{{.Names}}~{{.Status}}", "containers of docker"))
    }
    if (path_of("podman") != "") {
        listed("podman", path_of("podman") " ps -a --no-trunc --format {{.ID}}~{{.Image}}~{{.Names}}~{{.Status}}")
        # it lists each account its own
        if (!am_root()) engine_rows("podman", output_to_root(8, "podman", "ps -a --no-trunc --format {{.ID}}~{{.Image}}~{{.Names}}~{{.Status}}", "containers of root under podman"))
    }
    values("find /sys/fs/cgroup -maxdepth 6 \\( -path \047*docker*\047 -o -path \047*libpod*\047 -o -path \047*containerd*\047 -o -path \047*crio*\047 -o -path \047*lxc.payload*\047 \\) \\( -name cpu.stat -o -name memory.current -o -name cpuacct.usage -o -name memory.usage_in_bytes \\) -exec grep -sH -e \047^[0-9]*$\047 -e ^usage_usec {} +", "/sys/fs/cgroup/")
}

function ask_kernel(name) {
    if (name == "cores") cores()
    else if (name == "interrupts") { interrupts("hard", "/proc/interrupts"); interrupts("soft", "/proc/softirqs") }
    else if (name == "kernel") kernel()
    else if (name == "cgroups") groups()
    else if (name == "containers") containers()
    else return 0
    return 1
}
