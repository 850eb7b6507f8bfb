# shellcheck shell=sh
# Runs that survive everything above them.  For any POSIX sh; Linux is seen through /proc, other systems through ps.
# Each run keeps this text in its folder as its supervisor; orders (detached_orders.sh) are given to a shell together with it.
#
# The folder of a run, which only its owner may enter:
#   starter pid child ender   process id and start time of: who makes it, the supervisor, the leader of the run's group, who ends it
#   boot started unit         the host and its boot, Unix seconds, systemd's scope if there is one
#   script supervisor         what runs, and this text
#   out err                   what it wrote; out.cut, err.cut: the middle of it is missing
#   cancel late               it was to be ended: by a person, by its time limit
#   verdict                   renamed to exit.CODE in the end: that needs no room on a full disk

g_nap() { sleep 0.1 2>/dev/null || sleep 1; }

g_now() { # sets g_time: seconds that no clock change touches, where the system has them
    if { IFS='. ' read -r g_time g_x </proc/uptime; } 2>/dev/null; then return; fi
    g_time=$(date +%s)
}

# --- processes ---

g_stat() { # PID: sets g_state, g_group and g_since (its start time); fails if there is none
    g_state='' g_group='' g_since=''
    case $1 in '' | *[!0-9]*) return 1 ;; esac
    if [ -r /proc/self/stat ]; then
        { IFS= read -r g_line <"/proc/$1/stat"; } 2>/dev/null || return 1
        # its name may hold blanks and brackets; the fields begin after the last one
        # shellcheck disable=SC2086  # fields
        set -- ${g_line##*) }
        g_state=$1 g_group=$3 g_since=${20}
    else
        # shellcheck disable=SC2046  # fields
        set -- $(LC_ALL=C ps -o stat= -o pgid= -o lstart= -p "$1" 2>/dev/null)
        [ $# -gt 2 ] || return 1
        g_state=$1 g_group=$2
        shift 2
        g_since=$(IFS=_ && echo "$*")
    fi
}

g_works() { # PID of a child: whether it has not ended
    g_stat "$1" && case $g_state in Z* | X* | x*) return 1 ;; esac
}

g_is() { # PID, start time: whether that process is there, be it a zombie
    g_stat "$1" && [ "$g_since" = "$2" ]
}

g_lives() { # PID, start time: whether that process is at work
    g_works "$1" && [ "$g_since" = "$2" ]
}

g_read() { # file: sets g_pid and g_born
    g_pid='' g_born=''
    { read -r g_pid g_born <"$g_dir/$1"; } 2>/dev/null
    [ -n "$g_born" ]
}

g_note() { # file, PID: in place, so that a full disk can't prevent it
    g_stat "$2"
    printf '%s %s            ' "$2" "${g_since:-gone}" 2>/dev/null 1<>"$g_dir/$1"
}

g_pids() {
    if [ -r /proc/self/stat ]; then
        for g_entry in /proc/[0-9]*; do echo "${g_entry#/proc/}"; done
    else
        ps -A -o pid=
    fi
}

g_marked() { # PID: whether it was started with the run's folder in its environment
    [ "$(tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep -cxF "GUARDIAN_RUN=$g_dir")" = 1 ]
} 2>/dev/null

g_hinted() { # prints those that g_marked is worth asking about
    # busybox's grep reads no further than the first NUL
    if printf 'a\0b' | grep -q b; then
        grep -lF "GUARDIAN_RUN=$g_dir" /proc/[0-9]*/environ | tr -dc '0-9\n'
    else
        g_pids
    fi
} 2>/dev/null

g_lead() { # sets g_leader and g_leader_born: who leads the run's group, or "none" and when it began at the earliest
    if g_read child; then
        g_leader=$g_pid g_leader_born=$g_born
        # an id is not given anew while it names a group: if its leader is another process, the group is not ours
        if g_stat "$g_leader" && [ "$g_since" != "$g_leader_born" ]; then g_leader=none; fi
    else
        # the supervisor died before it could tell
        g_read pid
        g_leader=none g_leader_born=$g_born
    fi
}

