/* SPDX-License-Identifier: MIT */
/*
 * rules.c - reads rules from options and from a file, and asks them.
 *
 * Each mistake is said with line and column. All rules are made before the first is in force.
 */
#include "rules/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/pattern.h"

enum { PATTERN_ROOM = 2 * BRIDGE_WORD_ROOM, FILE_MOST = 1 << 20, BOTH = 3 };

struct rule {
	bool allow;
	unsigned directions;
	char pattern[PATTERN_ROOM];
	char name[PATTERN_ROOM]; /* of one that is no pattern; "" */
};

struct rules {
	struct rule *list;
	size_t count;
};

/* A place in a text, and what is said about it. */
struct reader {
	const char *name, *text;
	size_t length, at;
	unsigned line;
	size_t line_begins;
	struct rules_words *words;
};

struct word {
	char text[PATTERN_ROOM];
	size_t at; /* where it begins */
	bool is_quoted;
};

/* ---- what is wrong ----------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int wrong(struct reader *reader, size_t at,
                                                       const char *format, ...)
{
	char *to = reader->words->wrong;
	size_t size = sizeof reader->words->wrong;
	int length = snprintf(to, size, "%.200s:%u:%zu: ", reader->name, reader->line,
	                      at - reader->line_begins + 1);
	va_list list;

	va_start(list, format);
	if (length > 0 && (size_t)length < size)
		(void)vsnprintf(to + length, size - (size_t)length, format, list);
	va_end(list);
	return 1;
}

static void advise(struct reader *reader, const char *text)
{
	snprintf(reader->words->advice, sizeof reader->words->advice, "%s", text);
}

/* A word in a message: what a terminal would obey becomes '?'. */
static const char *shown(const struct word *word)
{
	static _Thread_local char room[64];
	size_t i;

	for (i = 0; i + 4 < sizeof room && word->text[i] != '\0'; i++)
		if (word->text[i] < ' ' || word->text[i] > '~')
			room[i] = '?';
		else
			room[i] = word->text[i];
	strcpy(room + i, word->text[i] != '\0' ? "..." : "");
	return room;
}

/* ---- words ------------------------------------------------------------- */

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool is_at_end(const struct reader *reader)
{
	return reader->at == reader->length || reader->text[reader->at] == '\n';
}

static void skip_blanks(struct reader *reader)
{
	while (!is_at_end(reader) && is_blank(reader->text[reader->at]))
		reader->at++;
	if (!is_at_end(reader) && reader->text[reader->at] == '#')
		while (!is_at_end(reader))
			reader->at++;
}

/* 1: it has a word; 0: the line ends; -1: said. */
static int read_word(struct reader *reader, struct word *ret)
{
	size_t length = 0;

	memset(ret, 0, sizeof *ret);
	skip_blanks(reader);
	ret->at = reader->at;
	if (is_at_end(reader))
		return 0;
	if (reader->text[reader->at] == '"') {
		ret->is_quoted = true;
		reader->at++;
	}
	for (; !is_at_end(reader); reader->at++) {
		char byte = reader->text[reader->at];
		bool quotes = byte == '\\' && reader->at + 1 < reader->length &&
		              reader->text[reader->at + 1] != '\n';
		if (ret->is_quoted ? byte == '"' : is_blank(byte))
			break;
		if (byte == '\0' || length + 3 > sizeof ret->text) {
			(void)(byte == '\0' ? wrong(reader, reader->at, "a zero byte; is it text?")
			                    : wrong(reader, ret->at, "this word is too long"));
			return -1;
		}
		ret->text[length++] = byte;
		if (quotes)
			ret->text[length++] = reader->text[++reader->at];
	}
	if (!ret->is_quoted)
		return 1;
	if (is_at_end(reader)) {
		wrong(reader, ret->at, "the quotation mark is not closed in this line");
		return -1;
	}
	reader->at++;
	if (!is_at_end(reader) && !is_blank(reader->text[reader->at])) {
		wrong(reader, reader->at, "after a quotation mark there has to be a blank");
		return -1;
	}
	return 1;
}

