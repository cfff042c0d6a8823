# SPDX-License-Identifier: MIT
# Some programs show message queues and semaphores beside shared memory. The queues and semaphores
# are the kernel's. `run` says so once, on its own stderr. It says so for no other program, and not
# where such a program shows shared memory alone.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
for tool in ipcs lsipc ipcrm; do
	command -v $tool >"$work/out" || skip "no $tool"
done
[ -z "$SANITIZE" ] || skip "a sanitizer's library wants to be the first one loaded"
"$madang" run ipcs --help >"$work/out" 2>&1 ||
	skip "the system's programs are of another C library or word size"

noted()
{
	"$madang" run "$@" 2>"$work/err" >"$work/out"
	echo "$(grep -c '^madang run: note: message queues and semaphores' "$work/err") $*"
	! grep -q 'madang run' "$work/out" || echo "... in its output"
}

noted ipcs
noted ipcs -a
noted ipcs -q
noted ipcs -ms
noted ipcs -l
noted ipcs -m
noted ipcs -m -c
noted ipcs --shmems
noted ipcs --queues
noted ipcs --help
noted lsipc
noted lsipc -m
noted lsipc --queues
noted ipcrm -M 0x4d5a
noted ipcrm -Q 0x4d5a
noted sh -c "ipcs -a"
noted ls -a "$work"
