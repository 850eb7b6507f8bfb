# --- people: who is here, who may come, who tried to

function date_now() { add("R\tD\t" answer_of("date +%s")) }

function sessions_open(   n, i, a, ids_of_sessions) {
    date_now()
    if (with_systemd() && path_of("loginctl") != "") {
        n = output_of(bounded(5, path_of("loginctl") " list-sessions --no-legend --no-pager"))
        for (i = 1; i <= n && i <= 200; i++) {
            split(line_of_output[i], a, " ")
            if (a[1] ~ /^[A-Za-z0-9]+$/) ids_of_sessions = ids_of_sessions " " a[1]
        }
        if (ids_of_sessions != "") {
            blocks("L", 5, "loginctl", "show-session --no-pager -p Id -p Leader -p Name -p TTY -p RemoteHost -p Service -p State -p Timestamp" ids_of_sessions, "Id Leader Name TTY RemoteHost Service State Timestamp", "")
            return
        }
    }
    told("W", 5, "who", "")
}

# accounts with a shell or with the rights of root, the groups that make administrators, and when each came last
function accounts(   f, l, a) {
    date_now()
    f = "/etc/passwd"
    while ((getline l < f) > 0) {
        split(l, a, ":")
        if (a[3] == "0" || a[7] !~ /\/(nologin|false|sync|halt|shutdown)$/) add("R\tP\t" plain(a[1]) "\t" plain(a[3]) "\t" plain(a[6]) "\t" plain(a[7]))
    }
    close(f)
    f = "/etc/group"
    while ((getline l < f) > 0)
        if (l ~ /^(root|sudo|wheel|admin|adm|docker|lxd|libvirt|disk|shadow):/) { split(l, a, ":"); if (a[4] != "") add("R\tG\t" a[1] "\t" plain(a[4])) }
    close(f)
    told("L", 8, "last", "-w -F -n 400")
}

# minutes ago as the host's log files write them: in its own time zone, by syslog's old form and by RFC 5424's
function last_minutes(   a, i, minute) {
    split("", recent)
    split(answer_of("unset TZ; date \047+%b %e,%Y-%m-%d,%H,%M\047"), a, ",")
    for (i = 0; i < 5; i++) {
        minute = a[3] * 60 + a[4] - i
        if (minute < 0) break
        minute = sprintf("%02d:%02d", int(minute / 60), minute % 60)
        recent[a[1] " " minute]; recent[a[2] "T" minute]
    }
}

# where a line's login came from: it stands at the end, since what stands before it (a name) is whatever the other end made up
function source_of(l,   a, n, found) {
    sub(/ \[preauth\]$/, "", l)
    sub(/ ssh2(: [A-Z0-9-]+ [A-Z0-9a-z]+:[A-Za-z0-9+\/]+)?$/, "", l)
    n = split(l, a, " ")
    found = n > 2 && a[n - 1] == "port" ? a[n - 2] : n > 1 && a[n - 1] == "from" ? a[n] : "?"
    gsub(/^<|>$/, "", found)
    # dropbear writes the port behind it
    if (a[n - 1] == "from") sub(/:[0-9]+$/, "", found)
    return substr(plain(found), 1, 60)
}

