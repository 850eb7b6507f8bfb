# shellcheck shell=sh
# Orders about detached runs, on top of detached.sh: evaluated by a shell on the host, then forgotten there.

g_fail() { # KIND, words
    printf '\n%s failed %s %s\n' "$g_word" "$1" "$2"
    exit 0
}

g_place() { # folder or nothing: sets g_root
    g_root=$1
    if [ -z "$g_root" ]; then
        if [ "$(id -u)" = 0 ]; then
            g_root=/var/lib/guardian-runs
        elif [ -n "${XDG_STATE_HOME-}" ]; then
            g_root=$XDG_STATE_HOME/guardian-runs
        else
            g_root=${HOME-}/.local/state/guardian-runs
        fi
    fi
}

g_boot() { # sets g_machine, which hosts with one home folder tell each other by, and g_booted, another one after each boot
    { read -r g_machine </etc/machine-id; } 2>/dev/null || g_machine=$(uname -n)
    if { read -r g_booted </proc/sys/kernel/random/boot_id; } 2>/dev/null; then return; fi
    g_booted=$(sysctl -n kern.bootsessionuuid 2>/dev/null || sysctl -n kern.boot_id 2>/dev/null || echo unknown)
}

g_judge() { # sets g_verdict and g_code
    g_verdict=absent g_code=-
    [ -d "$g_dir" ] || return 0
    g_boot
    g_where='' g_was=''
    { read -r g_where g_was <"$g_dir/boot"; } 2>/dev/null
    # another host's, in a home folder that both have
    if [ -n "$g_where" ] && [ "$g_where" != "$g_machine" ]; then return 0; fi
    g_verdict=ended
    g_ended && return
    g_verdict=lost
    # while it is being made the folder may lack anything
    if g_read starter && g_lives "$g_pid" "$g_born"; then
        g_verdict=running
    elif [ "$g_was" != "$g_booted" ]; then
        return
    elif g_read pid && g_lives "$g_pid" "$g_born"; then
        g_verdict=running
    elif { g_read child && g_lives "$g_pid" "$g_born"; } || [ -n "$(g_left group)" ]; then
        g_verdict=running
    fi
    # it may have ended while we looked
    if g_ended; then g_verdict=ended; fi
}

