#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ipc-tools.sh - util-linux's own tools list, make and remove segments.
#
# ipcs and lsipc read /proc/sysvipc/shm, the limits in /proc/sys/kernel, and ask
# shmctl; what they print is compared with what is known of the segments. The
# same script on the kernel (MODE=kernel) shows that the expectations are right.
# The namespace has limits of its own, so that those of the kernel would show.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# row N: the words of the row of a listing whose Nth one is the id.
row() { awk -v id="$id" -v n="$1" '$n == id { $1 = $1; print }'; }

# line TEXT: the line of a listing that holds TEXT, its blanks made single.
line() { grep -F "$1" | head -n 1 | awk '{ $1 = $1; print }'; }

# The time that a column of the table holds, as `date` prints it with a format.
moment() {
	seconds=$(column "$id" "$1")
	if [ "$seconds" -eq 0 ]; then
		echo "Not set"
	else
		date -d "@$seconds" "$2" | awk '{ $1 = $1; print }'
	fi
}

make_segment() {
	made=$(ipcmk -M 5000 -p 0640)
	id=${made##*: }
	check "ipcmk tells an id" [ "$made" = "Shared memory id: $id" ] || give_up "ipcmk: $made"
	key=$(printf '0x%08x' $(($(column "$id" 1) & 0xffffffff)))
	# ipcs cuts names off after ten letters.
	user=$(id -un) short=$(id -un | cut -c1-10) group=$(id -gn | cut -c1-10)
	uid=$(id -u) gid=$(id -g)
	creator=$(column "$id" 5)
}

hold_segment() {
	mkfifo "$WORK/hold" || give_up "mkfifo"
	"$HOLD" "$id" "$id" < "$WORK/hold" > "$WORK/held" 2>&1 &
	holder=$!
	exec 9> "$WORK/hold"
	wait_until 20 grep -qs attached "$WORK/held" || give_up "hold: $(cat "$WORK/held")"
}

let_go() {
	exec 9>&-
	wait "$holder"
	equal "exit of hold" 0 $?
}

# The three times of the segment: when it was attached, detached and changed last.
check_times() {
	short_form='+%b %e %H:%M:%S' long_form='+%a %b %e %H:%M:%S %Y'
	times="$(moment 12 "$short_form") $(moment 13 "$short_form") $(moment 14 "$short_form")"
	equal "ipcs -m -t" "$id $short $times" "$(ipcs -m -t | row 1)"
	ipcs -m -i "$id" > "$WORK/details"
	equal "ipcs -i: attach time" "att_time=$(moment 12 "$long_form")" \
		"$(line att_time= < "$WORK/details")"
	equal "ipcs -i: detach time" "det_time=$(moment 13 "$long_form")" \
		"$(line det_time= < "$WORK/details")"
	equal "ipcs -i: change time" "change_time=$(moment 14 "$long_form")" \
		"$(line change_time= < "$WORK/details")"
}

# check_listings ATTACHED LAST: what the tools say of one segment. It is attached ATTACHED times,
# and process LAST was the last to attach or detach it.
check_listings() {
	attached=$1 last=$2
	equal "ipcs -m" "$key $id $short 640 5000 $attached" "$(ipcs -m | row 2)"
	equal "ipcs -m -p" "$id $short $creator $last" "$(ipcs -m -p | row 1)"
	equal "ipcs -m -c" "$id 640 $short $group $short $group" "$(ipcs -m -c | row 1)"
	check_times
	ipcs -m -i "$id" > "$WORK/details"
	equal "ipcs -i: owners" "uid=$uid gid=$gid cuid=$uid cgid=$gid" \
		"$(line uid= < "$WORK/details")"
	equal "ipcs -i: mode" "mode=0640 access_perms=0640" "$(line mode= < "$WORK/details")"
	equal "ipcs -i: counts" "bytes=5000 lpid=$last cpid=$creator nattch=$attached" \
		"$(line bytes= < "$WORK/details")"
	expected="KEY=\"$key\" ID=\"$id\" PERMS=\"0640\" OWNER=\"$user\" SIZE=\"5000\""
	expected="$expected NATTCH=\"$attached\" CPID=\"$creator\" LPID=\"$last\""
	expected="$expected CUID=\"$uid\" UID=\"$uid\" CGID=\"$gid\" GID=\"$gid\""
	columns=KEY,ID,PERMS,OWNER,SIZE,NATTCH,CPID,LPID,CUID,UID,CGID,GID
	equal "lsipc -m" "$expected" "$(lsipc -m --export --bytes --numeric-perms -o $columns)"
	fact "table" "$(table)"
	equal "lsipc -m -i" "Segment size: 5000" \
		"$(lsipc -m -i "$id" --bytes | line 'Segment size')"
}

check_limits() {
	ipcs -m -l > "$WORK/limits"
	fact "ipcs -l" "$(cat "$WORK/limits")"
	equal "ipcs -l: segments" "max number of segments = 128" \
		"$(line 'number of' < "$WORK/limits")"
	equal "ipcs -l: size" "max seg size (kbytes) = 1024" "$(line 'max seg' < "$WORK/limits")"
	equal "ipcs -l: all" "max total shared memory (kbytes) = $((4096 * PAGE / 1024))" \
		"$(line 'total' < "$WORK/limits")"
	equal "ipcs -l: smallest" "min seg size (bytes) = 1" "$(line 'min seg' < "$WORK/limits")"
	equal "lsipc: segments" 'RESOURCE="SHMMNI" LIMIT="128" USED="1"' \
		"$(lsipc --export -o RESOURCE,LIMIT,USED | line SHMMNI)"
	equal "lsipc: size" 'RESOURCE="SHMMAX" LIMIT="1048576"' \
		"$(lsipc --export --bytes -o RESOURCE,LIMIT | line SHMMAX)"
	equal "lsipc: pages" 'RESOURCE="SHMALL" LIMIT="4096"' \
		"$(lsipc --export -o RESOURCE,LIMIT | line SHMALL)"
}

check_summary() {
	ipcs -m -u > "$WORK/summary"
	# Pages in memory are not compared: Madang reserves them.
	fact "ipcs -u" "$(grep -v resident "$WORK/summary")"
	equal "ipcs -u: segments" "segments allocated 1" "$(line segments < "$WORK/summary")"
	equal "ipcs -u: pages" "pages allocated $pages" \
		"$(line 'pages allocated' < "$WORK/summary")"
	equal "ipcs -u: swapped" "pages swapped 0" "$(line 'pages swapped' < "$WORK/summary")"
}

check_removal() {
	ipcrm -m "$id" || give_up "ipcrm -m"
	equal "removed and attached" "0x00000000 $id $short 640 5000 2 dest" "$(ipcs -m | row 2)"
	fact "table, removed" "$(table)"
	equal "removed and attached, lsipc" 'STATUS="dest"' "$(lsipc -m --export -o STATUS)"
	let_go
	equal "removed and let go" "" "$(ipcs -m | row 2)"
	check "ipcrm of a removed one fails" [ -n "$(ipcrm -m "$id" 2>&1)" ]

	made=$(ipcmk -M 10)
	id=${made##*: }
	ipcrm -M "$(ipcs -m | row 2 | cut -d' ' -f1)"
	equal "ipcrm -M" 0 $?
	equal "left by ipcrm -M" "" "$(rows)"

	ipcmk -M 10 > /dev/null
	ipcmk -M 20 > /dev/null
	equal "two more" 2 "$(ipcs -m | grep -c '^0x')"
	ipcrm --all=shm
	equal "ipcrm --all" 0 $?
	equal "left by ipcrm --all" "" "$(rows)"
	check "ipcmk -M above the limit fails" [ -n "$(ipcmk -M 1048577 2>&1 | grep -i 'failed')" ]
}

if [ "${1-}" = inside ]; then
	PAGE=$(getconf PAGESIZE) pages=$(((5000 + $(getconf PAGESIZE) - 1) / $(getconf PAGESIZE)))
	make_segment
	check_listings 0 0
	hold_segment
	check_listings 2 "$holder"
	check_limits
	check_summary
	check_removal
	finish
fi

need ipcs util-linux
need lsipc util-linux
need ipcmk util-linux
WORK=$(mktemp -d "${TMPDIR:-/tmp}/madang-ipc-tools.XXXXXX") || give_up "mktemp"
export WORK HOLD
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
(enter --segments 128 --shmmax 1048576 --shmall 4096)