g_left() { # group | all: prints the run's processes that are at work; "all": those too that left its group
    g_lead
    for g_one in $(g_pids); do
        g_works "$g_one" && [ "$g_group" = "$g_leader" ] || continue
        if g_is "$g_leader" "$g_leader_born" || [ ! -r "/proc/$g_one/environ" ] || g_marked "$g_one"; then echo "$g_one"; fi
    done
    if [ "$1" = group ] && g_read child; then return; fi
    for g_one in $(g_hinted); do
        g_works "$g_one" && [ "$g_group" != "$g_leader" ] || continue
        # nobody who was there before it can come from it
        case $g_since$g_leader_born in '' | *[!0-9]*) continue ;; esac
        if [ "$g_since" -ge "${g_leader_born:-0}" ] && g_marked "$g_one"; then echo "$g_one"; fi
    done
}

g_signal() { # signal, group | all
    g_those=$(g_left "$2")
    g_lead
    g_told=0
    for g_one in $g_those; do
        g_stat "$g_one" || continue
        if [ "$g_group" != "$g_leader" ]; then
            kill "-$1" "$g_one"
        elif [ $g_told = 0 ]; then
            # as a whole, so that nobody is born behind our back; no "--", which busybox refuses, nor "-s", which dash refuses
            kill "-$1" "-$g_leader"
            g_told=1
        fi
    done 2>/dev/null
}

g_end() { # grace in seconds, group | all: TERM, and KILL for who is left
    g_signal TERM "$2"
    g_signal CONT "$2"
    g_now
    g_deadline=$((g_time + $1))
    while [ -n "$(g_left "$2")" ]; do
        g_now
        [ "$g_time" -lt "$g_deadline" ] || break
        g_nap
    done
    g_tries=0
    while [ -n "$(g_left "$2")" ] && [ $g_tries -lt 50 ]; do
        g_signal KILL "$2"
        g_tries=$((g_tries + 1))
        g_nap
    done
}