# one line of a log: who failed and who came in, by source; a try is told twice by some servers, so both are counted apart
function login_line(l,   s, times) {
    times = 1
    if (l ~ /^message repeated [0-9]+ times: \[ .*\]$/) { times = l; sub(/^message repeated /, "", times); times += 0; sub(/^[^[]*\[ /, "", l); sub(/\]$/, "", l) }
    if (l ~ /^(Failed (password|publickey|keyboard-interactive\/pam|none) for|Bad (password|PAM password) attempt for|Login attempt for nonexistent user) /) { s = source_of(l); failed_logins[s] += times; seen_sources[s] }
    else if (l ~ /^(Connection (closed|reset) by|Disconnected from) (authenticating|invalid) user /) { s = source_of(l); closed_logins[s] += times; seen_sources[s] }
    else if (l ~ /^(Accepted [^ ]+ for|(Password|PAM password|Pubkey) auth succeeded for) /) {
        # what is told of a certificate stands behind; the account is a real one
        sub(/ ssh2: .*/, "", l)
        s = source_of(l); good_logins[s]++; seen_sources[s]
        sub(/.* for /, "", l); sub(/ (from|with) .*/, "", l); gsub(/^\047|\047$/, "", l)
        good_users[s] = substr(plain(l), 1, 40)
    }
}

function log_of_logins(   a, i) {
    if (login_log != "" || login_log_looks++ % 20) return login_log
    split("/var/log/auth.log /var/log/secure /var/log/messages", a, " ")
    for (i = 1; i < 4 && login_log == ""; i++) if (exists(a[i])) login_log = a[i]
    return login_log
}

# of the last five minutes
function logins(   file, what, n, i, l, s) {
    split("", failed_logins); split("", closed_logins); split("", good_logins); split("", good_users); split("", seen_sources)
    what = "who logged in and who failed to"
    if (with_systemd() && path_of("journalctl") != "") {
        if (reads_journal()) n = output_of(bounded(8, path_of("journalctl") " -q --no-pager -o cat --since -5m -t sshd -t sshd-session -t dropbear"))
        else n = output_to_root(8, "journalctl", "-q --no-pager -o cat --since -5m -t sshd -t sshd-session -t dropbear", what)
    } else {
        file = log_of_logins()
        if (file == "") return
        last_minutes()
        if (readable(file)) n = output_of(bounded(8, path_of("tail") " -n 3000 " file))
        else n = output_to_root(8, "tail", "-n 3000 " file, what)
    }
    if (n < 0) return
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        if (file == "") login_line(l)
        else if ((substr(l, 1, 12) in recent || substr(l, 1, 16) in recent) && l ~ /^[^]]* (sshd|sshd-session|dropbear)\[[0-9]+\]: /) {
            sub(/^[^]]*\]: /, "", l)
            login_line(l)
        }
    }
    add("R\tN")
    for (s in seen_sources) add("R\tF\t" s "\t" failed_logins[s] + 0 "\t" closed_logins[s] + 0 "\t" good_logins[s] + 0 "\t" good_users[s])
}

function reads_journal() { return am_root() || answer_of("id -Gn") ~ /(^| )(systemd-journal|adm|wheel)( |$)/ }

# --- what lets in: firewall, keys, sudoers, files that run as somebody else, sshd's settings

