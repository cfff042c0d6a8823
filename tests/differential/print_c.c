/* SPDX-License-Identifier: MIT */
/*
 * print_c.c - a program of steps as a C program that needs nothing of this
 * directory: for a look at what goes wrong, with a debugger or strace.
 *
 * It prints every result, and every segment after every step, in words that do
 * not depend on the run, so that two outputs can be compared with diff. All its
 * processes run through the same main(); each takes only the steps that are its
 * own, and waits for the others. If a call sleeps, the others go on after a while.
 * Deaths are waited for by pid, not by the parent, so zombies are not shown; steps
 * that the run would refuse are not left out.
 */
#include "differential/program.h"

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

static void number_print(FILE *file, char kind, int64_t value)
{
	if (kind == 'o' && value > 0)
		fprintf(file, "0%llo", (unsigned long long)value);
	else
		fprintf(file, "%lld%s", (long long)value, value == (int)value ? "" : "LL");
}

/* The text of ops.def with the arguments. */
static void in_c_print(FILE *file, const struct op *op)
{
	for (const char *c = op_forms[op->kind].in_c; *c != '\0'; c++) {
		if (*c != '%') {
			fputc(*c, file);
		} else if (*++c != 'p') {
			number_print(file, op_forms[op->kind].arg[*c - '0'].kind,
			             op->arg[*c - '0']);
		} else {
			for (int i = op->kind == OP_SEM_MANY ? 3 : 2;
			     i < OP_ARGS && SEM_IS_THERE(op->arg[i]); i++)
				fprintf(file, "{ %d, %d, 0%o }, ", SEM_NUMBER(op->arg[i]),
				        SEM_CHANGE(op->arg[i]), (unsigned)SEM_FLAGS(op->arg[i]));
		}
	}
}

static void signal_print(FILE *file, const struct op *op)
{
	static const char *const signals[] = { "SIGUSR1", "SIGUSR2", "SIGURG", "SIGALRM" };
	fprintf(file, "kill(shared->pid[%d], %s)", (int)op->arg[0],
	        signals[op->arg[1] >= 0 && op->arg[1] < 4 ? op->arg[1] : 0]);
}

static void call_print(FILE *file, const struct op *op)
{
	static const char *const user_arguments[USERS] = {
		"0, 0, 0",         "12401, 12401, 0",     "12402, 12402, 0",
		"12403, 12401, 0", "12404, 12404, 12401", "0, 12401, 0"
	};
	const int64_t *arg = op->arg;
	char text[64];
	if (op_forms[op->kind].in_c != NULL) {
		in_c_print(file, op);
		return;
	}
	switch ((enum op_kind)op->kind) {
	case OP_SIGNAL:
		signal_print(file, op);
		break;
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

static bool may_sleep(int kind)
{
	return kind == OP_SEM_OP || kind == OP_SEM_MANY || kind == OP_MSG_SEND ||
	       kind == OP_MSG_RECEIVE;
}

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
		fprintf(file, "\t%s(%d, %d, ", may_sleep(op->kind) ? "SLEEP" : "STEP", number,
		        op->actor);
		call_print(file, op);
		fprintf(file, ");\n");
		return true;
	}
}

void program_print_c(FILE *file, const struct program *program)
{
	struct cast cast = { .there = { [CONDUCTOR] = true } };
	int number = 0;
	for (size_t i = 0; c_head[i] != NULL; i++)
		fprintf(file, "%s\n", c_head[i]);
	for (size_t i = 0; i < program->count; i++)
		number += step_print(file, &cast, &program->ops[i], number);
	fprintf(file,
	        "\t/* Nobody leaves before the last step. */\n"
	        "\twhile (shared->step < %d)\n\t\tusleep(100);\n"
	        "\tif (me == 6)\n\t\tunlink(file);\n\treturn 0;\n}\n",
	        number);
}
