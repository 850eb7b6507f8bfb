# --- hardware: sensors, memory errors, arrays of disks, disks, and what the machine is

function sensors() {
    values("grep -sH . /sys/class/hwmon/hwmon*/name /sys/class/hwmon/hwmon*/temp*_input /sys/class/hwmon/hwmon*/temp*_label /sys/class/hwmon/hwmon*/temp*_crit /sys/class/hwmon/hwmon*/temp*_max /sys/class/hwmon/hwmon*/fan*_input /sys/class/hwmon/hwmon*/fan*_label /sys/class/hwmon/hwmon*/fan*_alarm /sys/class/hwmon/hwmon*/device/name /sys/class/hwmon/hwmon*/device/temp*_input /sys/class/hwmon/hwmon*/device/temp*_label /sys/class/hwmon/hwmon*/device/temp*_crit /sys/class/thermal/thermal_zone*/type /sys/class/thermal/thermal_zone*/temp /sys/class/thermal/thermal_zone*/trip_point_*_type /sys/class/thermal/thermal_zone*/trip_point_*_temp", "/sys/class/")
}

function memory_errors(   i, d, c) {
    for (i = 0; i < 64; i++) {
        d = "/sys/devices/system/edac/mc/mc" i; c = one(d "/ce_count")
        if (c == "") break
        add("R\tmc" i "\t" c "\t" one(d "/ue_count") "\t" plain(one(d "/mc_name")) "\t" one(d "/size_mb"))
    }
}

function arrays(   f, l) {
    f = "/proc/mdstat"
    while ((getline l < f) > 0) add("R\t" plain(substr(l, 1, 400)))
    close(f)
}

function block_devices(   f, l, a, d, s) {
    f = "/proc/diskstats"
    while ((getline l < f) > 0) {
        split(l, a, " ")
        if (a[3] ~ /^(loop|ram|fd)[0-9]/) continue
        d = "/sys/block/" a[3]; s = one(d "/size")
        if (s + 0 > 0) add("R\t" a[3] "\t" s "\t" one(d "/queue/rotational") "\t" one(d "/removable") "\t" one(d "/ro") "\t" plain(one(d "/device/vendor")) "\t" plain(one(d "/device/model")) "\t" plain(one(d "/device/serial")) "\t" plain(one(d "/queue/scheduler")))
    }
    close(f)
}

function machine(   i, n, a, f, l, key, seen, flags) {
    n = split("sys_vendor product_name product_version board_vendor board_name bios_vendor bios_version bios_date chassis_type", a, " ")
    for (i = 1; i <= n; i++) fact(a[i], one("/sys/class/dmi/id/" a[i]))
    fact("device_tree", one("/proc/device-tree/model"))
    fact("hypervisor", one("/sys/hypervisor/type"))
    fact("container", one("/run/systemd/container"))
    if ((getline l < "/.dockerenv") >= 0) { fact("container", "docker"); close("/.dockerenv") }
    if ((getline l < "/run/.containerenv") >= 0) { fact("container", "podman"); close("/run/.containerenv") }
    f = "/proc/cpuinfo"
    while ((getline l < f) > 0) {
        i = index(l, ":"); key = substr(l, 1, i - 1); sub(/[ \t]+$/, "", key); l = substr(l, i + 2)
        if (key == "processor") seen["n"]++
        else if (key == "physical id" && !(("s" l) in seen)) { seen["s" l] = 1; seen["sockets"]++ }
        else if (key == "flags" && !flags) { flags = 1; if (l ~ / hypervisor( |$)/) fact("virtual", "yes"); if (l ~ / (vmx|svm)( |$)/) fact("can_virtualise", "yes") }
        else if (key ~ /^(model name|cpu cores|siblings|vendor_id|microcode|Hardware|Model|machine|cpu|CPU part)$/ && !(key in seen)) { seen[key] = 1; fact(key, l) }
    }
    close(f)
    fact("processors", seen["n"])
    fact("sockets", seen["sockets"])
    f = "/proc/meminfo"
    while ((getline l < f) > 0) if (l ~ /^MemTotal:/) { split(l, a, " "); fact("memory_kb", a[2]); break }
    close(f)
}

function ask_hardware(name) {
    if (name == "sensors") sensors()
    else if (name == "ecc") memory_errors()
    else if (name == "raid") arrays()
    else if (name == "disks") block_devices()
    else if (name == "hardware") machine()
    else return 0
    return 1
}
