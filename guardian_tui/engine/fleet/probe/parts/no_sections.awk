# --- in place of all parts that read sections, for the channel that only polls

function sections(   i) {
    for (i = first_name; i <= NF && i < first_name + 97; i++) add("S\t" $i "\nX\t" $i "\tthis channel only polls")
}
