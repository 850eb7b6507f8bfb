# --- figures: what the lines of an answer say, made into one line of numbers here, so that who asks a thousand hosts need not
#
# V NUMBER [figure,figure,…]    rates since the figures before on this channel, shares and bytes, null for a gap; the order is that of the series in
#                               docs/fleet.md, with the count of OOM kills as it stands and 0 for what the host can't know
# NUMBER tells one set of devices and missing files from another: to who names the one that holds, this line is told alone

function figures(text, known,   line, n, i, key, a, names, disk_row, card_row) {
    n = split(text, line, "\n")
    seconds = 0; names = disk_row = card_row = ""
    shares = pressed = "null,null,null,null,null"; loads = "null,null,null"; room = loads "," pressed
    cpus = per_core = running = blocked = faults = kills = open_files = pids = tracked = up_now = "null"
    for (i = 1; i < n; i++) {
        key = substr(line[i], 1, 2)
        if (key == "d ") { split(line[i], a, " "); names = names " d" a[2]; disk_row = disk_row disk_figures(line[i], a) }
        else if (key == "N ") { split(line[i], a, " "); names = names " N" a[2]; card_row = card_row card_figures(line[i], a) }
        else if (substr(key, 1, 1) == "!") names = names " " line[i]
        else {
            split(line[i], a, " ")
            if (key == "u ") { up_now = a[2]; if (told_up != "") seconds = up_now - told_up; told_up = up_now }
            else if (key == "c ") busy_figures(a)
            else if (key == "p ") { running = or_gap(a[2]); blocked = or_gap(a[3]); cpus = a[4] > 0 ? a[4] : "null"; if (cpus != told_cpus) shares = "null,null,null,null,null"; told_cpus = cpus }
            else if (key == "m ") memory_figures(a)
            else if (key == "v ") { faults = rate(a[2], told_faults); told_faults = a[2]; kills = or_gap(a[3]) }
            else if (key == "l ") { loads = a[2] "," a[3] "," a[4]; per_core = over(a[2], cpus); task_count = substr(a[5], index(a[5], "/") + 1) }
            else if (key == "P ") pressed = percent(a[2]) "," percent(a[6]) "," percent(a[9]) "," percent(a[10]) "," percent(a[13])
            else if (key == "F ") open_files = over(a[2], a[4])
            else if (key == "T ") pids = over(task_count, a[2])
            else if (key == "K ") tracked = over(a[2], a[3])
        }
    }
    if (names != told_names || !told_number) { told_names = names; told_number++ }
    if (known != told_number "") add(substr(text, 1, length(text) - 1))
    add("V " told_number " [" shares "," cpus "," loads "," per_core "," running "," blocked "," room "," faults "," kills "," \
        pressed "," up_now ",0," open_files "," pids "," tracked ",0" disk_row card_row "]")
}

function or_gap(x) { return x < 0 || x == "" ? "null" : x }
function over(part, all) { return all > 0 && part >= 0 ? sprintf("%.7g", part / all) : "null" }
function percent(x) {
    if (x > 100) x = 100
    return x < 0 || x == "" ? "null" : sprintf("%.7g", x / 100)
}
function rate(now, before) { return before == "" || before < 0 || now < before || seconds <= 0 ? "null" : sprintf("%.7g", (now - before) / seconds) }

# user, nice, system, idle, iowait, irq, softirq, steal; a counter that steps back has stood
function busy_figures(a,   i, d, all) {
    all = 0
    for (i = 2; i < 10; i++) { d[i] = a[i] - told_ticks[i]; if (d[i] < 0) d[i] = 0; all += d[i]; told_ticks[i] = a[i] }
    if (seconds <= 0 || all <= 0) shares = "null,null,null,null,null"
    else shares = sprintf("%.7g,%.7g,%.7g,%.7g,%.7g", (all - d[5] - d[6]) / all, (d[2] + d[3]) / all, (d[4] + d[7] + d[8]) / all, d[6] / all, d[9] / all)
}

# total, free, available, buffers, cached, swap and what is free of it; kernels before 3.14 don't say what is available
function memory_figures(a,   cached, available, used) {
    cached = (a[6] < 0 ? 0 : a[6]) + (a[5] < 0 ? 0 : a[5])
    available = a[4] < 0 ? a[3] + cached : a[4] + 0
    if (available > a[2] + 0) available = a[2] + 0
    used = (a[7] < 0 ? 0 : a[7]) - (a[8] < 0 ? 0 : a[8])
    if (used < 0) used = 0
    if (a[2] < 0 || (a[4] < 0 && a[3] < 0)) room = (a[2] < 0 ? "null" : sprintf("%.0f", a[2] * 1024)) ",null,null,null"
    else room = sprintf("%.0f,%.0f,", a[2] * 1024, available * 1024) over(available, a[2]) "," over(a[2] - available, a[2])
    room = room sprintf(",%.0f,%.0f,%.0f,", cached * 1024, (a[7] < 0 ? 0 : a[7]) * 1024, used * 1024) over(used, a[7])
}

# the line of this device before, of which a figure is the growth; bounded, since containers' devices come and go
function before_of(line, name,   was) {
    was = before[name]
    if (was == "" && ++lines_kept > 1000) { split("", before); lines_kept = 1 }
    before[name] = line
    return seconds > 0 ? was : ""
}

# reads, sectors, ms, writes, sectors, ms, in flight, ms busy, ms weighted
function disk_figures(line, a,   was, b, waited, done, busy, queue) {
    was = before_of(line, "d " a[2])
    if (was == "") return ",null,null,null,null,null"
    if (was == line) return ",0,0,0,0,0"
    split(was, b, " ")
    if (a[3] < b[3] || a[4] < b[4] || a[6] < b[6] || a[7] < b[7] || a[10] < b[10]) return ",null,null,null,null,null"
    waited = a[5] - b[5] + a[8] - b[8]; done = a[3] - b[3] + a[6] - b[6]
    busy = (a[10] - b[10]) / 1000 / seconds; queue = (a[11] - b[11]) / 1000 / seconds
    if (busy > 1) busy = 1
    if (queue < 0) queue = 0
    waited = done > 0 && waited > 0 ? waited / done / 1000 : 0
    return sprintf(",%.7g,%.7g,%.7g,%.7g,%.7g", (a[4] - b[4]) * 512 / seconds, (a[7] - b[7]) * 512 / seconds, busy, waited, queue)
}

# bytes, packets, errors, drops received, then sent
function card_figures(line, a,   was, b, i, packets, bad, lost) {
    was = before_of(line, "N " a[2])
    if (was == "") return ",null,null,null,null"
    if (was == line) return ",0,0,0,0"
    split(was, b, " ")
    for (i = 3; i < 11; i++) if (a[i] < b[i]) return ",null,null,null,null"
    packets = a[4] - b[4] + a[8] - b[8]
    bad = lost = 0
    if (packets > 0) { bad = (a[5] - b[5] + a[9] - b[9]) / packets; lost = (a[6] - b[6] + a[10] - b[10]) / packets }
    return sprintf(",%.7g,%.7g,%.7g,%.7g", (a[3] - b[3]) / seconds, (a[7] - b[7]) / seconds, bad, lost)
}
