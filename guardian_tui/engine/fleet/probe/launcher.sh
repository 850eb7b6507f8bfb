# starts the probe: the first argument is the awk program, for whatever awk there is (mawk costs half of gawk); the second the shell's, for where there is none
LC_ALL=C TZ=UTC0
export LC_ALL TZ
awk=$(command -v mawk || command -v awk) || { eval "$2"; exit; }
case $(readlink -f "$awk" 2>/dev/null) in
*mawk*) exec "$awk" -W interactive "$1" ;;
*) exec "$awk" "$1" ;;
esac
