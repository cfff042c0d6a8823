/* SPDX-License-Identifier: MIT */
/*
 * unit.h - what the tests of the native interface share: namespaces of their own.
 *
 * They run under enclose, whose directory (the one that MADANG_NAMESPACE lies
 * in) is on a memory file system and is removed with all that is in it.
 */
#ifndef MADANG_TESTS_UNIT_H
#define MADANG_TESTS_UNIT_H

#include "support/check.h"
#include "support/code.h"

#include <stdint.h>

#include "madang/segment.h"

enum { UNIT_PATH = 512 };

/* A path beside the namespace that enclose chose. */
static inline const char *unit_path(char path[UNIT_PATH], const char *name)
{
	const char *given = getenv("MADANG_NAMESPACE");
	if (given == NULL || strlen(given) + strlen(name) + 2 > UNIT_PATH) {
		fprintf(stderr, "run this with enclose\n");
		exit(1);
	}
	strcpy(path, given);
	char *slash = strrchr(path, '/');
	snprintf(slash + 1, UNIT_PATH - (size_t)(slash + 1 - path), "%s", name);
	return path;
}

static inline struct mdg_namespace_options unit_options(uint32_t flags)
{
	return (struct mdg_namespace_options){ .size = sizeof(struct mdg_namespace_options),
		                               .flags = flags };
}

/* A namespace of that name; it has to open. */
static inline mdg_namespace *unit_open(const char *name,
                                       const struct mdg_namespace_options *options)
{
	char path[UNIT_PATH];
	mdg_namespace *ns = NULL;
	int rc = mdg_namespace_open(&ns, unit_path(path, name), options);
	if (rc != 0) {
		fprintf(stderr, "%s: %s\n", path, mdg_strerror(rc));
		exit(1);
	}
	return ns;
}

static inline struct mdg_segment_info unit_stat(mdg_namespace *ns, mdg_id id)
{
	struct mdg_segment_info info;
	memset(&info, 0xa5, sizeof info);
	info.size = sizeof info;
	CHECK_RC(0, mdg_segment_stat(ns, id, 0, &info));
	return info;
}

static inline int unit_found(const struct mdg_finding *finding, void *context)
{
	CHECK(finding->size == sizeof *finding);
	if (finding->kind == MDG_FOUND_DEAD_SLOT)
		return 0; /* nobody has had a reason to notice yet */
	fprintf(stderr, "%s\n", finding->text);
	++*(int *)context;
	return 0;
}

/* Nothing is wrong with the registry and its files. */
static inline bool unit_is_sound(mdg_namespace *ns)
{
	int count = 0;
	int rc = mdg_namespace_check(ns, 0, unit_found, &count);
	return CHECK(rc >= 0 && count == 0);
}

/* Numbers that look random and are the same in every run. */
static inline uint32_t unit_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

#endif
