/* SPDX-License-Identifier: MIT */
/*
 * program.c - programs as text: printing and reading. Nothing is run here.
 */
#include "differential/program.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_ARGS
#define ARG(name, kind) { name, kind },
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a list of initialisers */
#define OP(kind, name, args, in_c) [OP_##kind] = { name, { args{ NULL, 0 } }, in_c },
const struct op_form op_forms[OP_KINDS] = {
#include "differential/ops.def"
};
#undef OP
#undef ARG
#undef NO_ARGS

const char *const watch_names[WATCHES] = { "all", "touched", "none" };

static const char *const where_names[WHERE_END - WHERE_NULL] = { "null", "high", "wrap", "stack" };

/* ---- lists of steps ---------------------------------------------------- */

void program_add(struct program *program, struct op op)
{
	if (program->count == program->capacity) {
		program->capacity = program->capacity == 0 ? 256 : program->capacity * 2;
		struct op *grown = realloc(program->ops, program->capacity * sizeof(*grown));
		if (grown == NULL) {
			perror("differential: a program");
			exit(1);
		}
		program->ops = grown;
	}
	program->ops[program->count++] = op;
}

void program_free(struct program *program)
{
	free(program->ops);
	*program = (struct program){ 0 };
}

struct program program_copy(const struct program *program)
{
	struct program copy = { .users = program->users, .watch = program->watch };
	for (size_t i = 0; i < program->count; i++)
		program_add(&copy, program->ops[i]);
	return copy;
}

enum op_class op_class(int kind)
{
	if (kind < OP_NAP)
		return OF_LIFE;
	if (kind < OP_GET)
		return OF_ALL;
	return kind < OP_SEM_GET ? OF_SEGMENTS : kind < OP_MSG_GET ? OF_SETS : OF_QUEUES;
}

static int slots_of(char kind)
{
	return kind == 's' ? SLOTS : kind == 'S' ? SETS : kind == 'Q' ? QUEUES : 0;
}

int op_slot(const struct op *op)
{
	return slots_of(op_forms[op->kind].arg[0].kind) != 0 ? (int)op->arg[0] : -1;
}

int64_t sem_pack(int number, int change, int flags)
{
	return INT64_C(1) << 48 | (int64_t)(number & 0xffff) << 32 |
	       (int64_t)(change & 0xffff) << 16 | (flags & 0xffff);
}

/* ---- printing ------------------------------------------------------------ */

void where_print(char *text, size_t size, int64_t where)
{
	if (where < WHERE_PLACE)
		snprintf(text, size, "%d", (int)where);
	else if (where < WHERE_NULL)
		snprintf(text, size, "free%d", (int)where - WHERE_PLACE);
	else
		snprintf(text, size, "%s", where_names[where - WHERE_NULL]);
}

static void argument_print(char *text, size_t size, char kind, int64_t value)
{
	if (kind == 'w')
		where_print(text, size, value);
	else if (kind == 'p' && value == 0)
		snprintf(text, size, "-");
	else if (kind == 'p')
		snprintf(text, size, "%d:%d:0%o", SEM_NUMBER(value), SEM_CHANGE(value),
		         (unsigned)SEM_FLAGS(value));
	else if (kind == 'o' && value > 0)
		snprintf(text, size, "0%llo", (unsigned long long)value);
	else if (kind == 'x')
		snprintf(text, size, "0x%llx", (unsigned long long)value);
	else
		snprintf(text, size, "%lld", (long long)value);
}

void op_print(FILE *file, const struct op *op)
{
	const struct op_form *form = &op_forms[op->kind];
	if (op->actor == CONDUCTOR)
		fprintf(file, "c %s", form->name);
	else
		fprintf(file, "%u %s", op->actor, form->name);
	for (int i = 0; i < OP_ARGS && form->arg[i].name != NULL; i++) {
		char text[40];
		argument_print(text, sizeof(text), form->arg[i].kind, op->arg[i]);
		fprintf(file, " %s=%s", form->arg[i].name, text);
	}
	fputc('\n', file);
}

void program_print(FILE *file, const struct program *program)
{
	if (program->users)
		fprintf(file, "users\n");
	fprintf(file, "watch %s\n", watch_names[program->watch]);
	for (size_t i = 0; i < program->count; i++)
		op_print(file, &program->ops[i]);
}

