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

# the word behind the last " from " of a line, or the one before its last " port ", without what dropbear puts around it
function source_of(l,   a, n, i, found) {
    n = split(l, a, " ")
    for (i = 2; i <= n; i++) {
        if (a[i - 1] == "from") found = a[i]
        else if (a[i] == "port" && found == "") found = a[i - 1]
    }
    sub(/^<?/, "", found); sub(/>$/, "", found)
    if (found ~ /^[0-9.]+:[0-9]+$/) sub(/:[0-9]+$/, "", found)
    return substr(plain(found), 1, 60)
}

# one line of a log: who failed and who came in, by source; a try is told twice by some servers, so both are counted apart
function login_line(l,   s) {
    if (l ~ /(Failed (password|publickey|keyboard-interactive\/pam|none) for|Bad (password|PAM password) attempt for|Login attempt for nonexistent user) /) { s = source_of(l); failed_logins[s]++; seen_sources[s] }
    else if (l ~ /(Connection (closed|reset) by|Disconnected from|Received disconnect from|Disconnecting) (authenticating|invalid) user /) { s = source_of(l); closed_logins[s]++; seen_sources[s] }
    else if (l ~ /(Accepted [^ ]+ for|(Password|PAM password|Pubkey) auth succeeded for) /) {
        s = source_of(l); good_logins[s]++; seen_sources[s]
        sub(/.* for /, "", l); sub(/ from .*/, "", l); gsub(/^\047|\047$/, "", l)
        good_users[s] = substr(plain(l), 1, 40)
    }
}

function log_of_logins(   a, i) {
    split("/var/log/auth.log /var/log/secure /var/log/messages", a, " ")
    for (i = 1; i < 4; i++) if (exists(a[i])) return a[i]
    return ""
}

# of the last five minutes
function logins(   file, what, n, i, l, s) {
    split("", failed_logins); split("", closed_logins); split("", good_logins); split("", good_users); split("", seen_sources)
    what = "who logged in and who failed to"
    if (with_systemd() && path_of("journalctl") != "") {
        if (reads_journal()) n = output_of(bounded(8, path_of("journalctl") " -q --no-pager -o cat -S -5m -t sshd -t sshd-session -t dropbear"))
        else n = output_to_root(8, "journalctl", "-q --no-pager -o cat -S -5m -t sshd -t sshd-session -t dropbear", what)
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
        if (file == "" || substr(l, 1, 12) in recent || substr(l, 1, 16) in recent) login_line(l)
    }
    add("R\tN")
    for (s in seen_sources) add("R\tF\t" s "\t" failed_logins[s] + 0 "\t" closed_logins[s] + 0 "\t" good_logins[s] + 0 "\t" good_users[s])
}

function reads_journal() { return am_root() || answer_of("id -Gn") ~ /(^| )(systemd-journal|adm|wheel)( |$)/ }

function ask_security(name) {
    if (name == "sessions") sessions_open()
    else if (name == "accounts") accounts()
    else if (name == "logins") logins()
    else return 0
    return 1
}
