#!/bin/sh
# SPDX-License-Identifier: MIT
#
# newlisp.sh - newLISP's built-in semaphores: four processes add to one number by turns.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

if [ "${1-}" = inside ]; then
	cat > "$WORK/work.lsp" <<-'EOF'
		(set 'turn (semaphore))
		(semaphore turn 1)
		(println "value " (semaphore turn))
		(set 'number (share))
		(share number 0)
		(define (work)
		  (dotimes (i 500)
		    (semaphore turn -1)
		    (share number (+ 1 (share number)))
		    (semaphore turn 1))
		  (exit 0))
		(set 'pids (map (fn (i) (fork (work))) '(1 2 3 4)))
		(dolist (pid pids) (wait-pid pid))
		(println "sum " (share number))
		(println "value " (semaphore turn))
		(set 'sleeper (fork (begin (semaphore turn -2) (println (sys-error)) (exit 0))))
		(while (= "" (join (exec (format "ipcs -s -i %d | awk '$1 == 0 && $3 == 1'" turn))))
		  (sleep 10))
		(set 'removed (semaphore turn 0))
		(wait-pid sleeper)
		(println "removed " removed)
		(println "again " (semaphore turn -1) (sys-error))
		(exit)
	EOF
	fact "it says" "$(newlisp "$WORK/work.lsp" 2>&1)"
	fact "segments, sets and queues left" "$(left_over)"
	finish
fi
need newlisp newlisp
need ipcs util-linux
workdir newlisp
# shellcheck disable=SC2119 # no options
(enter)
