# --- sections by name: each part knows its own

function sections(   i) {
    for (i = first_name; i <= NF && i < first_name + 97; i++) {
        add("S\t" $i)
        if (ask_processes($i)) continue
        if (ask_services($i)) continue
        if (ask_security($i)) continue
        if (ask_kernel($i)) continue
        if (ask_hardware($i)) continue
        if (ask_network($i)) continue
        if (ask_upkeep($i)) continue
        if (ask_storage($i)) continue
        add("X\t" $i "\tthis probe has no such section")
    }
}
