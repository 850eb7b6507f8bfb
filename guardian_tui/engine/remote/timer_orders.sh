# shellcheck shell=sh
# Orders about timers on a host, on top of detached_orders.sh: evaluated by a shell there, then forgotten.
# Each timer has a folder (timer.sh says what is in it), and a pair of systemd's units or two lines of its owner's crontab.

h_place() { # folder of the runs or nothing: sets h_root, beside it
    g_place "$1"
    h_root=${g_root%/*}/guardian-timers
}

h_sum() { # file: prints its SHA-256
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum <"$1" 2>/dev/null | cut -c 1-64
    else
        shasum -a 256 <"$1" 2>/dev/null | cut -c 1-64
    fi
}

h_token() { # id: prints what each of its lines in a crontab holds, and no other
    printf 'guardian-timers/%s/' "$1"
}

h_units() { # form: sets h_manager and h_where
    : "${XDG_RUNTIME_DIR:=/run/user/$(id -u)}"
    export XDG_RUNTIME_DIR
    h_manager=--system h_where=/etc/systemd/system
    if [ "$1" != systemd ]; then
        h_manager=--user h_where=${XDG_CONFIG_HOME:-${HOME-}/.config}/systemd/user
    fi
}

h_crontab() { # prints the crontab; fails, with words, where there can be none
    h_said=$(LC_ALL=C crontab -l 2>&1 && echo .)
    case $h_said in
    *.) printf '%s' "${h_said%.}" ;;
    *'no crontab'* | *'No such file'* | '') ;;
    *)
        printf '%s\n' "$h_said" >&2
        return 1
        ;;
    esac
}

h_awake() { # names of programs: whether one of them runs; where processes of others can't be seen: yes
    [ -r /proc/1/comm ] || return 0
    for h_entry in /proc/[0-9]*/comm; do
        { read -r h_name <"$h_entry"; } 2>/dev/null || continue
        case " $1 " in *" $h_name "*) return 0 ;; esac
    done
    return 1
}

h_form() { # manager's folder, daemons: sets h_form, and h_words where it is none
    h_form=none h_words='' h_user=0
    if [ -d "$1" ] && command -v systemctl >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ]; then
            h_form=systemd
        elif h_lingers; then
            h_form=user
        else
            h_user=1
        fi
        [ $h_form = none ] || return 0
    fi
    if ! command -v crontab >/dev/null 2>&1; then
        h_words="there is no systemd, and no crontab either"
    elif ! h_why=$(h_crontab 2>&1 >/dev/null); then
        h_words="crontab refuses $(id -un): $h_why"
    elif ! h_awake "$2"; then
        h_words="there is no systemd, and no cron is running"
    else
        h_form=cron
    fi
    # it lingers once it is let
    if [ $h_form = none ] && [ $h_user = 1 ]; then h_form=user h_words=''; fi
}

h_lingers() { # whether the user's own systemd goes on after the last session
    [ -e "/var/lib/systemd/linger/$(id -un)" ]
}

