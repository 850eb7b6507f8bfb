# --- disks by themselves, and what is built of them

# a disk that sleeps is left asleep
function smart(   n, i, disks_here, disk, program) {
    n = output_of("ls /sys/block")
    for (i = 1; i <= n; i++) if (line_of_output[i] ~ /^(sd[a-z]+|nvme[0-9]+n[0-9]+)$/) disks_here[++program] = line_of_output[i]
    for (i = 1; i <= program && i <= 64; i++) {
        disk = disks_here[i]
        if (path_of("smartctl") != "") n = output_to_root(10, "smartctl", "-n standby -i -H -A /dev/" disk, "health of " disk)
        else if (disk ~ /^nvme/) n = output_to_root(10, "nvme", "smart-log /dev/" disk, "health of " disk)
        else continue
        rows_of("D\t" disk, n)
    }
}

# lvs asks the kernel how full pools are; what vgs tells lies on disk
function lvm() {
    if (!exists("/dev/mapper/control")) return
    told_to_root("L", 15, "lvs", "--noheadings --units b --nosuffix --separator @", "logical volumes")
    told_to_root("V", 15, "vgs", "--noheadings --readonly --units b --nosuffix --separator @", "volume groups")
}

# what is ill is told in full
function zfs(   n, i) {
    if (!readable("/proc/spl/kstat/zfs/arcstats") || path_of("zpool") == "") return
    n = output_of(bounded(8, path_of("zpool") " list -Hp -o name,size,allocated,free,fragmentation,health"))
    for (i = 1; i <= n; i++) add("R\tZ\t" plain(swap(line_of_output[i], "\t", "@")))
    for (i = 1; i <= n; i++) if (line_of_output[i] !~ /ONLINE$/) { told("S", 8, "zpool", "status -x"); return }
}

function multipath() { if (readable("/run/multipathd.pid")) told_to_root("M", 15, "multipath", "-ll", "paths to disks") }

function ask_storage(name) {
    if (name == "smart") smart()
    else if (name == "lvm") lvm()
    else if (name == "zfs") zfs()
    else if (name == "multipath") multipath()
    else return 0
    return 1
}
