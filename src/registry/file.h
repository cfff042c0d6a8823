/* SPDX-License-Identifier: MIT */
/*
 * file.h - what making and opening the registry file have in common: make.c, open.c.
 */
#ifndef MADANG_REGISTRY_FILE_H
#define MADANG_REGISTRY_FILE_H

#include "platform/text.h"
#include "registry/internal.h"

#define MDG__REGISTRY_NAME     "registry"
#define MDG__FIRST_ATTACHMENTS 64u

/* Set with the file's very first moment, and taken away when all is done: a file with it
 * was never used, so an empty one has not lost anything. */
#define MDG__BEING_MADE S_ISVTX

/* Where each table begins. */
struct mdg__tables {
	uint64_t bitmap, buckets, processes, segments, attachments, end;
};

static inline uint64_t mdg__aligned(uint64_t offset)
{
	return (offset + MDG__TABLE_ALIGN - 1) & ~(uint64_t)(MDG__TABLE_ALIGN - 1);
}

static inline struct mdg__tables mdg__table_offsets(uint32_t segments, uint32_t processes,
                                                    uint32_t attachments, uint32_t buckets)
{
	struct mdg__tables at;
	at.bitmap = MDG__TABLE_ALIGN;
	at.buckets = mdg__aligned(at.bitmap + (uint64_t)((segments + 63) / 64) * 8u);
	at.processes = mdg__aligned(at.buckets + (uint64_t)buckets * 4u);
	at.segments =
		mdg__aligned(at.processes + (uint64_t)processes * sizeof(struct mdg__process));
	at.attachments =
		mdg__aligned(at.segments + (uint64_t)segments * sizeof(struct mdg__segment));
	at.end = mdg__aligned(at.attachments +
	                      (uint64_t)attachments * sizeof(struct mdg__attachment));
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
/* The last step of making, by whoever comes first: what a former namespace left in the
 * directory goes, and with it the mark MDG__BEING_MADE. */
void mdg__registry_made(struct mdg__registry *registry, int fd);

#endif