g_survey() { # folder, manager's folder, daemons, ids…
    h_place "$1"
    h_form "$2" "$3"
    shift 3
    printf '\n%s done\n' "$g_word"
    printf 'form %s %s\n' "$h_form" "$(printf '%s' "$h_words" | head -c 300 | tr '\n' ' ')"
    printf 'place %s\n' "$h_root"
    printf 'zone %s\n' "$(date +%z)"
    h_units "$h_form"
    for h_id in "$@"; do
        [ -d "$h_root/$h_id" ] && [ ! -L "$h_root/$h_id" ] || continue
        printf 'timer %s\n' "$h_id"
        for h_name in timer supervisor orders settings script marks secrets; do
            [ ! -f "$h_root/$h_id/$h_name" ] || printf 'file %s %s\n' "$h_name" "$(h_sum "$h_root/$h_id/$h_name")"
        done
        case $h_form in
        systemd | user)
            for h_name in service timer; do
                h_file=$h_where/guardian-timer-$h_id.$h_name
                [ ! -f "$h_file" ] || printf 'file unit.%s %s\n' "$h_name" "$(h_sum "$h_file")"
            done
            systemctl $h_manager --quiet is-active "guardian-timer-$h_id.timer" || echo 'asleep'
            ;;
        cron)
            printf 'file cron %s\n' "$(h_crontab | LC_ALL=C grep -F "$(h_token "$h_id")" >"$h_root/$h_id/lines.tmp"; h_sum "$h_root/$h_id/lines.tmp")"
            rm -f -- "$h_root/$h_id/lines.tmp"
            ;;
        esac
        h_text=''
        { read -r h_text <"$h_root/$h_id/stamp"; } 2>/dev/null
        case $h_text in '' | *[!0-9]*) ;; *) printf 'begun %s\n' "$h_text" ;; esac
        [ ! -f "$h_root/$h_id/trouble" ] || printf 'trouble %s\n' "$(head -c 300 "$h_root/$h_id/trouble" | tr '\n' ' ')"
    done
    printf 'end\n'
}

h_write() { # file, text: as a whole or not at all
    h_why=$( (printf '%s' "$2" >"$1.new") 2>&1) && chmod 600 "$1.new" && h_why=$(mv -f -- "$1.new" "$1" 2>&1) || {
        rm -f -- "$1.new"
        g_fail folder "${h_why:-$1 can not be written}"
    }
}

h_lines() { # id, text: puts these lines in place of those of the timer; all others stay as they are
    h_crontab >"$h_dir/crontab.tmp" || g_fail program "its crontab can't be read"
    LC_ALL=C awk -v token="$(h_token "$1")" 'index($0, token) == 0' "$h_dir/crontab.tmp" >"$h_dir/crontab.new" &&
        printf '%s' "$2" >>"$h_dir/crontab.new" || g_fail folder "$h_dir can't be written"
    if ! cmp -s "$h_dir/crontab.tmp" "$h_dir/crontab.new"; then
        h_why=$(LC_ALL=C crontab - <"$h_dir/crontab.new" 2>&1) || g_fail program "crontab refuses it: $h_why"
    fi
    rm -f -- "$h_dir/crontab.tmp" "$h_dir/crontab.new"
}

h_ctl() { # words of systemctl
    h_why=$(LC_ALL=C systemctl $h_manager --no-ask-password "$@" 2>&1) || g_fail program "systemctl $1: $h_why"
}

g_install() { # folder, id, form, 1: the schedule is another one; texts in f_…
    umask 077
    if [ "$3" = user ] && ! h_lingers; then
        loginctl --no-ask-password enable-linger >/dev/null 2>&1
        h_lingers || g_fail program "$(id -un) may not linger, and systemd would forget the timer at the end of the session"
    fi
    h_place "$1"
    h_dir=$h_root/$2
    for h_name in "$h_root" "$h_dir"; do
        [ ! -L "$h_name" ] || g_fail folder "$h_name is a symbolic link"
        h_why=$( (LC_ALL=C mkdir -p -- "$h_name" && chmod 700 "$h_name") 2>&1) || g_fail folder "$h_why"
    done
    # secrets before what uses them
    [ -z "${f_secrets+given}" ] || h_write "$h_dir/secrets" "$f_secrets"
    for h_name in HOME PATH XDG_STATE_HOME XDG_CONFIG_HOME; do
        eval "h_value=\${$h_name-}"
        [ -z "$h_value" ] || printf "%s='%s'; export %s\n" "$h_name" "$(printf '%s' "$h_value" | sed "s/'/'\\\\''/g")" "$h_name"
    done >"$h_dir/environment" || g_fail folder "$h_dir can't be written"
    h_write "$h_dir/supervisor" "$g_program"
    h_write "$h_dir/orders" "$f_orders"
    h_write "$h_dir/marks" "$f_marks"
    h_write "$h_dir/script" "$f_script"
    h_write "$h_dir/settings" "$f_settings"
    h_write "$h_dir/timer" "$f_timer"
    chmod 700 "$h_dir/timer"
    # from now on; what was due before nobody has promised
    if [ "$4" = 1 ] || [ ! -s "$h_dir/stamp" ]; then h_write "$h_dir/stamp" "$(date +%s)
"; fi
    h_units "$3"
    if [ "$3" = cron ]; then
        h_lines "$2" "$f_cron"
    else
        h_why=$(LC_ALL=C mkdir -p -- "$h_where" 2>&1) || g_fail folder "$h_why"
        h_write "$h_where/guardian-timer-$2.service" "$f_service"
        h_write "$h_where/guardian-timer-$2.timer" "$f_unit"
        h_ctl daemon-reload
        h_ctl --quiet enable "guardian-timer-$2.timer"
        h_ctl restart "guardian-timer-$2.timer"
    fi
    printf '\n%s done\n' "$g_word"
}

