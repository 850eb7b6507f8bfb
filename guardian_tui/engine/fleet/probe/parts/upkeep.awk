# --- upkeep: packages that wait, a reboot that is due, certificates that run out

# what only changes when packages or their lists do is found out once: simulating an upgrade costs the host seconds
function updates(   n, i, key, kept) {
    date_now()
    n = output_of("stat -c \047%Y %n\047 /var/lib/dpkg/status /var/lib/apt/lists /var/lib/rpm /usr/lib/sysimage/rpm /var/cache/dnf /var/cache/yum /lib/apk/db/installed /var/cache/apk /var/lib/pacman/local /var/lib/pacman/sync /run/reboot-required")
    for (i = 1; i <= n; i++) { key = key line_of_output[i] "\n"; add("R\tS\t" plain(line_of_output[i])) }
    if (key == updates_key && updates_said != "") { add(updates_said); return }
    kept = out piece
    out = piece = ""
    packages_waiting()
    reboot_due()
    updates_said = substr(out piece, 1, length(out piece) - 1)
    updates_key = key
    out = kept; piece = ""
    if (updates_said != "") add(updates_said)
}

function packages_waiting() {
    if (path_of("apt-get") != "") {
        count_lines("/var/lib/dpkg/status", "^Status: .* installed$")
        matching("A", bounded(60, path_of("nice") " -n 19 " path_of("apt-get") " -s -o Debug::NoLocking=1 upgrade"), "^Inst ")
    } else if (path_of("dnf") != "") {
        if (told_to_root("F", 60, "dnf", "-q --cacheonly check-update", "pending updates") >= 0) add("R\tQ")
        told_to_root("G", 60, "dnf", "-q --cacheonly updateinfo list --security", "which updates are for security")
        add("R\tN\t" output_of(bounded(20, path_of("rpm") " -qa")))
    } else if (path_of("yum") != "") {
        if (told_to_root("F", 60, "yum", "-q -C check-update", "pending updates") >= 0) add("R\tQ")
        told_to_root("G", 60, "yum", "-q -C updateinfo list security", "which updates are for security")
        add("R\tN\t" output_of(bounded(20, path_of("rpm") " -qa")))
    } else if (path_of("zypper") != "") {
        matching("Z", bounded(60, path_of("zypper") " -x --no-refresh list-updates"), "<update ")
        matching("Y", bounded(60, path_of("zypper") " -x --no-refresh list-patches --category security"), "<update ")
        add("R\tN\t" output_of(bounded(20, path_of("rpm") " -qa")))
    } else if (path_of("apk") != "") {
        count_lines("/lib/apk/db/installed", "^P:")
        if (told("K", 20, "apk", "version -l \047<\047") > 0) add("R\tQ")
    } else if (path_of("pacman") != "") {
        if (told("P", 20, "pacman", "-Qu") >= 0) add("R\tQ")
        add("R\tN\t" output_of(bounded(20, path_of("pacman") " -Qq")))
    }
}

function matching(kind, command, pattern,   n, i) {
    n = output_of(command)
    # even with nothing to tell they say something
    if (n > 0) add("R\tQ")
    for (i = 1; i <= n; i++) if (line_of_output[i] ~ pattern) add("R\t" kind "\t" substr(plain(line_of_output[i]), 1, 400))
}

function count_lines(file, pattern,   l, n) {
    while ((getline l < file) > 0) if (l ~ pattern) n++
    close(file)
    add("R\tN\t" n + 0)
}

function reboot_due(   n, i) {
    if (exists("/run/reboot-required")) add("R\tR\tpackages ask for it")
    else if (path_of("needs-restarting") != "") told("V", 30, "needs-restarting", "-r")
    else if (path_of("zypper") != "") told("V", 30, "zypper", "-n --no-refresh needs-rebooting")
    add("R\tO\t" plain(one("/proc/sys/kernel/osrelease")))
    n = output_of("ls /lib/modules")
    for (i = 1; i <= n; i++) add("R\tM\t" plain(line_of_output[i]))
}

# --- certificates: the first of each file that may hold one, as it is; what it says is read by who asked

function certificates(   n, i, l, a, f, files, count, seen, places) {
    date_now()
    places = "/etc/ssl /etc/pki/tls /etc/pki/nginx /etc/nginx /etc/apache2 /etc/httpd /etc/postfix /etc/dovecot /etc/haproxy /etc/mosquitto /etc/openvpn"
    # first what is configured, then what lies about; bundles of authorities are larger than any chain
    n = output_of(bounded(20, path_of("grep") " -rhE \047^[[:space:]]*(ssl_certificate|SSLCertificateFile|smtpd_tls_cert_file|ssl_cert|ssl_server_cert)[[:space:]=]\047 /etc/nginx /etc/apache2 /etc/httpd /etc/postfix /etc/dovecot"))
    for (i = 1; i <= n; i++) {
        l = line_of_output[i]
        gsub(/[=<>;\042\047]/, " ", l)
        split(l, a, " ")
        if (a[2] ~ /^\// && !(a[2] in seen)) { seen[a[2]]; files[++count] = a[2] }
    }
    n = output_of(bounded(20, path_of("find") " " places " -maxdepth 5 -type f -size -64k \\( -name \047*.crt\047 -o -name \047*.pem\047 -o -name \047*.cer\047 -o -name \047*.cert\047 \\)"))
    for (i = 1; i <= n && count < 200; i++) if (!(line_of_output[i] in seen)) { seen[line_of_output[i]]; files[++count] = line_of_output[i] }
    n = 0
    for (i = 1; i <= count && n < 50; i++) {
        l = certificate_in(files[i])
        if (l != "") { n++; add("R\tC\t" plain(files[i]) "\t" l) }
    }
    if (exists("/etc/letsencrypt/live")) {
        n = output_to_root(20, "grep", "-R . /etc/letsencrypt/live --include cert.pem", "certificates of Let\047s Encrypt")
        l = f = ""
        for (i = 1; i <= n; i++) {
            split(line_of_output[i], a, ":")
            if (a[2] ~ /^-----BEGIN CERTIFICATE/) { f = a[1]; l = "" }
            else if (a[2] ~ /^-----END/) { if (l != "") add("R\tC\t" plain(f) "\t" l); l = "" }
            else if (a[2] ~ /^[A-Za-z0-9+\/=]+$/ && length(l) < 20000) l = l a[2]
        }
    }
}

function certificate_in(f,   l, text, inside) {
    while ((getline l < f) > 0) {
        sub(/\r$/, "", l)
        if (l ~ /^-----BEGIN CERTIFICATE-----$/) inside = 1
        else if (l ~ /^-----END/ && inside) break
        else if (inside && l ~ /^[A-Za-z0-9+\/=]+$/ && length(text) < 20000) text = text l
    }
    close(f)
    return text
}

# public halves and certificates of the host's own keys
function host_keys(   n, i, files, l) {
    date_now()
    n = output_of("ls /etc/ssh/")
    for (i = 1; i <= n; i++) files[i] = line_of_output[i]
    for (i = 1; i <= n; i++)
        if (files[i] ~ /^ssh_host.*\.pub$/) {
            l = one("/etc/ssh/" files[i])
            if (l != "") add("R\tK\t" plain(files[i]) "\t" substr(plain(l), 1, 8000))
        }
}

function ask_upkeep(name) {
    if (name == "updates") updates()
    else if (name == "certificates") certificates()
    else if (name == "host_keys") host_keys()
    else return 0
    return 1
}