unsigned rules_directions(const char *word)
{
	if (strcmp(word, "both") == 0)
		return BOTH;
	if (strcmp(word, "out") == 0)
		return 1u << BRIDGE_OUT;
	return strcmp(word, "in") == 0 ? 1u << BRIDGE_IN : 0;
}

/* ---- rules ------------------------------------------------------------- */

static int add(struct rules *rules, const struct rule *rule, struct rules_words *words)
{
	struct rule *more = realloc(rules->list, (rules->count + 1) * sizeof *more);

	if (more == NULL) {
		snprintf(words->wrong, sizeof words->wrong, "no memory for the rules");
		return 1;
	}
	rules->list = more;
	more[rules->count] = *rule;
	struct rule *own = &more[rules->count++];
	own->name[0] = '\0';
	if (!pattern_is_pattern(own->pattern)) {
		memcpy(own->name, own->pattern, sizeof own->name);
		pattern_to_name(own->name);
	}
	return 0;
}

static int check_pattern(struct reader *reader, const struct word *word)
{
	char name[PATTERN_ROOM];

	if (word->text[0] == '\0')
		return wrong(reader, word->at, "the pattern is empty");
	memcpy(name, word->text, sizeof name);
	if (!pattern_is_pattern(name)) {
		pattern_to_name(name);
		if (strlen(name) > MDG_NAME_MAX)
			return wrong(reader, word->at,
			             "no channel fits: a name has at most %u bytes", MDG_NAME_MAX);
	}
	return 0;
}

static int read_verb(struct reader *reader, const struct word *word, struct rule *rule)
{
	rule->allow = strcmp(word->text, "allow") == 0;
	if (rule->allow || strcmp(word->text, "deny") == 0)
		return 0;
	advise(reader, "A rule is 'allow' or 'deny', 'out', 'in' or 'both', and a pattern: "
	               "allow out news");
	return wrong(reader, word->at, "a rule begins with 'allow' or 'deny', not with '%s'",
	             shown(word));
}

/* 1: a rule; 0: an empty line; -1: said. */
static int read_rule(struct reader *reader, struct rule *rule)
{
	struct word word;
	int rc = read_word(reader, &word);

	memset(rule, 0, sizeof *rule);
	if (rc <= 0)
		return rc;
	if (read_verb(reader, &word, rule) != 0)
		return -1;
	rc = read_word(reader, &word);
	if (rc < 0)
		return -1;
	rule->directions = rc > 0 ? rules_directions(word.text) : 0;
	if (rule->directions == 0) {
		advise(reader, "'out' is from this host to others, 'in' from others to this host.");
		if (rc == 0)
			wrong(reader, word.at, "the direction is missing: 'out', 'in' or 'both'");
		else
			wrong(reader, word.at, "a direction is 'out', 'in' or 'both', not '%s'",
			      shown(&word));
		return -1;
	}
	rc = read_word(reader, &word);
	if (rc == 0)
		wrong(reader, word.at, "the pattern is missing; '*' means all channels");
	if (rc <= 0 || check_pattern(reader, &word) != 0)
		return -1;
	memcpy(rule->pattern, word.text, sizeof rule->pattern);
	rc = read_word(reader, &word);
	if (rc > 0) {
		advise(reader, "A name with blanks stands in quotation marks.");
		wrong(reader, word.at, "the rule is complete before '%s'", shown(&word));
	}
	return rc != 0 ? -1 : 1;
}

static int read_rules(struct rules *rules, struct reader *reader)
{
	struct rule rule;

	for (;;) {
		int rc = read_rule(reader, &rule);
		if (rc < 0 || (rc > 0 && add(rules, &rule, reader->words) != 0))
			return 1;
		if (reader->at == reader->length)
			return 0;
		reader->line_begins = ++reader->at; /* behind the line's end */
		reader->line++;
	}
}