g_busy() { # job, a folder that does not count: whether a run of the job is at work
    for g_dir in "$g_root"/*; do
        g_of=''
        { read -r g_of <"$g_dir/job"; } 2>/dev/null
        if [ "$g_of" != "$1" ] || [ "$g_dir" = "$2" ]; then continue; fi
        g_judge
        [ $g_verdict != running ] || return 0
    done
    return 1
}

g_start() { # folder, id, seconds, grace, niceness, idle, head, tail, shell, manager's folder, an option that old systemd-run refuses, further ones…
    g_umask=$(umask)
    umask 077
    g_place "$1"
    g_dir=$g_root/$2
    g_seconds=$3 g_grace=$4 g_nice=$5 g_idle=$6 g_head=$7 g_tail=$8 g_shell=$9
    shift 9
    command -v setsid >/dev/null 2>&1 || command -v perl >/dev/null 2>&1 || command -v python3 >/dev/null 2>&1 ||
        g_fail program "none of setsid, perl and python3 is there"
    [ ! -L "$g_root" ] || g_fail folder "$g_root is a symbolic link"
    g_why=$( (LC_ALL=C mkdir -p -- "$g_root" && chmod 700 "$g_root") 2>&1) || g_fail folder "$g_why"
    if ! g_why=$(LC_ALL=C mkdir -- "$g_dir" 2>&1); then
        [ -d "$g_dir" ] || g_fail folder "$g_why"
        printf '\n%s done\n' "$g_word"
        return
    fi
    if ! g_why=$(g_prepare 2>&1); then
        rm -rf -- "$g_dir"
        g_fail folder "${g_why:-$g_dir: nothing can be written}"
    fi
    if [ -n "${g_job-}" ] && (g_busy "$g_job" "$g_dir"); then
        rm -rf -- "$g_dir"
        g_fail running "another run of the same job is at work"
    fi
    set -- "$g_umask" "$g_seconds" "$g_grace" "$g_nice" "$g_idle" "$g_head" "$g_tail" "$g_shell" "$@"
    g_launch "$@" || {
        g_why=$(head -c 400 "$g_dir/complaint" 2>/dev/null | tr '\n' ' ')
        rm -rf -- "$g_dir"
        g_fail start "${g_why:-its supervisor did not begin}"
    }
    printf '\n%s done\n' "$g_word"
}

g_prepare() { # all that needs room on the disk
    # its complaints are read
    LC_ALL=C
    export LC_ALL
    # first, and by a program: a shell's own words for a full disk are "I/O error"
    for g_name in out err; do
        # and for the line that says what is missing
        head -c $((g_tail + 4096)) /dev/zero >"$g_dir/$g_name.spare" && mkfifo "$g_dir/$g_name.pipe" || return
    done
    g_blank='                                                                '
    for g_name in starter pid child ender; do printf '%s' "$g_blank" >"$g_dir/$g_name" || return; done
    g_note starter $$
    g_boot
    printf '%s %s\n' "$g_machine" "$g_booted" >"$g_dir/boot" &&
        date +%s >"$g_dir/started" &&
        printf '%s' "$g_script" >"$g_dir/script" &&
        { [ -z "${g_job-}" ] || printf '%s\n' "$g_job" >"$g_dir/job"; } &&
        { [ -z "${g_timer-}" ] || printf '%s\n' "$g_timer" >"$g_dir/timer"; } &&
        printf '%s\n"g_$@"\n' "$g_program" >"$g_dir/supervisor" || return
    for g_name in out err verdict free unit complaint; do : >"$g_dir/$g_name" || return; done
}

g_launch() { # the supervisor's eight arguments, manager's folder, option that old systemd-run refuses, further options…
    if [ -d "$9" ] && command -v systemd-run >/dev/null 2>&1 && command -v systemctl >/dev/null 2>&1; then
        g_manager=--system
        if [ "$(id -u)" != 0 ]; then
            g_manager=--user
            # without lingering the user's manager ends what it has when the last session does
            [ -e "/var/lib/systemd/linger/$(id -un)" ] || g_manager=''
            : "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
            export XDG_RUNTIME_DIR
        fi
        if [ -n "$g_manager" ]; then
            printf '%s %s\n' "$g_manager" "guardian-run-${g_dir##*/}.scope" >"$g_dir/unit"
            if g_attempt 9 "$@" || g_attempt 10 "$@"; then return; fi
            : >"$g_dir/unit"
        fi
    fi
    g_attempt none "$@"
}

g_attempt() { # how many arguments stand before those for systemd-run, or "none"; and as g_launch
    (
        GUARDIAN_SECRETS=$g_secrets
        export GUARDIAN_SECRETS
        g_skip=$1
        shift
        g_a1=$1 g_a2=$2 g_a3=$3 g_a4=$4 g_a5=$5 g_a6=$6 g_a7=$7 g_a8=$8
        if [ "$g_skip" = none ]; then
            set --
        else
            shift "$g_skip"
            set -- systemd-run "$g_manager" "$@" --
        fi
        # shellcheck disable=SC2086  # a program and its arguments
        g_alone "$@" $g_shell "$g_dir/supervisor" supervise "$g_dir" "$g_a1" "$g_a2" "$g_a3" "$g_a4" "$g_a5" "$g_a6" "$g_a7" "$g_a8"
    ) </dev/null >/dev/null 2>"$g_dir/complaint" &
    g_tried=$!
    g_now
    g_deadline=$((g_time + 20))
    until g_read pid; do
        g_now
        g_works "$g_tried" && [ "$g_time" -lt "$g_deadline" ] || break
        g_nap
    done
    # it may have begun and ended while we looked
    g_read pid
}

