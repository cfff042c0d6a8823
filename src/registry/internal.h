/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of the registry have from each other, and nobody else.
 */
#ifndef MADANG_REGISTRY_INTERNAL_H
#define MADANG_REGISTRY_INTERNAL_H

#include "registry/presence.h"
#include "registry/registry.h"

/* ---- descriptor.c ---- */
/* Makes a fresh one the kept one. */
void mdg__registry_keep_fd(struct mdg__registry *registry, int fd);

/* ---- files.c ---- */
/* Unlinks those, as far as this process may. [signals] */
void mdg__remove_strays(struct mdg__registry *registry);
/* Whether there are data files, of whatever namespace. */
bool mdg__has_data_files(int dirfd);

/* ---- index.c ---- */
void mdg__id_give_back(struct mdg__registry *registry, uint32_t index, uint64_t pages);
uint32_t mdg__key_hash(uint32_t key);
/* The sequence with which the ids of a namespace begin: never 0, and hardly that of another. In
 * the lower half: ids grow for a long time before they come round. */
static inline uint32_t mdg__first_sequence(uint64_t unique)
{
	return 1 + (uint32_t)(unique % (MDG__SEQUENCE_MAX / 2));
}

/* ---- attachment.c ---- */
/* Takes a record out of both its lists and frees it: a change of its own. [lock] */
int mdg__attachment_free(struct mdg__registry *registry, uint32_t attachment);

/* ---- lock.c ---- */
/* Says where the writer lock and the journal lie, once the file is mapped. */
void mdg__lock_set_up(struct mdg__registry *registry);

/* ---- alive.c ---- */
/* The byte of the registry file whose lock says that a slot's process lives. */
uint64_t mdg__slot_byte(const struct mdg__registry *registry, uint32_t slot);

/* ---- process.c ---- */
/* Finds and locks a free slot. MDG_NO_SLOT when there is none. */
int mdg__slot_find(struct mdg__registry *registry, int fd, uint32_t *ret_slot);
/* Fills in a slot whose byte is locked for us; the tag last, which makes the rest
 * count. Returns the generation. `pid` 0: of a child that is not yet there. */
uint32_t mdg__slot_fill_in(struct mdg__registry *registry, uint32_t slot, int32_t pid,
                           enum mdg__process_state state);
/* The child that `slot` was for is born, or was never: the parent's byte is
 * proof again. */
void mdg__slot_forked(const struct mdg__registry *registry, uint32_t slot);

#endif