int rules_parse(struct rules **ret, const char *name, const char *text, size_t length,
                struct rules_words *words)
{
	struct rules *rules = calloc(1, sizeof *rules);

	memset(words, 0, sizeof *words);
	struct reader reader = { name, text, length, 0, 1, 0, words };

	if (rules == NULL)
		return 1;
	if (read_rules(rules, &reader) != 0) {
		rules_free(rules);
		return 1;
	}
	*ret = rules;
	return 0;
}

void rules_free(struct rules *rules)
{
	if (rules != NULL)
		free(rules->list);
	free(rules);
}

/* ---- options and a file ------------------------------------------------- */

static int cannot_read(const char *file, int number, struct rules_words *words)
{
	snprintf(words->wrong, sizeof words->wrong, "cannot read the rules in %.300s: %s", file,
	         number == EFBIG ? "it is larger than 1 MiB" : strerror(number));
	words->advice[0] = '\0';
	return 1;
}

static int read_file(struct rules **ret, const char *file, struct rules_words *words)
{
	FILE *stream = fopen(file, "re");
	char *text = malloc(FILE_MOST + 1);
	int number = stream == NULL ? errno : ENOMEM, rc = 1;

	if (stream != NULL && text != NULL) {
		errno = 0;
		size_t length = fread(text, 1, FILE_MOST + 1, stream);
		number = ferror(stream)       ? (errno != 0 ? errno : EIO)
		         : length > FILE_MOST ? EFBIG
		                              : 0;
		if (number == 0)
			rc = rules_parse(ret, file, text, length, words);
	}
	if (number != 0)
		rc = cannot_read(file, number, words);
	if (stream != NULL)
		(void)fclose(stream);
	free(text);
	return rc;
}

static int add_channel(struct rules *rules, const struct rules_source *source, const char *channel,
                       struct rules_words *words)
{
	struct rule rule = { .allow = true, .directions = source->directions };
	struct reader reader = { "--channel", channel, strlen(channel), 0, 1, 0, words };
	struct word word = { .at = 0 };

	if (strlen(channel) + 3 > sizeof word.text)
		return wrong(&reader, 0, "a name has at most %u bytes", MDG_NAME_MAX);
	strcpy(word.text, channel);
	if (check_pattern(&reader, &word) != 0)
		return 1;
	strcpy(rule.pattern, channel);
	return add(rules, &rule, words);
}

int rules_make(struct rules **ret, const struct rules_source *source, struct rules_words *words)
{
	struct rules *rules = calloc(1, sizeof *rules), *more = NULL;
	int rc = rules == NULL;

	memset(words, 0, sizeof *words);
	for (size_t i = 0; rc == 0 && i < source->channel_count; i++)
		rc = add_channel(rules, source, source->channels[i], words);
	if (rc == 0 && source->file != NULL)
		rc = read_file(&more, source->file, words);
	for (size_t i = 0; rc == 0 && more != NULL && i < more->count; i++)
		rc = add(rules, &more->list[i], words);
	rules_free(more);
	if (rc != 0) {
		rules_free(rules);
		return rc;
	}
	*ret = rules;
	return 0;
}

/* ---- asking -------------------------------------------------------------- */

bool rules_allow(const struct rules *rules, const char *channel, enum bridge_direction direction)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->list[i];
		if ((rule->directions & 1u << direction) != 0 &&
		    pattern_fits(rule->pattern, channel))
			return rule->allow;
	}
	return false;
}

const char *rules_next_name(const struct rules *rules, size_t *cursor)
{
	while (*cursor < rules->count) {
		const struct rule *rule = &rules->list[(*cursor)++];
		if (rule->allow && rule->name[0] != '\0')
			return rule->name;
	}
	return NULL;
}

size_t rules_count(const struct rules *rules)
{
	return rules->count;
}
