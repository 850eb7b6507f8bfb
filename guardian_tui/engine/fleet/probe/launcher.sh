# starts the probe (the first argument is the awk program) with whatever awk there is
LC_ALL=C
export LC_ALL
awk=$(command -v awk) || { echo '!awk'; exit 127; }
case $(readlink -f "$awk" 2>/dev/null) in
*mawk*) exec awk -W interactive "$1" ;;
*) exec awk "$1" ;;
esac
