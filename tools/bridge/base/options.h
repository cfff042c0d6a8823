/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line of the bridge.
 */
#ifndef BRIDGE_BASE_OPTIONS_H
#define BRIDGE_BASE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "link/security.h"
#include "rules/rules.h"

/* How the bridge ends. */
enum bridge_exit {
	BRIDGE_OK = 0,
	BRIDGE_TROUBLE = 1,
	BRIDGE_USAGE = 2,
	BRIDGE_REFUSED = 3, /* the server knows us and says no */
	BRIDGE_OTHER = 4    /* another bridge runs here */
};

enum { OPTIONS_CHANNELS_MAX = 256, OPTIONS_GROUP_MAX = 32, OPTIONS_HOST_MAX = 63 };

/* A segment whose generations are carried. */
struct options_segment {
	const char *name;
	bool writes; /* this host wants to write it */
};
enum { OPTIONS_SEGMENTS_MAX = 64 };

struct options {
	struct security security; /* with the URL */
	const char *group;
	char host[OPTIONS_HOST_MAX + 1];
	const char *namespace_dir; /* NULL: the default */
	const char *channels[OPTIONS_CHANNELS_MAX];
	struct options_segment segments[OPTIONS_SEGMENTS_MAX];
	unsigned segment_count;
	uint64_t replica_most;     /* bytes of a segment that may be replicated here */
	struct rules_source rules; /* of --channel, --direction and --rules */
	bool has_direction;        /* --direction is there; it needs a --channel */
	int replicas;
	bool status, json, with_server;
	const char *store; /* of --with-server=DIR, or NULL */
};

/* Returns -1: go on; or an exit code: it has said why, or has done what was asked (--help). */
int options_parse(struct options *ret, int argc, char **argv);

#endif
