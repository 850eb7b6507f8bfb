# shellcheck shell=sh
# What a timer on a host starts: kept there beside its settings, and run as  sh FOLDER/timer due | jitter | missed
#   due     the manager's timer went off, which has waited its random while already
#   jitter  the same by cron, which has not
#   missed  cron asks, now and then, whether a time went by while the machine was off
# It begins a run as the engine does (detached.sh), stays until it ends, and begins it again where the repository was locked or its link failed.
#
# The folder, which only its owner may enter:
#   timer supervisor orders      this text, detached.sh and detached_orders.sh
#   settings script marks        what is run, and how
#   secrets environment          what only the run gets to see; the PATH of whoever installed it
#   stamp trouble going          when a run was begun last; why none could be; who is at work

t_stamp() { date +%s >"$t_dir/stamp.new" && mv -f "$t_dir/stamp.new" "$t_dir/stamp"; }

t_random() { # bytes: prints them as hex
    od -An -N"$1" -tx1 /dev/urandom | tr -dc '0-9a-f'
}

t_alone() { # one at a time; who died without a word is nobody
    g_dir=$t_dir/going
    if ! mkdir "$g_dir" 2>/dev/null; then
        sleep 1
        if g_read pid && g_lives "$g_pid" "$g_born"; then return 1; fi
        rm -rf -- "$g_dir"
        mkdir "$g_dir" 2>/dev/null || return 1
    fi
    g_note pid $$
    trap 'rm -rf -- "$t_dir/going"' EXIT
}

t_due() { # mode: whether a time of the schedule has come since a run was begun last
    t_begun=''
    { read -r t_begun <"$t_dir/stamp"; } 2>/dev/null
    case $t_begun in
    '' | *[!0-9]*)
        t_stamp
        return 1
        ;;
    esac
    awk -v now="$(date +%s)" -v begun="$t_begun" -v missed="$1" -v minutes="$t_minutes" -v hours="$t_hours" -v dates="$t_dates" \
        -v months="$t_months" -v days="$t_days" '
        function has(set, value) { return index(set, "," (value + 0) ",") }
        function named(at) {
            split(strftime("%M %H %d %m %w", at), field, " ")
            return has(minutes, field[1]) && has(hours, field[2]) && has(dates, field[3]) && has(months, field[4]) && has(days, field[5])
        }
        BEGIN {
            now -= now % 60
            # a clock that was ahead must not keep backups from being made
            if (begun > now + 60) begun = now - 3600
            if (begun < now - 40 * 86400) begun = now - 40 * 86400
            # what comes within the hour makes up for what was missed
            if (missed == "missed") for (at = now + 60; at <= now + 3600; at += 60) if (named(at)) exit 1
            for (at = now; at > begun; at -= 60) if (named(at)) exit 0
            exit 1
        }'
    t_said=$?
    # an awk that knows no calendar: the timer itself is believed
    [ $t_said = 0 ] || { [ $t_said != 1 ] && [ "$1" != missed ]; }
}

t_left() { # sets t_seconds, how long a run that begins now may last, and t_limit, what ends it then; fails outside of the window
    t_seconds=$t_most t_limit=time t_spread=$t_jitter
    [ -n "$t_opens" ] || return 0
    # shellcheck disable=SC2046  # three numbers
    set -- $(date '+%H %M %S')
    t_passed=$(((${1#0} * 60 + ${2#0} - t_opens + 1440) % 1440))
    t_rest=$(((t_length - t_passed) * 60 - ${3#0}))
    [ $t_rest -gt 0 ] || return 1
    if [ $t_rest -lt "$t_seconds" ]; then t_seconds=$t_rest t_limit=window; fi
    [ "$t_spread" -le $((t_rest / 2)) ] || t_spread=$((t_rest / 2))
}

t_begin() { # attempt
    t_run=$t_name-$1
    g_script=$(sed "s/$t_id/$t_name/g; s/$t_word/$t_mark/g" "$t_dir/script" && echo .) || return
    g_script=${g_script%.}
    g_secrets=$(cat "$t_dir/secrets")
    g_job=$t_job
    g_timer="$t_job $t_name $1 $t_mark $t_limit
$(cat "$t_dir/marks")"
    # shellcheck disable=SC2034  # read by what is evaluated next
    t_backstop=$((t_seconds + t_beyond))
    eval "set -- $t_scope"
    t_told=$(g_start "$t_folder" "$t_run" "$t_seconds" "$t_grace" "$t_nice" "$t_idle" "$t_head" "$t_tail" "$t_shell" "$t_manager" "$@")
    case $t_told in
    *"$g_word done"*) rm -f -- "$t_dir/trouble" ;;
    *)
        printf '%s\n' "${t_told##*"$g_word failed "}" >"$t_dir/trouble"
        return 1
        ;;
    esac
    g_dir=$g_root/$t_run
}

t_says() { # exit codes, words: whether the run in g_dir shows any of them
    [ -n "$1" ] && grep -qE "^$t_mark end [0-9]+ ($1) " "$g_dir/err" && return
    [ -n "$2" ] && grep -qiE -- "$2" "$g_dir/err"
}

t_passes() { # whether the run in g_dir ended by what passes, a lock or a link that failed: sets t_pause
    g_ended && [ "$g_code" != 0 ] || return
    t_pause=$t_locked_pause
    t_says "$t_locked_codes" "$t_locked_words" && return
    t_pause=$t_cut_pause
    t_says "$t_cut_codes" "$t_cut_words" && ! t_says "$t_lasting_codes" "$t_lasting_words"
}

t_prune() { # no engine came to fetch them: the newest are kept
    for g_dir in "$g_root"/*; do
        t_of=''
        { read -r t_of t_x <"$g_dir/timer"; } 2>/dev/null
        [ "$t_of" = "$t_job" ] || continue
        g_judge
        case $g_verdict in running | absent) continue ;; esac
        t_at=0
        { read -r t_at <"$g_dir/started"; } 2>/dev/null
        printf '%s %s\n' "${t_at:-0}" "${g_dir##*/}"
    done | sort -rn | awk -v keep="$t_keep" 'NR > keep { print $2 }' | while read -r t_old; do rm -rf -- "${g_root:?}/$t_old"; done
}

t_carry() { # begins it, again where what hindered it passes
    t_name=$(t_random 8) t_mark=@$(t_random 12)
    t_stamp
    t_try=1
    while t_begin $t_try; do
        while g_judge && [ $g_verdict = running ]; do sleep "$t_nap"; done
        t_passes && [ $t_try -lt "$t_tries" ] || break
        sleep $((t_pause << (t_try - 1)))
        t_left && ! g_busy "$t_job" '' || break
        t_try=$((t_try + 1))
    done
    t_prune
}

umask 077
LC_ALL=C
export LC_ALL
t_dir=${0%/*}
# shellcheck disable=SC1091  # written when it was installed
. "$t_dir/environment"
# shellcheck disable=SC1091
. "$t_dir/settings"
g_program=$(cat "$t_dir/supervisor")
eval "$g_program"
# shellcheck disable=SC1091
. "$t_dir/orders"
g_word=timer
t_alone && t_due "$1" && t_left || exit 0
if [ "$1" != due ] && [ "$t_spread" -gt 0 ]; then
    sleep $((0x$(t_random 3) % (t_spread + 1)))
    t_left || exit 0
fi
g_place "$t_folder"
if g_busy "$t_job" ''; then
    t_stamp
    exit 0
fi
t_carry