g_look() { # folder, most bytes, most of one file, then for each run: id, offset in out, offset in err
    g_place "$1"
    g_most=$2 g_most_each=$3
    shift 3
    printf '\n%s done\n' "$g_word"
    while [ $# -ge 3 ]; do
        g_dir=$g_root/$1
        g_judge
        g_cancelled=0 g_late=0 g_cut=0 g_started=- g_done=-
        # the time of the rename: verdict is as old as the run
        if [ $g_verdict = ended ]; then g_done=$(stat -c %Z "$g_dir/exit.$g_code" 2>/dev/null || echo -); fi
        [ ! -e "$g_dir/cancel" ] || g_cancelled=1
        [ ! -e "$g_dir/late" ] || g_late=1
        if [ -e "$g_dir/out.cut" ] || [ -e "$g_dir/err.cut" ]; then g_cut=1; fi
        { read -r g_started <"$g_dir/started"; } 2>/dev/null
        g_part out "$2"
        g_out=$g_take g_out_size=$g_size
        g_part err "$3"
        printf 'run %s %s %s %s %s %s %s %s %s %s %s %s\n' \
            "$1" $g_verdict "$g_code" $g_cancelled $g_late $g_cut "${g_started:--}" "${g_done:--}" "$g_out" "$g_out_size" "$g_take" "$g_size"
        g_bytes out "$2" "$g_out"
        g_bytes err "$3" "$g_take"
        shift 3
    done
    printf 'end\n'
}

g_part() { # out | err, offset: sets g_size, and g_take: how much of it is told now
    g_size=0
    if [ -e "$g_dir/$1" ]; then g_size=$(stat -c %s "$g_dir/$1" 2>/dev/null || wc -c <"$g_dir/$1"); fi
    g_size=$((g_size))
    g_take=$((g_size - $2))
    [ $g_take -ge 0 ] || g_take=0
    [ "$g_take" -le "$g_most_each" ] || g_take=$g_most_each
    [ "$g_take" -le "$g_most" ] || g_take=$g_most
    g_most=$((g_most - g_take))
}

g_bytes() { # out | err, offset, how many
    [ "$3" = 0 ] || tail -c "+$(($2 + 1))" "$g_dir/$1" | head -c "$3"
}

g_cancel() { # folder, id, grace, shell
    g_place "$1"
    g_dir=$g_root/$2
    g_judge
    if [ $g_verdict = running ]; then
        : >"$g_dir/cancel"
        if ! { g_read ender && g_lives "$g_pid" "$g_born"; }; then
            # shellcheck disable=SC2086  # a program and its arguments
            (g_alone $4 "$g_dir/supervisor" finish "$g_dir" "$3") </dev/null >/dev/null 2>&1 &
            g_tried=$!
            # until it is in its session the end of this one would be its end.  Where two order it at once, the one that is noted last stands for both
            until g_read ender && { [ "$g_pid" = "$g_tried" ] || g_lives "$g_pid" "$g_born"; }; do
                g_works "$g_tried" || g_fail start "nothing that would end it can be started"
                g_nap
            done
        fi
    fi
    printf '\n%s done\n' "$g_word"
}

g_forget() { # folder, id
    g_place "$1"
    g_dir=$g_root/$2
    g_judge
    [ $g_verdict != running ] || g_fail running "it has not ended"
    [ $g_verdict = absent ] || g_why=$(rm -rf -- "$g_dir" 2>&1) || g_fail folder "$g_why"
    printf '\n%s done\n' "$g_word"
}

g_known() { # folder
    g_place "$1"
    printf '\n%s done\n' "$g_word"
    for g_dir in "$g_root"/*; do
        g_judge
        [ $g_verdict = absent ] || printf '%s\n' "${g_dir##*/}"
    done
    printf 'end.\n'
}
