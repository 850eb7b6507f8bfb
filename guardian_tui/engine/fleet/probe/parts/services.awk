# --- what the sections of services, security and storage share

# where a program lies, also if only root's PATH would find it; empty: it is not there
function path_of(program,   p) {
    if (program in paths) return paths[program]
    # what is not there is looked for again only now and then: each look starts a shell
    if (absent[program]++ % 20) return ""
    p = answer_of("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; command -v " program)
    if (p !~ /^\//) return ""
    return paths[program] = p
}

function am_root() {
    if (own_id == "") own_id = answer_of("id -u")
    return own_id == "0"
}

# whether this account may run a command as root without a password; asked for once, since sudo notes each question in the host's log
function sudo_allows(command,   n, i, j, k, l, words, as_root, free) {
    if (!asked_sudo++ && path_of("sudo") != "") {
        n = output_of(bounded(5, path_of("sudo") " -n -l"))
        for (i = 1; i <= n; i++) {
            l = line_of_output[i]
            if (l !~ /^ /) { as_root = 0; continue }
            if (l ~ /^ +\(/) { as_root = l ~ /^ +\((root|ALL)[ :)]/; free = 0; sub(/^ +\([^)]*\) */, "", l) }
            k = split(l, words, ",")
            for (j = 1; j <= k; j++) {
                gsub(/^ +| +$/, "", words[j])
                while (words[j] ~ /^[A-Z_]+: /) {
                    if (words[j] ~ /^(NO)?PASSWD:/) free = words[j] ~ /^NO/
                    sub(/^[A-Z_]+: +/, "", words[j])
                }
                if (as_root && free) may_as_root[words[j]]
            }
        }
    }
    return "ALL" in may_as_root || command in may_as_root
}

# the line for visudo that would let this account see it
function rule_for(command) {
    if (own_name == "") own_name = or_name(answer_of("id -un"))
    return own_name " ALL=(root) NOPASSWD: " command
}

function or_name(name) { return name == "" ? "guardian" : name }

# each line that a program writes, as a row of this kind; -1: there is no such program
function told(kind, seconds, program, arguments) {
    return path_of(program) == "" ? -1 : lines_of(kind, bounded(seconds, path_of(program) " " arguments))
}

function lines_of(kind, command) { return rows_of(kind, output_of(command)) }

function rows_of(kind, n,   i) {
    for (i = 1; i <= n; i++) add("R\t" kind "\t" substr(plain(line_of_output[i]), 1, 600))
    return n
}

# the same for what only root may: as root, by the sudoers rule for exactly this, or not at all, and then the rule is told
function told_to_root(kind, seconds, program, arguments, what) { return rows_of(kind, output_to_root(seconds, program, arguments, what)) }

function output_to_root(seconds, program, arguments, what,   command) {
    if (path_of(program) == "") return -1
    command = path_of(program) (arguments == "" ? "" : " " arguments)
    if (am_root()) return output_of(bounded(seconds, command))
    if (sudo_allows(command)) return output_of(bounded(seconds, path_of("sudo") " -n " command))
    withheld(what, "only root may see this", rule_for(command))
    return -1
}

function readable(f,   l, ok) {
    ok = (getline l < f) >= 0
    close(f)
    return ok
}

# not by getline first: it may be a folder, and the one true awk warns on stderr of a folder that it reads
function exists(f) { return answer_of("ls -d " f) != "" }

# blocks of KEY=VALUE lines with blank lines between them: a row of these keys' values for each that `wanted` does not leave out
function blocks(kind, seconds, program, arguments, keys, wanted,   n, i, j, k, count, order, value, row) {
    if (path_of(program) == "") return
    n = output_of(bounded(seconds, path_of(program) " " arguments))
    count = split(keys, order, " ")
    line_of_output[n + 1] = ""
    for (i = 1; i <= n + 1; i++) {
        k = index(line_of_output[i], "=")
        if (k) { value[substr(line_of_output[i], 1, k - 1)] = substr(line_of_output[i], k + 1); continue }
        if (!(order[1] in value)) continue
        if (wanted == "" || index(wanted, " " value[order[1]] " ") || value[order[2]] + 0 > 0) {
            row = "R\t" kind
            for (j = 1; j <= count; j++) row = row "\t" substr(plain(value[order[j]]), 1, 300)
            add(row)
        }
        split("", value)
    }
}

# --- services: systemd's units, or what OpenRC and runit tell

# asked for once: what began the host goes on until it ends
function with_systemd() {
    if (begun_by == "") begun_by = path_of("systemctl") != "" && (one("/proc/1/comm") == "systemd" || exists("/run/systemd/system")) ? "systemd" : "another"
    return begun_by == "systemd"
}

function booted_for() { add("R\tB\t" one("/proc/uptime")) }

# only what is in trouble, and services that were restarted; the others are not worth their bytes each minute.  The line with their number
# is the sign that the list is whole: a systemd that does not answer has no failed units either
function units(   first, n, i, a, names, shown) {
    booted_for()
    if (with_systemd()) {
        n = output_of(bounded(8, path_of("systemctl") " list-units --all --plain --full --no-pager --state=failed,activating,deactivating,reloading,maintenance"))
        names = " "
        for (i = 1; i <= n; i++) {
            if (line_of_output[i] ~ /^[0-9]+ (loaded )?units? listed/) add("R\tW")
            split(line_of_output[i], a, " ")
            first = a[1] ~ /\./ ? a[1] : a[2]
            if (first !~ /^[A-Za-z0-9:_.\\@-]+\.(service|socket|target|device|mount|automount|swap|timer|path|slice|scope)$/) continue
            names = names first " "
            if (first !~ /\.service$/ && length(shown) < 4000) shown = shown quoted(first)
            add("R\tU\t" plain(line_of_output[i]))
        }
        blocks("S", 8, "systemctl", "show --no-pager -p Id -p NRestarts -p ActiveState -p SubState -p Result -p StateChangeTimestampMonotonic \047*.service\047" shown, "Id NRestarts ActiveState SubState Result StateChangeTimestampMonotonic", names)
        return
    }
    if (told("C", 8, "rc-status", "--nocolor --crashed") >= 0) add("R\tW")
    if (path_of("sv") != "" && exists("/etc/service") && told_to_root("V", 8, "sv", "status /etc/service/*", "services of runit") > 0) add("R\tW")
}

function unit_list() {
    booted_for()
    if (with_systemd()) {
        blocks("L", 9, "systemctl", "show --all --no-pager -p Id -p NRestarts -p LoadState -p ActiveState -p SubState -p StateChangeTimestampMonotonic -p MemoryCurrent -p TasksCurrent -p Description \047*.service\047 \047*.socket\047 \047*.timer\047 \047*.mount\047 \047*.automount\047 \047*.path\047 \047*.swap\047 \047*.target\047", "Id NRestarts LoadState ActiveState SubState StateChangeTimestampMonotonic MemoryCurrent TasksCurrent Description", "")
        return
    }
    told("O", 8, "rc-status", "--nocolor --all")
    if (path_of("sv") != "" && exists("/etc/service")) told_to_root("V", 8, "sv", "status /etc/service/*", "services of runit")
}

function timers() {
    booted_for()
    if (with_systemd())
        blocks("T", 9, "systemctl", "show --all --no-pager -p Id -p NextElapseUSecRealtime -p NextElapseUSecMonotonic -p LastTriggerUSec -p Unit -p Result \047*.timer\047", "Id NextElapseUSecRealtime NextElapseUSecMonotonic LastTriggerUSec Unit Result", "")
}

# --- the clock: whoever keeps it says how well; systemd's timedated is started for the question, so it is asked seldom

function clock_kept(   n, i) {
    booted_for()
    n = 0
    if (path_of("chronyc") != "") n = told("C", 3, "chronyc", "-n tracking")
    else if (path_of("ntpq") != "") n = told("Q", 3, "ntpq", "-pn")
    else if (path_of("ntpctl") != "") n = told("O", 3, "ntpctl", "-s status")
    else if (readable("/run/systemd/timesync/synchronized")) { date_now(); n = told("T", 3, "ls", "-l --time-style=+%s /run/systemd/timesync/synchronized") }
    if (n > 0 || !with_systemd()) return
    if (timedated_age++ % 20 == 0) {
        n = output_of(bounded(5, path_of("timedatectl") " show -p NTP -p NTPSynchronized"))
        timedated_said = ""
        for (i = 1; i <= n; i++) timedated_said = timedated_said "R\tM\t" plain(line_of_output[i]) "\n"
    }
    if (timedated_said != "") add(substr(timedated_said, 1, length(timedated_said) - 1))
}

function ask_services(name) {
    if (name == "units") units()
    else if (name == "unit_list") unit_list()
    else if (name == "timers") timers()
    else if (name == "clock_sync") clock_kept()
    else return 0
    return 1
}
