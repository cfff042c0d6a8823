# SPDX-License-Identifier: MIT
# top on a terminal, which tmux plays: screens of several sizes, keys, filter, order, pages, a
# deadlock, a namespace that goes and comes, what is no terminal, and that the terminal is given
# back.
# shellcheck disable=SC2154 # case.sh sets what is not set here

command -v tmux >/dev/null || skip "there is no tmux"
if "$madang" top </dev/null 2>&1 | grep -q 'no screen'; then
	"$madang" top >/dev/null 2>"$work/err" && echo "exit 0 without a screen"
	grep -q 'top --once' "$work/err" || { echo "no advice"; exit 1; }
	skip "this build has no ncurses"
fi

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

tmux_do()
{
	LC_ALL=C.UTF-8 tmux -u -f /dev/null -S "$work/tmux$server" "$@"
}
server=0
trap 'tmux_do kill-server 2>/dev/null' EXIT

# screen COLUMNS ROWS COMMAND: a terminal of that size, with a shell that runs the command. What it
# was like before and after is in $work/before and after.
screen()
{
	tmux_do kill-server 2>/dev/null
	server=$((server + 1)) # the old one may take a moment to go
	rm -f "$work/after"
	cat >"$work/inside" <<-END
		trap : INT # Ctrl-C reaches this shell too
		stty -g >$work/before
		sh -c 'echo \$\$ >$work/pid; exec $3'
		echo \$? >$work/code
		stty -g >$work/after
		exec cat 2>/dev/null
	END
	tmux_do new-session -d -x "$1" -y "$2" \
		"LC_ALL=C.UTF-8 $4 sh $work/inside 2>$work/err" || exit 1
	tmux_do set-option -g status off
}

# The screen, with one blank for many, and without what changes from run to run.
show()
{
	tmux_do capture-pane -p | sed -e 's/  */ /g' -e 's/ $//' -e '/^$/d' \
		-e 's/[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/TIME/' \
		-e 's/ read in [0-9.]* ms//' -e "s/ $(id -un) / USER /" \
		-e 's/[1-9][0-9]* tool_lo[a-z\xe2\x80\xa6]*/PID tool_lockers/g' \
		-e 's/ [0-9.]*s \("\|DEAD\)/ AGE \1/' -e 's/waits [0-9.]*s/waits AGE/' \
		-e 's/^ [0-9.]*s PID/ AGE PID/' -e 's/ 0600 [0-9]*[sm]/ 0600 AGE/' \
		-e 's/0600 AGE [0-9]*s$/0600 AGE AGE/' -e 's/age [0-9]*s/age AGE/' \
		-e 's/ [0-9]* dead/ PID dead/' -e 's/process [0-9][0-9]*/process PID/'
}

# until_shown PATTERN: until a line of the screen has it.
until_shown()
{
	tries=0
	until tmux_do capture-pane -p 2>/dev/null | grep -q -e "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || { echo "never '$1' but"; show; cat "$work/err"; exit 1; }
		sleep 0.05
	done
}

# until_gone PATTERN: the same, until no line has it.
until_gone()
{
	tries=0
	while tmux_do capture-pane -p | grep -q -e "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || { echo "always '$1':"; show; exit 1; }
		sleep 0.05
	done
}

keys()
{
	tmux_do send-keys "$@"
}

# The tool has ended, and the terminal is as it was.
given_back()
{
	tries=0
	until [ -s "$work/after" ]; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || { echo "it does not end"; show; exit 1; }
		sleep 0.05
	done
	echo "exit $(cat "$work/code")"
	cmp "$work/before" "$work/after"
	tmux_do display-message -p 'alternate #{alternate_on} cursor #{cursor_flag}'
	cat "$work/err"
}

echo "# no terminal"
"$madang" top </dev/null 2>&1 | cat
screen 80 24 "$madang top </dev/null"
given_back
screen 80 24 "$madang top" TERM=dumb
given_back >"$work/dumb"
grep -q 'cannot be opened' "$work/err" && skip "there is no library ncurses for this program"
cat "$work/dumb"
screen 80 24 "$madang top" TERM=no-such-terminal
given_back
screen 80 24 "env -u TERM $madang top"
given_back

echo "# a namespace that is not there, comes, goes, and comes again"
screen 80 24 "$madang top --interval 0.05"
until_shown 'There is no namespace'
show
"$madang" mk 1M --name first >/dev/null
until_shown '"first"'
rm -rf "$ns"
until_shown 'There is no namespace'
until_gone '"first"'
"$madang" mk 1M --name second >/dev/null
until_shown '"second"'
keys q
given_back

echo "# 80 columns: a deadlock, on the other tables and on its own"
"$madang" mk 3M --name "$(printf 'esc\033[31m\007')" >/dev/null
"$madang" mk 64K --key 0x1234 >/dev/null
mkfifo "$work/in" "$work/ready"
"$helpers/tool_lockers" "$ns" two <"$work/in" >"$work/ready" &
lockers=$!
exec 9>"$work/in"
read -r word _ <"$work/ready"
[ "$word" = ready ] || { echo "lockers failed"; exit 1; }
screen 80 24 "$madang top --interval 0.1"
until_shown 'DEADLOCK'
until_shown '"second"'
until_gone '64K *- ' # the second look has come
show
tmux_do capture-pane -p | sed 's/[^ -~][^ -~]*/x/g' | awk 'length($0) > 80'
# Red stands on the screen: the alarm.
red="$(printf '\033')\[[0-9;]*31m"
tmux_do capture-pane -p -e | grep -c -e "${red} DEADLOCK" -e "${red}DEADLOCK"
keys 3
until_shown '"journal"'
keys '>' '>' '>' '>' '>'
until_shown 'NAME▼'
show | sed 1,3d
echo "# a page, and back"
keys Enter
until_shown 'Who waits'
show | sed 1,3d | tr -d '\n'
echo
keys Escape
until_gone 'Who waits'
keys 2
until_shown 'COMMAND'
show | sed 1,4d | sort
keys 1
until_shown 'SIZE'

