/* SPDX-License-Identifier: MIT */
/*
 * environment.c - what the environment of each program has to hold, and how it is put in again.
 *
 *     LD_PRELOAD        has to hold the libraries that `madang run --strict` named
 *     MADANG_STRICT     names these libraries
 *     MADANG_NAMESPACE  has to be there; a value other than ours is left alone, because
 *                       somebody has chosen it
 *     MADANG_LOG        the same, if it was there
 *
 * The values are copied when the library is loaded, because some programs write over their
 * environment to change what ps shows. Other libraries in LD_PRELOAD stay before ours, because some
 * have to be first.
 */
#include "strict/strict.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRICT    "MADANG_STRICT="
#define NAMESPACE "MADANG_NAMESPACE="
#define LOG       "MADANG_LOG="
#define PRELOAD   "LD_PRELOAD="

/* "NAME=value", as in an environment. "": the variable was not there, or it is too long. */
static char strict[sizeof STRICT + 2600];
static char namespace[sizeof NAMESPACE + 1024];
static char log_wish[sizeof LOG + 4096];

static void keep(char *room, size_t size, const char *name)
{
	const char *value;

	memcpy(room, name, strlen(name) + 1);
	room[strlen(name) - 1] = '\0'; /* without the '=' for a moment */
	value = getenv(room);
	room[strlen(name) - 1] = '=';
	if (value == NULL || strlen(name) + strlen(value) >= size)
		room[0] = '\0';
	else
		memcpy(room + strlen(name), value, strlen(value) + 1);
}

__attribute__((constructor)) static void keep_all(void)
{
	keep(strict, sizeof strict, STRICT);
	keep(namespace, sizeof namespace, NAMESPACE);
	keep(log_wish, sizeof log_wish, LOG);
}

const char *mdg__strict_entries(void)
{
	return strict[0] != '\0' ? strict + strlen(STRICT) : "";
}

const char *mdg__strict_sysv(void)
{
	const char *entries = mdg__strict_entries(), *colon = strrchr(entries, ':');
	return colon != NULL ? colon + 1 : entries;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Whether a list like that in LD_PRELOAD holds this entry. */
static bool holds(const char *list, const char *entry, size_t length)
{
	while (list[0] != '\0') {
		size_t here = strcspn(list, " :");
		if (here == length && strncmp(list, entry, length) == 0)
			return true;
		list += here + (list[here] != '\0');
	}
	return false;
}

/* The next of our entries, from *at on, that the list does not hold. NULL: it holds the rest. */
static const char *next_missing(const char **at, size_t *ret_length, const char *list)
{
	while ((*at)[0] != '\0') {
		const char *entry = *at;
		size_t length = strcspn(entry, ":");
		*at += length + (entry[length] != '\0');
		if (list == NULL || !holds(list, entry, length)) {
			*ret_length = length;
			return entry;
		}
	}
	return NULL;
}

bool mdg__kept_measure(struct mdg__kept *ret_kept, char *const environment[])
{
	struct mdg__kept kept = { 0 };
	const char *at = mdg__strict_entries();
	size_t length;

	for (; environment != NULL && environment[kept.count] != NULL; kept.count++) {
		const char *entry = environment[kept.count];
		/* If a variable is there twice, the loader takes the last one and getenv takes the
		 * first. */
		if (begins(entry, PRELOAD))
			kept.preload = entry + strlen(PRELOAD);
		kept.has_strict = kept.has_strict || begins(entry, STRICT);
		kept.has_namespace = kept.has_namespace || begins(entry, NAMESPACE);
		kept.has_log = kept.has_log || begins(entry, LOG);
	}
	kept.has_namespace = kept.has_namespace || namespace[0] == '\0';
	kept.has_log = kept.has_log || log_wish[0] == '\0';
	kept.has_preload = next_missing(&at, &length, kept.preload) == NULL;
	kept.size = (kept.count + 5) * sizeof(char *) + sizeof PRELOAD + strlen(strict) +
	            (kept.preload != NULL ? strlen(kept.preload) + 1 : 0);
	*ret_kept = kept;
	return strict[0] != '\0' &&
	       !(kept.has_strict && kept.has_namespace && kept.has_log && kept.has_preload);
}

/* "LD_PRELOAD=theirs:ours" */
static void write_preload(char *text, const char *theirs)
{
	const char *at = mdg__strict_entries(), *entry;
	size_t length = strlen(PRELOAD), more;

	memcpy(text, PRELOAD, length);
	if (theirs != NULL) {
		memcpy(text + length, theirs, strlen(theirs));
		length += strlen(theirs);
	}
	while ((entry = next_missing(&at, &more, theirs)) != NULL) {
		if (text[length - 1] != '=' && text[length - 1] != ':')
			text[length++] = ':';
		memcpy(text + length, entry, more);
		length += more;
	}
	text[length] = '\0';
}

char *const *mdg__kept_fill(const struct mdg__kept *kept, char *const environment[], void *memory)
{
	char **filled = memory;
	char *preload = (char *)memory + (kept->count + 5) * sizeof(char *);
	size_t count = 0;

	for (size_t i = 0; i < kept->count; i++)
		if (kept->has_preload || !begins(environment[i], PRELOAD))
			filled[count++] = environment[i];
	if (!kept->has_preload) {
		write_preload(preload, kept->preload);
		filled[count++] = preload;
	}
	if (!kept->has_strict)
		filled[count++] = strict;
	if (!kept->has_namespace)
		filled[count++] = namespace;
	if (!kept->has_log)
		filled[count++] = log_wish;
	filled[count] = NULL;
	return filled;
}

void mdg__strict_restore(void)
{
	struct mdg__kept kept;
	char *text;

	if (!mdg__kept_measure(&kept, environ))
		return;
	if (!kept.has_preload && (text = malloc(kept.size)) != NULL) {
		write_preload(text, kept.preload);
		(void)setenv("LD_PRELOAD", text + strlen(PRELOAD), 1);
		free(text);
	}
	if (!kept.has_strict)
		(void)setenv("MADANG_STRICT", mdg__strict_entries(), 1);
	if (!kept.has_namespace)
		(void)setenv("MADANG_NAMESPACE", namespace + strlen(NAMESPACE), 1);
	if (!kept.has_log)
		(void)setenv("MADANG_LOG", log_wish + strlen(LOG), 1);
}