/* ---- reading --------------------------------------------------------------- */

static bool number_read(const char *text, int64_t *value)
{
	char *end;
	errno = 0;
	*value =
		text[0] == '-' ? (int64_t)strtoll(text, &end, 0) : (int64_t)strtoull(text, &end, 0);
	return errno == 0 && end != text && *end == '\0';
}

static bool where_read(const char *text, int64_t *value)
{
	for (int i = 0; i < WHERE_END - WHERE_NULL; i++) {
		if (strcmp(text, where_names[i]) == 0) {
			*value = WHERE_NULL + i;
			return true;
		}
	}
	bool place = strncmp(text, "free", 4) == 0;
	if (!number_read(text + (place ? 4 : 0), value) || *value < 0 ||
	    *value >= (place ? PLACES : AREA_PAGES))
		return false;
	*value += place ? WHERE_PLACE : 0;
	return true;
}

static bool operation_read(const char *text, int64_t *value)
{
	int number, change, flags, end = 0;
	*value = 0;
	if (strcmp(text, "-") == 0)
		return true;
	if (sscanf(text, "%i:%i:%i%n", &number, &change, &flags, &end) != 3 || text[end] != '\0')
		return false;
	*value = sem_pack(number, change, flags);
	return true;
}

static bool argument_read(const struct op_form *form, int i, char *word, int64_t *value)
{
	char *text = strchr(word, '=');
	if (form->arg[i].name == NULL || text == NULL)
		return false;
	*text++ = '\0';
	if (strcmp(word, form->arg[i].name) != 0)
		return false;
	if (form->arg[i].kind == 'w')
		return where_read(text, value);
	if (form->arg[i].kind == 'p')
		return operation_read(text, value);
	if (!number_read(text, value))
		return false;
	int slots = slots_of(form->arg[i].kind);
	return slots == 0 || (*value >= 0 && *value < slots);
}

static bool kind_read(const char *name, struct op *op)
{
	for (int kind = 0; kind < OP_KINDS; kind++) {
		if (strcmp(op_forms[kind].name, name) == 0) {
			op->kind = (uint8_t)kind;
			return true;
		}
	}
	return false;
}

static bool actor_read(const char *name, struct op *op)
{
	bool conductor = strcmp(name, "c") == 0;
	if (!conductor && (name[0] < '0' || name[0] >= '0' + ACTORS || name[1] != '\0'))
		return false;
	op->actor = (uint8_t)(conductor ? CONDUCTOR : name[0] - '0');
	return true;
}

static bool setting_read(struct program *program, const char *name, const char *value)
{
	if (strcmp(name, "users") == 0 && value == NULL) {
		program->users = true;
		return true;
	}
	for (int i = 0; strcmp(name, "watch") == 0 && value != NULL && i < WATCHES; i++) {
		if (strcmp(value, watch_names[i]) == 0) {
			program->watch = (enum watch)i;
			return true;
		}
	}
	return false;
}

static bool line_read(struct program *program, char *line)
{
	char *rest = NULL;
	line[strcspn(line, "#\n")] = '\0';
	char *first = strtok_r(line, " \t", &rest);
	if (first == NULL)
		return true;
	char *second = strtok_r(NULL, " \t", &rest);
	struct op op = { 0 };
	if (!actor_read(first, &op))
		return setting_read(program, first, second);
	if (second == NULL || !kind_read(second, &op))
		return false;
	const struct op_form *form = &op_forms[op.kind];
	int count = 0;
	char *word;
	while ((word = strtok_r(NULL, " \t", &rest)) != NULL) {
		if (count == OP_ARGS || !argument_read(form, count, word, &op.arg[count]))
			return false;
		count++;
	}
	if (count < OP_ARGS && form->arg[count].name != NULL)
		return false;
	program_add(program, op);
	return program->count <= STEPS_MAX;
}

bool program_read(struct program *program, const char *path)
{
	char line[300];
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		fprintf(stderr, "differential: %s: %s\n", path, strerror(errno));
		return false;
	}
	*program = (struct program){ 0 };
	bool good = true;
	for (int number = 1; good && fgets(line, sizeof(line), file) != NULL; number++) {
		good = line_read(program, line);
		if (!good)
			fprintf(stderr, "differential: %s:%d: not a step of a program\n", path,
			        number);
	}
	fclose(file);
	return good;
}
