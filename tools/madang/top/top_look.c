/* SPDX-License-Identifier: MIT */
/*
 * top_look.c - looks at the namespace again and again, also when it goes and comes.
 *
 * The namespace is opened for each look, and closed again. So one that was deleted is noticed, and
 * one that comes in its place is found. It is opened with MDG_NS_LOOK: nothing in it is changed, no
 * process slot is taken, and its lock is not touched, so that a `madang top` that is stopped in the
 * middle keeps nobody waiting.
 */
#include <string.h>

#include "top/top.h"

void top_look_free(struct top_look *look)
{
	seen_free(&look->now);
	seen_free(&look->before);
	memset(look, 0, sizeof *look);
}

/* There is nothing to see, for this reason. */
static void forget(struct top_look *look, int code)
{
	top_look_free(look);
	look->code = code;
}

void top_look_again(struct top_look *look, const char *dir)
{
	struct mdg_namespace_options options = { .size = sizeof options, .flags = MDG_NS_LOOK };
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, dir, &options);

	if (rc != 0) {
		forget(look, rc);
		return;
	}
	seen_free(&look->before);
	look->before = look->now;
	look->has_before = look->is_there;
	look->is_there = true;
	look->code = seen_take(&look->now, ns, SEEN_ALL, look->has_before ? &look->before : NULL);
	look->seconds =
		look->has_before ? (double)(look->now.moment - look->before.moment) / 1e9 : 0;
	mdg_namespace_close(ns);
	if (look->code == MDG_NS_GONE)
		forget(look, MDG_NS_GONE);
}