g_alone() { # command: becomes it, in a session of its own
    if command -v setsid >/dev/null 2>&1; then exec setsid "$@"; fi
    if command -v perl >/dev/null 2>&1; then
        exec perl -e 'use POSIX; POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127' "$@"
    fi
    exec python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# --- the supervisor ---

g_supervise() { # folder, umask, seconds, grace, niceness, idle, bytes kept of the beginning, of the end, shell
    g_dir=$1
    shift
    g_umask=$1 g_seconds=$2 g_grace=$3 g_nice=$4 g_idle=$5 g_head=$6 g_tail=$7 g_shell=$8
    # not ignored: what is ignored stays so in the children
    trap : TERM INT HUP
    # one supervisor only, however often it is tried to start one
    mv "$g_dir/free" "$g_dir/taken" 2>/dev/null || exit 0
    umask 077
    g_secrets=${GUARDIAN_SECRETS-}
    unset GUARDIAN_SECRETS
    cd -- "${HOME:-/}" 2>/dev/null || cd /
    g_note pid $$ || exit 1
    if [ -e "$g_dir/cancel" ]; then
        mv "$g_dir/verdict" "$g_dir/exit.143"
        exit 0
    fi
    g_keep out <"$g_dir/out.pipe" &
    g_writers=$!
    g_keep err <"$g_dir/err.pipe" &
    g_writers="$g_writers $!"
    g_become </dev/null >"$g_dir/out.pipe" 2>"$g_dir/err.pipe" &
    g_child=$!
    # named only once it leads its own group
    while g_works "$g_child" && [ "$g_group" != "$g_child" ]; do g_nap; done
    g_note child "$g_child"
    g_child_born=$g_since
    g_watch </dev/null >/dev/null 2>&1 &
    g_watcher=$!
    while wait "$g_child"; g_code=$?; [ $g_code -gt 128 ] && g_is "$g_child" "${g_child_born:-gone}"; do :; done
    [ -z "$(g_left group)" ] || g_end "$g_grace" group
    g_now
    g_deadline=$((g_time + 5))
    # who left the group may hold the pipes for ever
    for g_writer in $g_writers; do
        while g_works "$g_writer"; do
            g_now
            [ "$g_time" -lt "$g_deadline" ] || break
            g_nap
        done
    done
    mv "$g_dir/verdict" "$g_dir/exit.$g_code"
    kill "$g_watcher"
    rm -f "$g_dir/out.spare" "$g_dir/err.spare" "$g_dir/out.pipe" "$g_dir/err.pipe"
}

g_become() { # becomes the run
    umask "$g_umask"
    eval "$g_secrets"
    export GUARDIAN_RUN="$g_dir"
    # shellcheck disable=SC2086  # a program and its arguments
    set -- $g_shell "$g_dir/script"
    if [ "$g_idle" = 1 ] && ionice -c 3 true </dev/null >/dev/null 2>&1; then set -- ionice -c 3 "$@"; fi
    if [ "$g_nice" != 0 ] && nice -n "$g_nice" true </dev/null >/dev/null 2>&1; then set -- nice -n "$g_nice" "$@"; fi
    g_alone "$@"
}

g_keep() { # out | err: from standard input to the file; of too much the beginning and the end are kept
    trap '' TERM INT HUP
    if (
        ulimit -c 0
        ulimit -f $((g_head / 512))
        exec cat
    ) >>"$g_dir/$1"; then return; fi
    : >"$g_dir/$1.cut"
    # the end, without the line that it begins in the middle of; the spare room is for it
    tail -c "$g_tail" | {
        IFS= read -r g_x
        rm -f "$g_dir/$1.spare"
        printf '\n[guardian: output is missing here: there was too much of it, or the disk was full]\n'
        exec cat
    } >>"$g_dir/$1"
} 2>/dev/null

g_watch() { # ends the run when its time is over; goes when the run does, whoever is left of the supervisor
    g_now
    g_limit=$((g_time + g_seconds))
    while { g_read child && g_lives "$g_pid" "$g_born"; } || [ -n "$(g_left group)" ]; do
        g_now
        g_rest=$((g_limit - g_time))
        if [ $g_rest -le 0 ]; then
            : >"$g_dir/late"
            g_end "$g_grace" all
            return
        fi
        [ $g_rest -lt 5 ] || g_rest=5
        sleep $g_rest
    done
}

g_ended() { # sets g_code if the run has ended
    for g_entry in "$g_dir"/exit.*; do
        g_code=${g_entry##*.}
        [ -e "$g_entry" ] && return
    done
    g_code=-
    return 1
}

g_finish() { # folder, grace in seconds: ends a run from outside
    g_dir=$1 g_grace=$2
    g_note ender $$
    g_now
    g_deadline=$((g_time + 10))
    until g_read child; do
        g_now
        g_read pid && g_lives "$g_pid" "$g_born" && [ "$g_time" -lt "$g_deadline" ] || break
        g_nap
    done
    g_end "$g_grace" all
    g_now
    g_deadline=$((g_time + 10))
    while g_read pid && g_lives "$g_pid" "$g_born" && ! g_ended; do
        g_now
        [ "$g_time" -lt "$g_deadline" ] || break
        g_nap
    done
    g_manager='' g_unit=''
    read -r g_manager g_unit <"$g_dir/unit"
    : "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
    export XDG_RUNTIME_DIR
    # shellcheck disable=SC2086  # nothing or one word
    [ -z "$g_unit" ] || systemctl ${g_manager#--system} --no-ask-password stop -- "$g_unit"
} 2>/dev/null
