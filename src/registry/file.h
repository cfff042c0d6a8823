/* SPDX-License-Identifier: MIT */
/*
 * file.h - what making and opening the registry file have in common: make.c, open.c.
 */
#ifndef MADANG_REGISTRY_FILE_H
#define MADANG_REGISTRY_FILE_H

#include "platform/text.h"
#include "registry/internal.h"

#define MDG__REGISTRY_NAME "registry"
#define MDG__FIRST_TIES    64u

/* The file has this bit from its very first moment until it is wholly made. A file with the bit
 * was never used. So if it is empty, it has not lost anything. */
#define MDG__BEING_MADE S_ISVTX

/* How large the tables are. */
struct mdg__sizes {
	uint32_t processes, ties;
	uint32_t objects[MDG__CLASSES], buckets[MDG__CLASSES]; /* of each directory */
};

/* Where each table begins. */
struct mdg__tables {
	uint64_t bitmap[MDG__CLASSES], buckets[MDG__CLASSES], entries[MDG__CLASSES];
	uint64_t processes, ties, end;
};

static inline uint64_t mdg__aligned(uint64_t offset)
{
	return (offset + MDG__TABLE_ALIGN - 1) & ~(uint64_t)(MDG__TABLE_ALIGN - 1);
}

/* The order is that at the top of layout.h. */
static inline struct mdg__tables mdg__table_offsets(const struct mdg__sizes *sizes)
{
	struct mdg__tables at = { .end = MDG__TABLE_ALIGN };
	for (int class = 0; class < MDG__CLASSES; class ++) {
		at.bitmap[class] = at.end;
		at.buckets[class] =
			mdg__aligned(at.end + (uint64_t)((sizes->objects[class] + 63) / 64) * 8u);
		at.entries[class] =
			mdg__aligned(at.buckets[class] + (uint64_t)sizes->buckets[class] * 4u);
		if (class == MDG__SEGMENTS) {
			at.processes = at.entries[class];
			at.entries[class] =
				mdg__aligned(at.processes + (uint64_t)sizes->processes *
			                                            sizeof(struct mdg__process));
		}
		at.end = mdg__aligned(at.entries[class] +
		                      (uint64_t)sizes->objects[class] * MDG__ENTRY_SIZE);
		if (class == MDG__SEGMENTS) {
			at.ties = at.end;
			at.end = mdg__aligned(at.ties +
			                      (uint64_t)sizes->ties * sizeof(struct mdg__tie));
		}
	}
	return at;
}

static inline uint32_t mdg__fixed_sum(const struct mdg__head *head)
{
	return (uint32_t)mdg__hash((const char *)head + sizeof head->magic,
	                           offsetof(struct mdg__head, fixed_sum) - sizeof head->magic);
}

/* ---- make.c ---- */
/* The registry file of a directory, made if it may be and has to. A descriptor, or a code. */
int mdg__registry_file(int dirfd, const struct mdg_namespace_options *options);
/* The last step of making. The first process that opens the registry does it. It removes what a
 * former namespace left in the directory, and then takes the mark MDG__BEING_MADE off. */
void mdg__registry_made(struct mdg__registry *registry, int fd);

#endif
