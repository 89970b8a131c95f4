# shellcheck shell=sh
# What mkimage.sh and its stages need to talk to the person who is waiting.

# Standard error stands in for the terminal when a stage is run by hand.
{ true >&3; } 2>/dev/null || exec 3>&2
# Emphasis, only where a person reads it.
if [ -t 3 ]; then
	bold=$(printf '\033[1m') red=$(printf '\033[1;31m') plain=$(printf '\033[0m')
else
	bold='' red='' plain=''
fi

# Says what is going on, on the terminal, also from inside a stage (whose own output
# goes to its log).
einfo() {
	printf '%s>%s %s\n' "$bold" "$plain" "$*" >&3
}

# Says what a stage is doing at the moment.
progress() {
	printf '    %s\n' "$*" >&3
}

# Ends with the error $1 and, if given, the hint $2 about what to do.
die() {
	printf '%sERROR%s %s\n' "$red" "$plain" "$1" >&3
	[ -z "${2:-}" ] || printf '      %s\n' "$2" >&3
	# Tells the driver that the reason has been given.
	[ -z "${TMPDIR:-}" ] || : >"$TMPDIR/.explained" 2>/dev/null || :
	exit 1
}