g_uninstall() { # folder, id, grace, shell, 1: its runs are ended and removed too
    h_place "$1"
    h_dir=$h_root/$2
    h_form=user
    [ "$(id -u)" != 0 ] || h_form=systemd
    h_units $h_form
    h_unit=guardian-timer-$2
    if [ -e "$h_where/$h_unit.timer" ] || [ -e "$h_where/$h_unit.service" ]; then
        systemctl $h_manager --no-ask-password --quiet disable --now "$h_unit.timer" >/dev/null 2>&1
        h_why=$(rm -f -- "$h_where/$h_unit.timer" "$h_where/$h_unit.service" 2>&1) || g_fail folder "$h_why"
        systemctl $h_manager --no-ask-password daemon-reload >/dev/null 2>&1
        systemctl $h_manager --no-ask-password reset-failed "$h_unit.timer" "$h_unit.service" >/dev/null 2>&1
        # systemd's own stamp of it
        rm -f -- "/var/lib/systemd/timers/stamp-$h_unit.timer" "${XDG_DATA_HOME:-${HOME-}/.local/share}/systemd/timers/stamp-$h_unit.timer"
    fi
    if [ -d "$h_dir" ] && [ ! -L "$h_dir" ]; then
        if command -v crontab >/dev/null 2>&1 && h_crontab 2>/dev/null | grep -qF "$(h_token "$2")"; then h_lines "$2" ''; fi
        g_dir=$h_dir/going
        if g_read pid && g_lives "$g_pid" "$g_born"; then kill "$g_pid"; fi
        h_why=$(rm -rf -- "$h_dir" 2>&1) || g_fail folder "$h_why"
        rmdir -- "$h_root" 2>/dev/null
    fi
    if [ "$5" = 1 ]; then
        for h_run in "$g_root"/*; do
            h_of=''
            { read -r h_of h_x <"$h_run/timer"; } 2>/dev/null
            [ "$h_of" = "$2" ] || continue
            g_dir=$h_run
            g_judge
            case $g_verdict in
            running) (g_cancel "$1" "${h_run##*/}" "$3" "$4" >/dev/null) ;;
            ended | lost) rm -rf -- "${h_run:?}" ;;
            esac
        done
    fi
    printf '\n%s done\n' "$g_word"
}

g_offers() { # folder: the runs that timers began, each with what its folder says of it
    g_place "$1"
    printf '\n%s done\n' "$g_word"
    for g_dir in "$g_root"/*; do
        [ -f "$g_dir/timer" ] || continue
        g_judge
        [ $g_verdict != absent ] || continue
        g_started=-
        { read -r g_started <"$g_dir/started"; } 2>/dev/null
        printf 'run %s %s %s\n' "${g_dir##*/}" "$g_verdict" "${g_started:--}"
        for h_line in 1 2; do printf '%s\n' "$(head -c 20000 "$g_dir/timer" | sed -n ${h_line}p)"; done
    done
    printf 'end\n'
}
