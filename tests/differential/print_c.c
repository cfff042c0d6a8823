/* SPDX-License-Identifier: MIT */
/*
 * print_c.c - a program of steps as a C program that needs nothing of this
 * directory: for a look at what goes wrong, with a debugger or strace.
 *
 * It prints every result, and every segment after every step, in words that do
 * not depend on the run, so that two outputs can be compared with diff. All its
 * processes run through the same main(); each takes only the steps that are its
 * own, and waits for the others. Deaths are waited for by pid, not by the parent,
 * so zombies are not shown; steps that the run would refuse are not left out.
 */
#include "differential/program.h"

/* NOLINTBEGIN(bugprone-suspicious-missing-comma): lines in two parts */
static const char *const head[] = {
	"/* cc -D_GNU_SOURCE FILE.c, then run it as it is, and with libmadang-sysv preloaded. */",
	"#include <errno.h>",
	"#include <fcntl.h>",
	"#include <grp.h>",
	"#include <setjmp.h>",
	"#include <signal.h>",
	"#include <stdatomic.h>",
	"#include <stdint.h>",
	"#include <stdio.h>",
	"#include <stdlib.h>",
	"#include <sys/ipc.h>",
	"#include <sys/mman.h>",
	"#include <sys/shm.h>",
	"#include <sys/syscall.h>",
	"#include <unistd.h>",
	"",
	"#define P ((size_t)sysconf(_SC_PAGESIZE))",
	"#define AREA ((char *)(sizeof(void *) == 8 ? (uintptr_t)0x200000000000 : "
	"(uintptr_t)0x90000000))",
	"#define HIGH ((char *)(sizeof(void *) == 8 ? ((uintptr_t)1 << 56) - P : "
	"(uintptr_t)0xffffe000))",
	"#define WRAP ((char *)(UINTPTR_MAX - P + 1))",
	"#define STACK ((char *)((uintptr_t)__builtin_frame_address(0) & ~(P - 1)))",
	"",
	"static struct shared { _Atomic int step; _Atomic pid_t dying; pid_t pid[8]; int id[16]; } "
	"*shared;",
	"static char *file, *place[4];",
	"static int me = 6, first; /* who this is, and its first step */",
	"static sigjmp_buf escape;",
	"static struct shmid_ds buffer;",
	"",
	"static void fault(int number) { siglongjmp(escape, number); }",
	"",
	"static long poke(char *at, uint64_t value)",
	"{",
	"	int number = sigsetjmp(escape, 1);",
	"	if (number == 0)",
	"		*(volatile uint64_t *)at = value;",
	"	return number;",
	"}",
	"",
	"static long peek(char *at)",
	"{",
	"	int number = sigsetjmp(escape, 1);",
	"	return number == 0 ? (long)*(volatile uint64_t *)at : -number;",
	"}",
	"",
	"static long set(int id, uid_t uid, gid_t gid, int mode)",
	"{",
	"	buffer.shm_perm.uid = uid;",
	"	buffer.shm_perm.gid = gid;",
	"	buffer.shm_perm.mode = mode;",
	"	return shmctl(id, IPC_SET, &buffer);",
	"}",
	"",
	"static int user(uid_t uid, gid_t gid, gid_t more)",
	"{",
	"	return seteuid(0) || setgroups(more != 0, &more) || setegid(gid) || seteuid(uid);",
	"}",
	"",
	"static int get(int slot, key_t key, size_t size, int flags)",
	"{",
	"	int id = shmget(key, size, flags);",
	"	if (id >= 0)",
	"		shared->id[slot] = id;",
	"	return id;",
	"}",
	"",
	"static int who(pid_t pid)",
	"{",
	"	for (int i = 0; pid != 0 && i < 8; i++)",
	"		if (shared->pid[i] == pid)",
	"			return i;",
	"	return -(pid != 0);",
	"}",
	"",
	"static int turn(int step, int actor)",
	"{",
	"	if (step < first || actor != me)",
	"		return 0;",
	"	while (shared->step != step)",
	"		usleep(100);",
	"	while (shared->dying != 0 && kill(shared->dying, 0) == 0)",
	"		usleep(100);",
	"	shared->dying = 0;",
	"	errno = 0;",
	"	return 1;",
	"}",
	"",
	"static void done(int step, const char *what, long result)",
	"{",
	"	int error = errno, old = -1;",
	"	if (result >= (long)AREA && result < (long)(AREA + 64 * P))",
	"		printf(\"%d: %s = area + 0x%lx\\n\", step, what, result - (long)AREA);",
	"	else if (result > 0xffffffffL || result < -0xffffffffL)",
	"		printf(\"%d: %s = address\\n\", step, what);",
	"	else",
	"		printf(\"%d: %s = %ld, errno %d\\n\", step, what, result, result < 0 ? "
	"error : 0);",
	"	for (int slot = 0; slot < 16; slot++) {",
	"		struct shmid_ds s;",
	"		int id = shared->id[slot];",
	"		if (id < 0 || id == old || shmctl(id % 32768, 15 /* SHM_STAT_ANY */, &s) "
	"!= id)",
	"			continue;",
	"		old = id;",
	"		printf(\"\\tslot %d: id %d key %d mode %o uid %u gid %u nattch %lu cpid %d "
	"lpid %d \"",
	"		       \"atime %d dtime %d\\n\", slot, id, s.shm_perm.__key, "
	"s.shm_perm.mode,",
	"		       s.shm_perm.uid, s.shm_perm.gid, (unsigned long)s.shm_nattch, "
	"who(s.shm_cpid),",
	"		       who(s.shm_lpid), s.shm_atime != 0, s.shm_dtime != 0);",
	"	}",
	"	fflush(stdout);",
	"	shared->step = step + 1;",
	"}",
	"",
	"static void born(int step, int child, pid_t pid)",
	"{",
	"	if (pid == 0) {",
	"		me = child;",
	"		first = step + 1;",
	"		return;",
	"	}",
	"	shared->pid[child] = pid;",
	"	done(step, \"birth\", child);",
	"}",
	"",
	"static void run(int step, int actor)",
	"{",
	"	char number[12], from[12];",
	"	snprintf(number, sizeof(number), \"%d\", actor);",
	"	snprintf(from, sizeof(from), \"%d\", step + 1);",
	"	execl(\"/proc/self/exe\", \"exec\", file, number, from, (char *)NULL);",
	"	_exit(127);",
	"}",
	"",
	"static void dies(int step, int actor)",
	"{",
	"	shared->dying = shared->pid[actor];",
	"	shared->step = step + 1;",
	"	kill(shared->pid[actor], SIGKILL);",
	"}",
	"",
	"static void begin(int argc, char **argv)",
	"{",
	"	static char template[] = \"/tmp/differential-XXXXXX\";",
	"	int fd = argc == 4 ? open(file = argv[1], O_RDWR) : mkstemp(file = template);",
	"	if (fd < 0 || ftruncate(fd, sizeof(*shared)) != 0)",
	"		exit(1);",
	"	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);",
	"	close(fd);",
	"	signal(SIGCHLD, SIG_IGN);",
	"	signal(SIGSEGV, fault);",
	"	signal(SIGBUS, fault);",
	"	for (int slot = 0; argc == 1 && slot < 16; slot++)",
	"		shared->id[slot] = -1;",
	"	if (argc == 4) {",
	"		me = atoi(argv[2]);",
	"		first = atoi(argv[3]);",
	"	}",
	"}",
	"",
	"#define STEP(n, actor, call) if (turn(n, actor)) done(n, #call, (long)(call))",
	"#define FORK(n, actor, child) if (turn(n, actor)) born(n, child, fork())",
	"#define VFORK(n, actor, child) if (turn(n, actor)) { \\",
	"	pid_t pid = vfork(); \\",
	"	if (pid == 0) \\",
	"		run(n, child); \\",
	"	born(n, child, pid); }",
	"#define EXEC(n, actor) if (turn(n, actor)) { shared->step = n + 1; run(n, actor); }",
	"#define EXIT(n, actor) if (turn(n, actor)) { shared->dying = getpid(); shared->step = n + "
	"1; _exit(0); }",
	"#define KILL(n, actor, victim) if (turn(n, actor)) dies(n, victim)",
	"",
	"int main(int argc, char **argv)",
	"{",
	"	begin(argc, argv);",
};
/* NOLINTEND(bugprone-suspicious-missing-comma) */

