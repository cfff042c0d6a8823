/* SPDX-License-Identifier: MIT */
/*
 * repair.c - the lock was taken over from a process that died: what it had begun is set right.
 */
#include "semset/internal.h"

int mdg__semset_repair(void *context)
{
	struct mdg__semset_stay *stay = context;
	int rc = mdg__semset_map_used(stay);
	if (rc < 0)
		return rc;
	rc = mdg__journal_rollback(&stay->journal);
	if (mdg__load32(&stay->head->removed) != 0)
		return rc;
	mdg__serve_again(stay); /* before anything else changes a value */
	mdg__set_again(stay);
	mdg__serve(stay);
	return rc;
}
