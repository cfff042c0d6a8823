/* SPDX-License-Identifier: MIT */
/*
 * home.c - what lies at a heap's home address in this process.
 *
 * mdg_heap_open can only say that something does. The program asks here for more, because the
 * answer is in a file of /proc, which the way in does not need.
 */
#include "heap/opening.h"

#include <string.h>

#include "platform/procfs.h"
#include "platform/sized.h"

static void take_over(const struct mdg__mapping *mapping, struct mdg_heap_home_info *ret)
{
	ret->taken_address = mapping->first;
	ret->taken_length = mapping->end - mapping->first;
	_Static_assert(sizeof ret->taken_by == sizeof mapping->name, "the same text");
	memcpy(ret->taken_by, mapping->name, sizeof ret->taken_by);
}

/* The home of the heap that exists, or that these options would make. */
static int home_of(mdg_namespace *ns, const char *name, const struct mdg_heap_options *options,
                   struct mdg__heap_shape *ret)
{
	int rc = mdg__heap_shape_find(ns, name, ret);
	if (rc == -ENOENT && options->address != 0) {
		mdg__heap_shape_of(options, ret);
		return 0;
	}
	return rc == 0 && ret->home == 0 ? MDG_UNLIKE_FLAGS : rc;
}

int mdg_heap_home(mdg_namespace *ns, const char *name, const struct mdg_heap_options *options,
                  struct mdg_heap_home_info *ret_info)
{
	struct mdg_heap_options own;
	struct mdg__heap_shape shape = { 0 };
	struct mdg__mapping mapping = { 0 };
	if (!mdg__sized_is_valid(ret_info->size) || name == NULL)
		return -EINVAL;
	int rc = mdg__heap_options_take(options, &own);
	if (rc == 0)
		rc = home_of(ns, name, &own, &shape);
	if (rc < 0)
		return rc;
	struct mdg_heap_home_info info = { .address = shape.home, .length = shape.parts.end };
	enum mdg__answer answer =
		mdg__mapping_between(shape.home, shape.home + shape.parts.end, &mapping);
	if (answer == MDG__CANNOT_TELL)
		return -ENOSYS;
	if (answer == MDG__YES)
		take_over(&mapping, &info);
	mdg__sized_give(ret_info, &info, sizeof info);
	return 0;
}