function firewall(   n, i) {
    if (readable("/etc/ufw/ufw.conf")) add("R\tU\t" (says("/etc/ufw/ufw.conf", "^ENABLED=yes") ? "yes" : "no"))
    told("F", 5, "firewall-cmd", "--state")
    # what other programs keep for themselves changes by the minute
    n = output_to_root(10, "nft", "-s list ruleset", "rules of the firewall")
    for (i = 1; i <= n; i++) add("R\tN\t" plain(line_of_output[i]))
    if (n > 0 || (n < 0 && path_of("nft") != "")) return
    n = output_to_root(10, "iptables-save", "", "rules of the firewall")
    for (i = 1; i <= n; i++) if (line_of_output[i] !~ /^#|KUBE-|CNI-|cali-|DOCKER|f2b-/) add("R\tI\t" plain(line_of_output[i]))
    if (n > 0) n = output_to_root(10, "ip6tables-save", "", "rules of the firewall for IPv6")
    for (i = 1; i <= n; i++) if (line_of_output[i] !~ /^#|KUBE-|CNI-|cali-|DOCKER|f2b-/) add("R\tJ\t" plain(line_of_output[i]))
}

function says(f, pattern,   l, yes) {
    while ((getline l < f) > 0) if (l ~ pattern) yes = 1
    close(f)
    return yes
}

function authorized_keys(   f, l, a, homes, home, seen, n, i, count, unread) {
    f = "/etc/passwd"
    while ((getline l < f) > 0) {
        split(l, a, ":")
        if (a[6] != "" && !(a[6] in seen)) { seen[a[6]]; homes[++count] = a[6] }
    }
    close(f)
    for (i = 1; i <= count; i++)
        for (n = 1; n < 3; n++) {
            f = homes[i] "/.ssh/authorized_keys" (n > 1 ? "2" : "")
            while ((getline l < f) > 0) if (l !~ /^[ \t]*(#|$)/) add("R\tK\t" plain(f) "\t" substr(plain(l), 1, 8000))
            close(f)
        }
    if (am_root()) return
    n = output_to_root(20, "find", "/root /home -maxdepth 3 -name authorized_keys -exec grep -H . {} +", "authorized_keys of other homes")
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        if ((f = index(l, ":")) && substr(l, f + 1) !~ /^[ \t]*(#|$)/) add("R\tK\t" plain(substr(l, 1, f - 1)) "\t" substr(plain(substr(l, f + 1)), 1, 8000))
    }
}

function sudoers(   n) {
    if (!exists("/etc/sudoers")) return
    told_to_root("G", 5, "grep", "-r . /etc/sudoers /etc/sudoers.d", "who may use sudo, and for what")
}

# local file systems on which such files count, each device once; what containers are made of is their own
function suid_files(   f, l, a, seen, places) {
    f = "/proc/self/mounts"
    while ((getline l < f) > 0) {
        split(l, a, " ")
        if (a[4] ~ /(^|,)nosuid(,|$)/ || a[1] in seen) continue
        if (a[3] ~ /^(ext[234]|xfs|btrfs|zfs|f2fs|jfs|reiserfs|ufs)$/ || a[2] == "/") { seen[a[1]]; places = places quoted(a[2]) }
    }
    close(f)
    if (places == "") return
    if (!am_root()) withheld("files in folders that only root may enter", "they are looked for as this account", "")
    lines_of("L", bounded(60, path_of("nice") " -n 19 " path_of("find") places " -xdev \\( -path /var/lib/docker -o -path /var/lib/containers -o -path /var/lib/containerd \\) -prune -o -type f \\( -perm -4000 -o -perm -2000 \\) -exec ls -ld {} +"))
}

function sshd_settings(   n, i, l, files) {
    if (path_of("sshd") == "") return
    if (am_root() || sudo_allows(path_of("sshd") " -T")) { if (told_to_root("T", 5, "sshd", "-T", "") > 0) return }
    if (!readable("/etc/ssh/sshd_config")) { told_to_root("T", 5, "sshd", "-T", "settings of sshd"); return }
    n = output_of("ls /etc/ssh/sshd_config.d/")
    for (i = 1; i <= n; i++) files[i] = "/etc/ssh/sshd_config.d/" line_of_output[i]
    files[n + 1] = "/etc/ssh/sshd_config"
    for (i = 1; i <= n + 1; i++) {
        if (files[i] !~ /\.conf$/ && i <= n) continue
        while ((getline l < files[i]) > 0) {
            if (l ~ /^[ \t]*[Mm][Aa][Tt][Cc][Hh][ \t]/) break
            if (l !~ /^[ \t]*(#|$)/) add("R\tC\t" substr(plain(l), 1, 600))
        }
        close(files[i])
    }
}

function ask_security(name) {
    if (name == "sessions") sessions_open()
    else if (name == "accounts") accounts()
    else if (name == "logins") logins()
    else if (name == "firewall") firewall()
    else if (name == "authorized_keys") authorized_keys()
    else if (name == "sudoers") sudoers()
    else if (name == "suid_files") suid_files()
    else if (name == "sshd_settings") sshd_settings()
    else return 0
    return 1
}
