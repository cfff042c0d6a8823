/* SPDX-License-Identifier: MIT */
/*
 * heard.c - takes heartbeats apart. They come from the network: whatever is not exactly a heartbeat
 * is refused as a whole.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bridge.h"
#include "watch/beat.h"
#include "watch/elsewhere.h"
#include "watch/heard.h"

enum { CLAIM_SAID_MS = 10000 };

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

static bool take_instance(struct text *line, char ret[INSTANCE_ROOM])
{
	struct text word;

	if (!next_word(line, &word) || word.end - word.at != INSTANCE_ROOM - 1)
		return false;
	for (int i = 0; i < INSTANCE_ROOM - 1; i++)
		if (!strchr("0123456789abcdef", word.at[i]) || !word.at[i])
			return false;
	memcpy(ret, word.at, INSTANCE_ROOM - 1);
	ret[INSTANCE_ROOM - 1] = '\0';
	return true;
}

static bool take_head(struct heard *ret, struct text line)
{
	struct text word;

	if (!next_word(&line, &word) || !is_word(&word, "madang-bridge") ||
	    !next_word(&line, &word) || !is_word(&word, "1") ||
	    !take_instance(&line, ret->instance))
		return false;
	if (line.at == line.end)
		return true;
	if (!next_word(&line, &word))
		return false;
	if (is_word(&word, "bye")) {
		ret->word = HEARD_BYE;
	} else if (is_word(&word, "alive")) {
		ret->word = HEARD_ALIVE;
	} else if (is_word(&word, "taken") && take_instance(&line, ret->other) &&
	           next_number(&line, INT64_MAX, &ret->age)) {
		ret->word = HEARD_TAKEN;
	} else {
		return false;
	}
	return line.at == line.end;
}

bool heard_parse(struct heard *ret, const char *text, size_t length)
{
	struct text all = { text, text + length }, line;
	size_t lines = 0;

	*ret = (struct heard){ .word = HEARD_CHANNELS };
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	if (lines == 0 || lines > BEAT_CHANNELS_MAX + 1 || text[length - 1] != '\n')
		return false;
	if (!next_line(&all, &line) || !take_head(ret, line))
		return false;
	if (lines == 1)
		return true;
	if (ret->word != HEARD_CHANNELS)
		return false;
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

/* Whether we are the one who was there first: of two, exactly one finds so. */
static bool was_first(const struct bridge *bridge, const struct heard *other)
{
	uint64_t age = (uint64_t)(bridge_now() - bridge->began);

	return age != other->age ? age > other->age : strcmp(bridge->instance, other->instance) < 0;
}

static void give_way(struct bridge *bridge)
{
	log_event(LOG_ERROR, "name-taken",
	          "host=\"%s\" advice=\"a bridge of this group has had this name for longer: give "
	          "each host its own with --host\"",
	          bridge->options->host);
	atomic_store(&bridge->refused, BRIDGE_OTHER);
	bridge_wake(bridge);
}

/* In the thread of heartbeats alone. */
static void claim(struct bridge *bridge, const struct heard *other)
{
	static int64_t said;
	char word[INSTANCE_ROOM + 48];
	int64_t now = bridge_now();

	(void)snprintf(word, sizeof word, "taken %s %" PRIu64, other->instance,
	               (uint64_t)(now - bridge->began));
	beat_word(bridge, word);
	if (said && now - said < CLAIM_SAID_MS)
		return;
	said = now;
	log_event(LOG_WARN, "name-claimed",
	          "host=\"%s\" why=\"another bridge of this group says that it has this name\"",
	          bridge->options->host);
}

void heard_own(struct bridge *bridge, const char *text, size_t length)
{
	struct heard heard;

	if (!heard_parse(&heard, text, length))
		return;
	if (strcmp(heard.instance, bridge->instance) != 0) {
		if (heard.word == HEARD_CHANNELS || heard.word == HEARD_ALIVE)
			claim(bridge, &heard);
		else if (heard.word == HEARD_TAKEN && strcmp(heard.other, bridge->instance) == 0 &&
		         !was_first(bridge, &heard))
			give_way(bridge);
	}
	free(heard.channels);
}
