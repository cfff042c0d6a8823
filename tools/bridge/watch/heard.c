/* SPDX-License-Identifier: MIT */
/*
 * heard.c - takes heartbeats apart. They come from the network: whatever is not exactly a heartbeat
 * is refused as a whole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bridge.h"
#include "watch/elsewhere.h"
#include "watch/heard.h"

/* Text that is left, and the next of its lines and words. */
struct text {
	const char *at, *end;
};

static bool next_line(struct text *text, struct text *ret)
{
	const char *newline;

	if (text->at == text->end)
		return false;
	newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
	if (!newline)
		return false;
	*ret = (struct text){ text->at, newline };
	text->at = newline + 1;
	return true;
}

static bool next_word(struct text *line, struct text *ret)
{
	const char *blank;

	if (line->at >= line->end)
		return false;
	blank = memchr(line->at, ' ', (size_t)(line->end - line->at));
	*ret = (struct text){ line->at, blank ? blank : line->end };
	line->at = blank ? blank + 1 : line->end;
	return ret->at < ret->end;
}

bool heard_number(const char *text, size_t length, uint64_t *ret)
{
	uint64_t value = 0;

	if (length == 0 || length > 20)
		return false;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

static bool next_number(struct text *line, uint64_t most, uint64_t *ret)
{
	struct text word;

	return next_word(line, &word) && heard_number(word.at, (size_t)(word.end - word.at), ret) &&
	       *ret <= most;
}

static bool take_channel(struct heard_channel *ret, struct text line)
{
	struct text token;
	char name[MDG_NAME_MAX + 1];
	uint64_t kind, talkers, listeners, directions;
	size_t length;

	if (!next_word(&line, &token))
		return false;
	length = (size_t)(token.end - token.at);
	if (token_name(name, sizeof name, token.at, length) != 0)
		return false;
	if (!next_number(&line, MDG_CALL, &kind) || kind < MDG_STREAM ||
	    !next_number(&line, MDG_PEERS_MAX, &talkers) ||
	    !next_number(&line, MDG_PEERS_MAX, &listeners) ||
	    !next_number(&line, BEAT_OUT | BEAT_IN, &directions) ||
	    !next_number(&line, UINT64_MAX, &ret->position) || line.at != line.end)
		return false;
	memcpy(ret->token, token.at, length);
	ret->token[length] = '\0';
	ret->kind = (uint32_t)kind;
	ret->talkers = (unsigned)talkers;
	ret->listeners = (unsigned)listeners;
	ret->directions = (unsigned)directions;
	return true;
}

static bool is_word(const struct text *word, const char *is)
{
	return strlen(is) == (size_t)(word->end - word->at) &&
	       memcmp(word->at, is, strlen(is)) == 0;
}

static bool take_head(struct heard *ret, struct text line)
{
	struct text word;

	if (!next_word(&line, &word) || !is_word(&word, "madang-bridge") ||
	    !next_word(&line, &word) || !is_word(&word, "1") || !next_word(&line, &word) ||
	    word.end - word.at != INSTANCE_ROOM - 1)
		return false;
	for (int i = 0; i < INSTANCE_ROOM - 1; i++)
		if (!strchr("0123456789abcdef", word.at[i]) || !word.at[i])
			return false;
	memcpy(ret->instance, word.at, INSTANCE_ROOM - 1);
	ret->instance[INSTANCE_ROOM - 1] = '\0';
	if (next_word(&line, &word)) {
		ret->bye = is_word(&word, "bye");
		return ret->bye && line.at == line.end;
	}
	return true;
}

bool heard_parse(struct heard *ret, const char *text, size_t length)
{
	struct text all = { text, text + length }, line;
	size_t lines = 0;

	*ret = (struct heard){ .bye = false };
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	if (lines == 0 || lines > BEAT_CHANNELS_MAX + 1 || text[length - 1] != '\n')
		return false;
	if (!next_line(&all, &line) || !take_head(ret, line))
		return false;
	if (lines == 1)
		return true;
	ret->channels = calloc(lines - 1, sizeof ret->channels[0]);
	while (ret->channels && next_line(&all, &line)) {
		if (!take_channel(&ret->channels[ret->count], line)) {
			free(ret->channels);
			ret->channels = NULL;
			return false;
		}
		ret->count++;
	}
	return ret->channels != NULL;
}

void heard_own(struct bridge *bridge, const char *text, size_t length)
{
	struct heard heard;

	if (!heard_parse(&heard, text, length))
		return;
	if (strcmp(heard.instance, bridge->instance) != 0)
		log_event(LOG_ERROR, "name-taken",
		          "host=%s advice: another bridge of this group has the same name; give "
		          "each its own with --host",
		          bridge->options->host);
	free(heard.channels);
}
