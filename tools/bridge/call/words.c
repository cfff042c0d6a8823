/* SPDX-License-Identifier: MIT */
/*
 * words.c - subjects of calls: what is said about a request, to whom.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call/parts.h"

static const char *const words[] = { "",     "taken", "reply", "died",    "refused",
	                             "busy", "large", "how",   "given-up" };

/* Up to 16 digits of a number in base 16, small letters. Returns what is behind, or NULL. */
static const char *read_number(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	unsigned digits = 0;
	for (; digits <= 16; digits++) {
		char c = text[digits];
		if (c >= '0' && c <= '9')
			number = number << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			number = number << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (digits == 0 || digits > 16)
		return NULL;
	*ret_number = number;
	return text + digits;
}

bool call_parse(const char *inbox, const char *subject, uint64_t *ret_number,
                enum call_word *ret_word)
{
	size_t length = strlen(inbox);
	uint64_t number = 0;
	if (strncmp(subject, inbox, length) != 0 || subject[length] != '.')
		return false;
	const char *rest = read_number(subject + length + 1, &number);
	if (rest == NULL || (*rest != '\0' && *rest != '.'))
		return false;
	const char *word = *rest == '.' ? rest + 1 : rest;
	unsigned which = 0;
	while (which < CALL_UNKNOWN && strcmp(words[which], word) != 0)
		which++;
	*ret_number = number;
	*ret_word = (enum call_word)which;
	return true;
}

bool call_may_answer(const struct call_setup *setup, const char *reply)
{
	/* The word has to fit behind it. */
	return reply != NULL && strlen(reply) < CALL_SUBJECT_MAX - 16 &&
	       strncmp(reply, setup->inboxes, strlen(setup->inboxes)) == 0 &&
	       strpbrk(reply, "*> \t\r\n") == NULL;
}

natsStatus call_say(const struct call_setup *setup, const char *to, enum call_word word,
                    const char *reply, const void *data, size_t size)
{
	char subject[CALL_SUBJECT_MAX];
	(void)snprintf(subject, sizeof subject, "%s.%s", to, words[word]);
	return reply != NULL ? natsConnection_PublishRequest(setup->connection, subject, reply,
	                                                     data, (int)size)
	                     : natsConnection_Publish(setup->connection, subject, data, (int)size);
}
