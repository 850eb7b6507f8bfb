# --- processes: from /proc/PID/stat; users and command lines from ps, which awk can't read whole (they hold NULs)

function process_ids(   n, i) {
    count_of_ids = 0
    n = output_of("ls /proc")
    for (i = 1; i <= n; i++) if (line_of_output[i] ~ /^[0-9]+$/) ids[++count_of_ids] = line_of_output[i]
}

# the fields of a process behind its name, which may hold blanks and brackets: state is a[1], ppid a[2]…
function process_stat(pid, a,   f, l, i) {
    f = "/proc/" pid "/stat"; l = ""
    if ((getline l < f) <= 0) { close(f); return 0 }
    close(f)
    i = length(l)
    while (i > 0 && substr(l, i, 1) != ")") i--
    process_name = plain(substr(l, index(l, "(") + 1, i - index(l, "(") - 1))
    return split(substr(l, i + 2), a, " ") >= 22
}

function processes(   i, a, n, l, up) {
    up = one("/proc/uptime"); sub(/ .*/, "", up)
    add("R\tH\t" or_else(answer_of("getconf CLK_TCK"), 100) "\t" or_else(answer_of("getconf PAGESIZE"), 4096) "\t" up)
    process_ids()
    for (i = 1; i <= count_of_ids; i++)
        if (process_stat(ids[i], a))
            add("R\tP\t" ids[i] "\t" a[2] "\t" a[1] "\t" a[12] + a[13] "\t" a[20] "\t" a[22] "\t" a[18] "\t" process_name)
    n = output_of("ps -eo pid=,user=,args=")
    # busybox's knows no -e, and lists all without
    if (!n) n = output_of("ps -o pid,user,args")
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        if (split(l, a, " ") > 2 && a[1] ~ /^[0-9]+$/) {
            sub(/^ *[0-9]+ +[^ ]+ +/, "", l)
            add("R\tA\t" a[1] "\t" plain(a[2]) "\t" plain(substr(l, 1, 200)))
        }
    }
}

function tasks(   i, a, n, s) {
    process_ids()
    for (i = 1; i <= count_of_ids; i++) if (process_stat(ids[i], a)) n[a[1]]++
    for (s in n) add("R\t" s "\t" n[s])
}

function ask_processes(name) {
    if (name == "processes") processes()
    else if (name == "tasks") tasks()
    else return 0
    return 1
}
