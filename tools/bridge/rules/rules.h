/* SPDX-License-Identifier: MIT */
/*
 * rules.h - which channels may cross, and in which direction.
 *
 * A file of rules has a rule in each line:
 *
 *     # VERB  DIRECTION  PATTERN
 *     deny    both       secret.*
 *     allow   out        news
 *     allow   in         "prices of *"
 *
 * The first rule decides whose direction and pattern fit. If none fits, the channel does not cross.
 * In a pattern, `*` stands for any bytes, also none, and `?` for one byte. A backslash takes the
 * meaning away from the byte behind it. A pattern with blanks, or with `#` in it, stands in
 * quotation marks. A `#` at the beginning of a word begins a comment.
 *
 * `--channel NAME` is the rule `allow DIRECTION NAME`, before those of the file.
 */
#ifndef BRIDGE_RULES_RULES_H
#define BRIDGE_RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status/layout.h"

struct rules;

/* What went wrong, on what, and what to do. */
struct rules_words {
	char wrong[512]; /* "FILE:3:7: ..." */
	char advice[256];
};

/* Where rules come from; it is kept for the time when they are read again. */
struct rules_source {
	const char *const *channels; /* of --channel */
	size_t channel_count;
	unsigned directions; /* of --direction: bits 1u << enum bridge_direction */
	const char *file;    /* of --rules; or NULL */
};

/* Makes rules anew. 0; or 1, with words, and *ret as it was: so a mistake in a file that is read
 * again leaves the old rules in force. */
int rules_make(struct rules **ret, const struct rules_source *source, struct rules_words *words);
/* The same from text; `name` is what messages call it. For rules_make, tests and the fuzzer. */
int rules_parse(struct rules **ret, const char *name, const char *text, size_t length,
                struct rules_words *words);
void rules_free(struct rules *rules);

bool rules_allow(const struct rules *rules, const char *channel, enum bridge_direction direction);
/* Walks over the allowed names that are no patterns: such a channel may be made when another host
 * has it. *cursor is 0 at first. NULL: the end. */
const char *rules_next_name(const struct rules *rules, size_t *cursor);
/* How many there are. */
size_t rules_count(const struct rules *rules);

/* "both", "out" or "in" as bits; 0: it is none of them. */
unsigned rules_directions(const char *word);

#endif
