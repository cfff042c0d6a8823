/* SPDX-License-Identifier: MIT */
/*
 * hold.c - a process for the tool to look at: has segments attached, or made, until told to end.
 *
 *     hold DIR attach ID [TIMES]    attaches a segment
 *     hold DIR make NAME SIZE       makes one and attaches nothing
 *     hold DIR fill COUNT           makes COUNT segments of a page and ends
 *
 * Says "ready PID" on stdout, then waits for the end of its input. Exit 2: it could not.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "madang/segment.h"

static int attach(mdg_namespace *ns, mdg_id id, int times)
{
	void *memory;
	int rc = 0;

	for (int i = 0; i < times && rc == 0; i++)
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	return rc;
}

static int fill(mdg_namespace *ns, int count)
{
	mdg_id id;
	int rc = 0;

	for (int i = 0; i < count && rc == 0; i++)
		rc = mdg_segment_create(ns, NULL, 4096, 0600, MDG_NORESERVE, &id);
	return rc;
}

static int perform(mdg_namespace *ns, int argc, char **argv)
{
	mdg_id id;

	if (strcmp(argv[2], "attach") == 0)
		return attach(ns, (mdg_id)atoi(argv[3]), argc > 4 ? atoi(argv[4]) : 1);
	if (strcmp(argv[2], "fill") == 0)
		return fill(ns, atoi(argv[3]));
	return mdg_segment_create(ns, argv[3], argc > 4 ? (uint64_t)atoi(argv[4]) : 4096, 0600, 0,
	                          &id);
}

int main(int argc, char **argv)
{
	mdg_namespace *ns;
	char end;

	if (argc < 4)
		return 2;
	int rc = mdg_namespace_open(&ns, argv[1], NULL);
	if (rc == 0)
		rc = perform(ns, argc, argv);
	if (rc != 0) {
		fprintf(stderr, "hold: %s\n", mdg_strerror(rc));
		return 2;
	}
	if (strcmp(argv[2], "fill") == 0)
		return 0;
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