/* ---- arguments -------------------------------------------------------------------------- */

static const char *address(char *text, size_t size, int64_t where, int64_t first_page,
                           int64_t offset)
{
	static const char *const names[] = { "(char *)0", "HIGH", "WRAP", "STACK" };
	if (where < WHERE_PLACE)
		snprintf(text, size, "AREA + %d * P", (int)(where + first_page));
	else if (where >= WHERE_NULL)
		snprintf(text, size, "%s", names[where - WHERE_NULL]);
	else if (first_page != 0)
		snprintf(text, size, "place[%d] + %d * P", (int)(where - WHERE_PLACE),
		         (int)first_page);
	else
		snprintf(text, size, "place[%d]", (int)(where - WHERE_PLACE));
	size_t length = 0;
	while (text[length] != '\0')
		length++;
	if (offset != 0)
		snprintf(text + length, size - length, " + %d", (int)offset);
	return text;
}

static const char *cell(int64_t number)
{
	static const char *const names[] = { "0", "P / 2", "P - 8" };
	return names[number >= 0 && number < CELLS ? number : 0];
}

/* ---- steps -------------------------------------------------------------------------------- */

static void attach_print(FILE *file, const struct op *op, char *text, size_t size)
{
	bool place = op->arg[1] >= WHERE_PLACE && op->arg[1] < WHERE_NULL;
	if (place)
		fprintf(file, "place[%d] = shmat(shared->id[%d], NULL, 0%llo)",
		        (int)(op->arg[1] - WHERE_PLACE), (int)op->arg[0],
		        (unsigned long long)op->arg[3]);
	else
		fprintf(file, "shmat(shared->id[%d], %s, 0%llo)", (int)op->arg[0],
		        address(text, size, op->arg[1], 0, op->arg[2]),
		        (unsigned long long)op->arg[3]);
}

