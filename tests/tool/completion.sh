# SPDX-License-Identifier: MIT
# bash completion, asked as bash asks it.
# shellcheck disable=SC2154 # case.sh sets what is not set here

command -v bash >/dev/null || skip "bash is not there"
"$madang" init "$ns" >/dev/null
"$madang" mk 1 -n "$ns" >/dev/null
"$madang" mk 1 -n "$ns" >/dev/null
"$madang" mk --kind queues -n "$ns" >/dev/null
echo hello | "$madang" talk -n "$ns" greetings
mkdir "$base/directory"
PATH=$(dirname "$madang"):$PATH
export PATH MADANG_NAMESPACE="$ns"
cat >"$work/ask" <<'ASK'
source "$1"
cd "$2"
ask()
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_madang
	echo "$* -> ${COMPREPLY[*]}"
}
ask madang "" | sed "s/-> .* help/-> COMMANDS help/"
ask madang help doc
ask madang d
ask madang ls --
ask madang rm ""
ask madang rm --kind ""
ask madang rm --kind queues ""
ask madang rm --kind semaphores ""
ask madang rm --o
ask madang mk --n
ask madang doctor --r
ask madang locks --j
ask madang locks ""
ask madang listen --r
ask madang listen ""
ask madang listen --kind ""
ask madang listen --from l
ask madang talk g --c
ask madang call g
ask madang serve greetings --p
ask madang channels --w
ask madang channels gr
ask madang heap --l
ask madang init d
ask madang ls --namespace d
ask madang run --
ask madang rm --namespace nowhere ""
ASK
bash --norc "$work/ask" "$completion" "$base" 2>&1
exit 0
