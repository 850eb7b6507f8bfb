# --- in place of all parts that read sections, for the channel that only polls

function sections(   i) {
    for (i = 3; i <= NF && i < 100; i++) add("S\t" $i "\nX\t" $i "\tthis channel only polls")
}