echo "# the selection, and the order"
keys Down Enter
until_shown 'Segment .*"second"'
show | sed 1,4d
keys Escape
until_shown 'SIZE'
order()
{
	show | grep -o '"second"\|0x00001234\|"esc' | tr '\n' ' '
	echo
}
order
keys r
until_shown '▲SIZE'
order
keys '<'
until_shown 'NAME▲'
order

echo "# a filter"
keys /
until_shown 'Filter: _'
keys SECx BSpace
until_shown 'Filter: SEC_'
until_gone '0x00001234'
keys Enter
until_shown 'Filter: SEC  *(/'
show | sed 1,4d
keys / zz
until_shown 'Nothing here fits'
keys Escape
until_shown '0x00001234'

echo "# help, pause"
keys '?'
until_shown 'reverse the order'
show | sed 1d
keys q
until_shown '0x00001234'
keys p
until_shown 'PAUSED'
"$madang" mk 9M --name third >/dev/null
sleep 0.3
show | grep third
keys Space
until_shown third
keys p
until_gone PAUSED

echo "# another size; too small"
tmux_do resize-window -x 200 -y 40
until_shown 'CREATOR.*MODE.*AGE.*USED'
show
tmux_do resize-window -x 30 -y 5
until_shown 'Too small: 30x5'
show
tmux_do resize-window -x 45 -y 10
until_gone 'Too small'
until_shown '"second"'
show | sed 's/other: .*/other: .../'

echo "# Ctrl-C, a signal, Ctrl-Z"
keys C-c
given_back
screen 80 24 "$madang top --interval 0.1"
until_shown 'DEADLOCK'
kill "$(cat "$work/pid")"
given_back
tmux_do kill-server
server=$((server + 1))
tmux_do new-session -d -x 80 -y 24 "PS1='ready> ' LC_ALL=C.UTF-8 sh -i"
until_shown 'ready>'
keys "$madang top" Enter
until_shown 'DEADLOCK'
keys C-z
until_shown 'Stopped'
keys 'echo a w""ord' Enter # as it is typed it looks otherwise
until_shown 'a word'
keys fg Enter
until_shown 'DEADLOCK'
keys q
until_shown 'ready>'

echo "# without colours, without UTF-8, a terminal that can do little"
screen 80 24 "$madang top --interval 0.1" NO_COLOR=1
until_shown 'DEADLOCK'
tmux_do capture-pane -p -e | grep -c "$(printf '\033')"'\[[0-9;]*3[0-7]'
keys q
given_back
seq 1000 | "$madang" talk --kind queue --capacity 64 --timeout 0 jobs 2>/dev/null
screen 80 24 "$madang top --interval 0.1 --tab channels" 'LC_ALL=C TERM=vt100'
until_shown '"jobs".*% *0 ' # the second look has come
show | sed 1,3d
LC_ALL=C tmux_do capture-pane -p -e >"$work/plain"
grep -c "$(printf '\033')"'\[[0-9;]*3[0-7]m' "$work/plain"
keys q
given_back

echo "# a bridge: held, cut off, killed"
mkfifo "$work/say" "$work/hear"
"$helpers/bridge_fake" "$ns" <"$work/say" >"$work/hear" &
bridge=$!
exec 7>"$work/say" 8<"$work/hear"
read -r word <&8
say() # WORDS: what the bridge says from now on
{
	printf '%s\n' "$*" >&7
	read -r word <&8
	[ "$word" = 'done' ] || echo "bridge_fake: $word"
}
bridge_page()
{
	show | sed -n -e '/To other hosts/,$p' | sed -e "s/$bridge/PID/" -e 's/for [0-9]*s/for AGE/'
}
say link 1 2 nats://127.0.0.1:4222
say row jobs 2 out 2 500 32 7 1 the far host is full
say row jobs 2 in 1 40 0 0 0
screen 130 30 "$madang top --interval 0.1 --tab channels"
until_shown '"jobs".*held'
show | grep -o 'TALK .*BRIDGE\|out, in held'
keys Enter
until_shown 'the far host is full'
bridge_page
say link 2 3 nats://127.0.0.1:4222 the server closed the connection
until_shown 'cut off'
bridge_page
kill -9 $bridge
wait $bridge 2>/dev/null
until_shown 'dead'
bridge_page
keys q
keys q
given_back
exec 7>&- 8<&-

echo "# the terminal goes"
screen 80 24 "$madang top --interval 0.1"
until_shown 'DEADLOCK'
top=$(cat "$work/pid")
tmux_do kill-server
tries=0
while kill -0 "$top" 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || { echo "it stays"; kill -9 "$top"; break; }
	sleep 0.05
done
exec 9>&-
wait $lockers
exit 0