static void memory_print(FILE *file, const struct op *op, char *text, size_t size)
{
	const int64_t *arg = op->arg;
	const char *at = address(text, size, arg[0],
	                         op->kind == OP_MAP || op->kind == OP_PROTECT ? 0 : arg[1], 0);
	switch ((enum op_kind)op->kind) {
	case OP_WRITE:
		fprintf(file, "poke(%s + %s, 0x%llx)", at, cell(arg[2]),
		        (unsigned long long)arg[3]);
		break;
	case OP_READ:
		fprintf(file, "peek(%s + %s)", at, cell(arg[2]));
		break;
	case OP_UNMAP:
		fprintf(file, "munmap(%s, %d * P)", at, (int)arg[2]);
		break;
	case OP_MAP:
		fprintf(file,
		        "mmap(%s, %d * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | "
		        "MAP_FIXED, -1, 0)",
		        at, (int)arg[1]);
		break;
	case OP_REMAP:
		fprintf(file, "mremap(%s, %d * P, %d * P, ", at, (int)arg[2], (int)arg[3]);
		if (arg[4] < 0)
			fprintf(file, "0)");
		else
			fprintf(file, "MREMAP_MAYMOVE | MREMAP_FIXED, AREA + %d * P)", (int)arg[4]);
		break;
	default:
		fprintf(file, "mprotect(%s, P, %s)", at,
		        arg[1] != 0 ? "PROT_READ | PROT_WRITE" : "PROT_READ");
		break;
	}
}

static void control_print(FILE *file, const struct op *op)
{
	static const char *const simple[OP_KINDS] = {
		[OP_STAT] = "IPC_STAT, &buffer",       [OP_STAT_NULL] = "IPC_STAT, NULL",
		[OP_SET_NULL] = "IPC_SET, NULL",       [OP_REMOVE] = "IPC_RMID, NULL",
		[OP_LOCK] = "SHM_LOCK, NULL",          [OP_UNLOCK] = "SHM_UNLOCK, NULL",
		[OP_SHM_STAT] = "SHM_STAT, &buffer",   [OP_SHM_STAT_ANY] = "15, &buffer",
		[OP_INDEX_STAT] = "SHM_STAT, &buffer", [OP_INDEX_STAT_ANY] = "15, &buffer",
		[OP_IPC_INFO] = "IPC_INFO, &buffer",   [OP_SHM_INFO] = "SHM_INFO, &buffer",
	};
	if (op->kind == OP_CONTROL)
		fprintf(file, "shmctl(shared->id[%d], %d, &buffer)", (int)op->arg[0],
		        (int)op->arg[1]);
	else if (op->kind == OP_INFO_NULL)
		fprintf(file, "shmctl(0, %s, NULL)", op->arg[0] == 0 ? "IPC_INFO" : "SHM_INFO");
	else if (simple[op->kind] == NULL)
		fprintf(file, "0 /* %s */", op_forms[op->kind].name);
	else if (op_slot(op) >= 0)
		fprintf(file, "shmctl(shared->id[%d], %s)", (int)op->arg[0], simple[op->kind]);
	else
		fprintf(file, "shmctl(%d, %s)", (int)op->arg[0], simple[op->kind]);
}

