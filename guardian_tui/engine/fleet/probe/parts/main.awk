# --- the dialogue: one request line, one answer

{
    out = piece = ""
    if ($1 !~ /^[0-9]+$/ || length($1) > 12) next
    add("=" $1 " 1")
    first_name = 3; last_mount = NF
    if ($2 == "rq") {
        while (first_name <= NF && $first_name != "--") first_name++
        last_mount = first_name++ - 1
    }
    if (index($2, "t")) clock()
    if (is_bsd()) bsd($2)
    else if (index($2, "f")) {
        before_fast = out piece; out = piece = ""
        uptime()
        stat_()
        memory()
        gauges()
        disks()
        network()
        fast = out piece; out = before_fast; piece = ""
        if (index($2, "p")) figures(fast, substr($2, index($2, "p") + 1)); else out = out fast
    }
    if (!is_bsd()) {
        if (index($2, "o")) mounts()
        if (index($2, "i")) identity()
        if (index($2, "r")) rooms()
    }
    if ($2 ~ /^r?q$/) sections()
    printf "%s%s.%s\n", out, piece, $1
    fflush()
}
