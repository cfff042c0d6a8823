/* SPDX-License-Identifier: MIT */
/*
 * table.c - the cases of `madang-bench --ipc`, each with its bar and its moonshot.
 *
 * A bar is what Madang's time may be of the kernel's. A moonshot is what it could be if nothing
 * stood in the way but the work itself.
 */
#include "bench/ipc/ipc.h"

/* clang-format off */
const struct ipc_case ipc_cases[] = {
	{ "semop", "semop, one operation, nobody asleep", 0.15, 0.03,
	  IPC_ALONE, 2, 1, 0, false, 1, ipc_run_op, NULL },
	{ "semop-undo", "the same with SEM_UNDO", 0.25, 0.05,
	  IPC_ALONE, 2, 1, 0, false, 1, ipc_run_op_undo, NULL },
	{ "semop-two", "semop, two operations on two semaphores", 0.25, 0.05,
	  IPC_ALONE, 2, 1, 0, false, 1, ipc_run_op_two, NULL },
	{ "getval", "semctl GETVAL", 0.30, 0.10,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_value, NULL },
	{ "semget", "semget of a key, no permission asked", 0.30, 0.10,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_find, NULL },
	{ "semget-ask", "semget of a key, flags 0600", 0.30, 0.10,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_find_ask, NULL },
	{ "sem-pair", "semaphore there and back, two processors", 1.10, 0.3,
	  IPC_TWO_PROCESSORS, 1, 4, 0, false, 0, ipc_run_set_pair, ipc_partner_set_pair },
	{ "sem-pair-1cpu", "semaphore there and back, one processor", 1.15, 1.0,
	  IPC_ONE_PROCESSOR, 1, 4, 0, false, 0, ipc_run_set_pair, ipc_partner_set_pair },
	{ "sem-mutex", "mutex of two processes with SEM_UNDO, contended: take and give", 0.5, 0.1,
	  IPC_TWO_PROCESSORS, 1, 2, 0, true, 1, ipc_run_mutex, ipc_partner_mutex },
	{ "sem-kill", "kill -9 of a holder to the sleeper's return", 1.5, 0.8,
	  IPC_ONE_PROCESSOR, 1, 1, 1, false, 1, ipc_run_kill, ipc_partner_kill },
	{ "sem-make", "make and remove a set", 2.0, 1.0,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_set_make, NULL },
	{ "sem-stat", "semctl IPC_STAT", 0.7, 0.3,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_set_stat, NULL },
	{ "msg-64", "msgsnd + msgrcv, 64 bytes, one process", 0.6, 0.1,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_message, NULL },
	{ "msg-8k", "msgsnd + msgrcv, 8 KiB, one process", 0.5, 0.2,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_message_8k, NULL },
	{ "msg-pair", "64 bytes there and back in a queue, two processors", 1.15, 0.3,
	  IPC_TWO_PROCESSORS, 1, 4, 0, false, 1, ipc_run_queue_pair, ipc_partner_queue_pair },
	{ "msg-pair-1cpu", "64 bytes there and back in a queue, one processor", 1.15, 1.0,
	  IPC_ONE_PROCESSOR, 1, 4, 0, false, 1, ipc_run_queue_pair, ipc_partner_queue_pair },
	{ "msg-one-way", "64 bytes one way, two processors: a message", 0.5, 0.05,
	  IPC_TWO_PROCESSORS, 1, 8, 0, false, 1, ipc_run_one_way, ipc_partner_one_way },
	{ "msg-make", "make and remove a queue", 1.5, 1.0,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_queue_make, NULL },
	{ "msg-stat", "msgctl IPC_STAT", 0.7, 0.3,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_queue_stat, NULL },
	{ "msg-stat-new", "msgctl IPC_STAT of a queue that nobody has used", 0.7, 0.3,
	  IPC_ALONE, 1, 1, 0, false, 1, ipc_run_queue_stat_new, NULL },
};
/* clang-format on */

const unsigned ipc_case_count = sizeof ipc_cases / sizeof *ipc_cases;

_Static_assert(sizeof ipc_cases / sizeof *ipc_cases <= IPC_CASES_MAX, "room for every result");