static void call_print(FILE *file, const struct op *op)
{
	static const char *const user_arguments[USERS] = {
		"0, 0, 0",         "12401, 12401, 0",     "12402, 12402, 0",
		"12403, 12401, 0", "12404, 12404, 12401", "0, 12401, 0"
	};
	const int64_t *arg = op->arg;
	char text[64];
	switch ((enum op_kind)op->kind) {
	case OP_GET:
		fprintf(file, "get(%d, %d, (size_t)%lldLL, 0%llo)", (int)arg[0],
		        arg[1] == 0 ? 0 : 0x6d000000 + (int)arg[1], (long long)arg[2],
		        (unsigned long long)arg[3]);
		break;
	case OP_ATTACH:
		attach_print(file, op, text, sizeof(text));
		break;
	case OP_DETACH:
		fprintf(file, "shmdt(%s)", address(text, sizeof(text), arg[0], 0, arg[1]));
		break;
	case OP_SET:
		fprintf(file, "set(shared->id[%d], %d, %d, 0%llo)", (int)arg[0], (int)arg[1],
		        (int)arg[2], (unsigned long long)arg[3]);
		break;
	case OP_USER:
		fprintf(file, "user(%s)",
		        user_arguments[arg[0] >= 0 && arg[0] < USERS ? arg[0] : 0]);
		break;
	case OP_CLOSEFROM:
		fprintf(file, "syscall(SYS_close_range, 3U, ~0U, 0U)");
		break;
	case OP_NAP:
		fprintf(file, "sleep(2)");
		break;
	case OP_WRITE:
	case OP_READ:
	case OP_UNMAP:
	case OP_MAP:
	case OP_REMAP:
	case OP_PROTECT:
		memory_print(file, op, text, sizeof(text));
		break;
	default:
		control_print(file, op);
		break;
	}
}

/* Who is there, so that no step is waited for that nobody takes. */
struct cast {
	bool there[ACTORS + 1];
};

static bool step_print(FILE *file, struct cast *cast, const struct op *op, int number)
{
	int other = (int)op->arg[0];
	bool known = other >= 0 && other < ACTORS;
	if (!cast->there[op->actor])
		return false;
	switch ((enum op_kind)op->kind) {
	case OP_START:
	case OP_FORK:
	case OP_VFORK:
		if (!known || cast->there[other])
			return false;
		cast->there[other] = true;
		fprintf(file, "\t%s(%d, %d, %d);\n", op->kind == OP_VFORK ? "VFORK" : "FORK",
		        number, op->actor, other);
		return true;
	case OP_EXEC:
		fprintf(file, "\tEXEC(%d, %d);\n", number, op->actor);
		return true;
	case OP_EXIT:
		cast->there[op->actor] = false;
		fprintf(file, "\tEXIT(%d, %d);\n", number, op->actor);
		return true;
	case OP_KILL:
		if (!known || !cast->there[other])
			return false;
		cast->there[other] = false;
		fprintf(file, "\tKILL(%d, %d, %d);\n", number, op->actor, other);
		return true;
	default:
		fprintf(file, "\tSTEP(%d, %d, ", number, op->actor);
		call_print(file, op);
		fprintf(file, ");\n");
		return true;
	}
}

void program_print_c(FILE *file, const struct program *program)
{
	struct cast cast = { .there = { [CONDUCTOR] = true } };
	int number = 0;
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		fprintf(file, "%s\n", head[i]);
	for (size_t i = 0; i < program->count; i++)
		number += step_print(file, &cast, &program->ops[i], number);
	fprintf(file,
	        "\t/* Nobody leaves before the last step. */\n"
	        "\twhile (shared->step < %d)\n\t\tusleep(100);\n"
	        "\tif (me == 6)\n\t\tunlink(file);\n\treturn 0;\n}\n",
	        number);
}
