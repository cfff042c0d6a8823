/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - makes a program that shows a difference short: delta debugging over its list of steps,
 * then simpler arguments.
 *
 * A shorter program is taken if it still shows a difference of the same field after the same kind
 * of operation. It does not matter which step that is. Whatever comes after the difference is
 * removed first. The result is not the shortest program there is, but no single step can be removed
 * from it any more.
 */
#include "differential/pair.h"

#include <string.h>

struct shrinking {
	struct pair *pair;
	struct program *program;
	struct difference *difference;
};

static void cut_behind(struct program *program, const struct difference *difference)
{
	if (difference->step + 1U < program->count)
		program->count = difference->step + 1U;
}

/* Takes the candidate over when it shows the difference; frees it otherwise. */
static bool try_candidate(struct shrinking *s, struct program *candidate)
{
	struct difference found;
	if (candidate->count == 0 || !pair_run(s->pair, candidate, &found) ||
	    !difference_alike(&found, s->difference)) {
		program_free(candidate);
		return false;
	}
	cut_behind(candidate, &found);
	program_free(s->program);
	*s->program = *candidate;
	*s->difference = found;
	return true;
}

static bool try_without(struct shrinking *s, size_t from, size_t count)
{
	const struct program *program = s->program;
	struct program candidate = { .users = program->users, .watch = program->watch };
	for (size_t i = 0; i < program->count; i++)
		if (i < from || i >= from + count)
			program_add(&candidate, program->ops[i]);
	return try_candidate(s, &candidate);
}

/* One pass with pieces of this size, from the end, where later steps hang on earlier ones. */
static bool leave_out(struct shrinking *s, size_t piece)
{
	bool any = false;
	for (size_t end = s->program->count; end > 0;) {
		size_t from = end > piece ? end - piece : 0;
		if (try_without(s, from, end - from))
			any = true;
		end = from < s->program->count ? from : s->program->count;
	}
	return any;
}

static void simplify_arguments(struct shrinking *s)
{
	for (size_t i = 0; i < s->program->count; i++) {
		for (int a = 0; a < OP_ARGS; a++) {
			if (i >= s->program->count || s->program->ops[i].arg[a] == 0)
				continue;
			struct program candidate = program_copy(s->program);
			candidate.ops[i].arg[a] = 0;
			try_candidate(s, &candidate);
		}
	}
}

static void simplify_settings(struct shrinking *s)
{
	for (int watch = WATCHES - 1; watch >= 0; watch--) {
		struct program candidate = program_copy(s->program);
		candidate.watch = (enum watch)watch;
		if (try_candidate(s, &candidate))
			break;
	}
	if (s->program->users) {
		struct program candidate = program_copy(s->program);
		candidate.users = false;
		try_candidate(s, &candidate);
	}
}

void shrink(struct pair *pair, struct program *program, struct difference *difference)
{
	struct shrinking s = { pair, program, difference };
	cut_behind(program, difference);
	for (size_t piece = (program->count + 1) / 2; piece > 1; piece = (piece + 1) / 2) {
		leave_out(&s, piece);
		if (piece == 2)
			break;
	}
	while (leave_out(&s, 1))
		;
	simplify_settings(&s);
	simplify_arguments(&s);
	while (leave_out(&s, 1))
		;
}
