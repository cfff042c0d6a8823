/* SPDX-License-Identifier: MIT */
/*
 * shape.c - what a heap is, from the options of its maker or from its head.
 */
#include "heap/opening.h"

#include <stddef.h>

enum { MADE_WITH = MDG_HEAP_HOME | MDG_HEAP_LABELS | MDG_HEAP_CHECKED };
enum { ALL_FLAGS = MADE_WITH | MDG_HEAP_EXISTING | MDG_HEAP_EXCL | MDG_HEAP_RDONLY };
enum { SLOTS_LEAST = 8, MIB = 1 << 20 };

static bool is_narrow(void)
{
	return sizeof(void *) < 8;
}

static uint64_t most_here(void)
{
	return is_narrow() ? MDG_HEAP_MAXIMUM_32 : MDG_HEAP_MAXIMUM_MOST;
}

static bool flags_are_valid(uint32_t flags)
{
	if ((flags & ~(uint32_t)ALL_FLAGS) != 0)
		return false;
	return (flags & MDG_HEAP_EXCL) == 0 || (flags & (MDG_HEAP_EXISTING | MDG_HEAP_RDONLY)) == 0;
}

static bool numbers_are_valid(const struct mdg_heap_options *options)
{
	uint64_t maximum = options->maximum;
	if (maximum != 0 && (maximum < MDG_HEAP_MAXIMUM_LEAST || maximum > MDG_HEAP_MAXIMUM_MOST))
		return false;
	if (maximum != 0 && options->limit > maximum)
		return false;
	if (options->limit != 0 && options->limit < MDG__UNIT_BYTES)
		return false;
	if (options->threads != 0 &&
	    (options->threads < SLOTS_LEAST || options->threads > MDG_HEAP_THREADS_MOST))
		return false;
	return options->mode <= 0777 && options->address % MDG__UNIT_BYTES == 0 &&
	       (options->address == 0 || (options->flags & MDG_HEAP_HOME) != 0);
}

int mdg__heap_options_check(const struct mdg_heap_options *options)
{
	if (!flags_are_valid(options->flags) || !numbers_are_valid(options))
		return -EINVAL;
	return options->maximum > most_here() ? -ENOMEM : 0;
}

void mdg__heap_shape_of(const struct mdg_heap_options *options, struct mdg__heap_shape *ret)
{
	const uint64_t narrow = 256 * (uint64_t)MIB;
	uint64_t maximum = options->maximum,
		 least = is_narrow() ? narrow : MDG_HEAP_MAXIMUM_DEFAULT;
	if (maximum == 0)
		maximum = options->limit > least && options->limit <= most_here() ? options->limit
		                                                                  : least;
	maximum = (maximum + MIB - 1) / MIB * MIB;
	ret->capacity = maximum >> MDG__UNIT_SHIFT;
	ret->slots = options->threads != 0 ? options->threads : MDG_HEAP_THREADS_DEFAULT;
	ret->flags = options->flags & MADE_WITH;
	if ((ret->flags & MDG_HEAP_CHECKED) != 0)
		ret->flags |= MDG_HEAP_LABELS;
	ret->home = options->address;
	ret->limit = options->limit != 0 ? options->limit >> MDG__UNIT_SHIFT : ret->capacity;
	ret->keep = (options->keep != 0 ? options->keep : MDG_HEAP_KEEP_DEFAULT) >> MDG__UNIT_SHIFT;
	mdg__parts_of(ret->capacity, ret->slots, &ret->parts);
}

int mdg__heap_shape_read(const struct mdg__heap_head *head, uint64_t size,
                         struct mdg__heap_shape *ret)
{
	const uint64_t units_of_mib = MIB >> MDG__UNIT_SHIFT;
	if (MDG__LOAD(head->magic) != MDG__HEAP_MAGIC ||
	    MDG__LOAD(head->format) != MDG__HEAP_FORMAT)
		return MDG_VERSION_UNLIKE;
	ret->capacity = MDG__LOAD(head->capacity);
	ret->slots = MDG__LOAD(head->slots);
	ret->flags = MDG__LOAD(head->flags);
	ret->home = MDG__LOAD(head->home);
	if (ret->capacity < units_of_mib || ret->capacity % units_of_mib != 0 ||
	    ret->capacity > MDG_HEAP_MAXIMUM_MOST >> MDG__UNIT_SHIFT || ret->slots < SLOTS_LEAST ||
	    ret->slots > MDG_HEAP_THREADS_MOST || (ret->flags & ~(uint32_t)MADE_WITH) != 0 ||
	    ret->home % MDG__UNIT_BYTES != 0 ||
	    (ret->home == 0) != ((ret->flags & MDG_HEAP_HOME) == 0) ||
	    (ret->flags & (MDG_HEAP_CHECKED | MDG_HEAP_LABELS)) == MDG_HEAP_CHECKED)
		return MDG_BROKEN;
	mdg__parts_of(ret->capacity, ret->slots, &ret->parts);
	if (ret->parts.end > size)
		return MDG_BROKEN;
	return ret->capacity > most_here() >> MDG__UNIT_SHIFT ? -ENOMEM : 0;
}

int mdg__heap_shape_compare(const struct mdg_heap_options *options,
                            const struct mdg__heap_shape *shape)
{
	uint64_t maximum = (options->maximum + MIB - 1) / MIB * MIB;
	if (maximum != 0 && maximum >> MDG__UNIT_SHIFT != shape->capacity)
		return MDG_UNLIKE_MAXIMUM;
	if ((options->flags & MADE_WITH & ~shape->flags) != 0)
		return MDG_UNLIKE_FLAGS;
	return options->address != 0 && options->address != shape->home ? MDG_UNLIKE_HOME : 0;
}
