/* SPDX-License-Identifier: MIT */
/* datafile.h - the files that hold the bytes of segments. See fileidentity.c and datafile.c. */
#ifndef MADANG_SEGMENT_DATAFILE_H
#define MADANG_SEGMENT_DATAFILE_H

#include "registry/files.h"
#include "segment/internal.h"

/* Where a data file is: a name in an open directory. */
struct mdg__place {
	int dirfd;
	bool borrowed; /* the namespace's own descriptor: not to be closed */
	char name[MDG__FILE_NAME_ROOM];
};

/* Where the file of the object `id` lies: 0 or more, or a negative code. `flags`: of a segment,
 * MDG__SEG_*. mdg__place_leave in any case. */
int mdg__place_find(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, uint32_t flags,
                    struct mdg__place *ret);
int mdg__place_of(struct mdg_namespace *ns, const struct mdg__entry *entry, struct mdg__place *ret);
void mdg__place_leave(const struct mdg__place *place);
/* Makes a new file there: a descriptor, or -errno. If one is there it is a leftover, because the
 * registry has just given the id. */
int mdg__place_create(const struct mdg__place *place);
/* Compares an open file with the entry, and gives it its size if it has none and is open for
 * writing: 0, MDG_DAMAGED for another file, or -errno. */
int mdg__data_check(struct mdg_namespace *ns, const struct mdg__entry *entry, int fd, bool writable,
                    uint64_t *ret_inode);
/* Opens the path and compares what it finds with the entry: a descriptor, MDG_DAMAGED for
 * another file, or -errno. */
int mdg__data_open_checked(struct mdg_namespace *ns, const struct mdg__entry *entry, int dirfd,
                           const char *path, int flags, uint64_t *ret_inode);
/* Whether the caller is not the owner of the private namespace: root, in a user's. */
bool mdg__is_guest(struct mdg_namespace *ns);
/* A file that a guest has made becomes the owner's, who could not open it otherwise. */
void mdg__data_give(struct mdg_namespace *ns, int fd);
/* Whether stat can show the number `seen` for somebody who is written down as `stored`. */
bool mdg__file_id_fits(struct mdg_namespace *ns, enum mdg__id_kind kind, uint32_t stored,
                       uint32_t seen);

/* The mode that an object's file has where users share. A segment's file has the segment's. To
 * look at a semaphore set or a message queue, too, one has to write in it. Its owner may always
 * open it: an owner without rights may remove it, and then tells those who sleep in it. */
static inline unsigned mdg__data_mode(enum mdg__class class, unsigned mode)
{
	unsigned any = mode | (mode >> 1 & 0222) | (mode << 1 & 0444);
	return class == MDG__SEGMENTS ? mode & 0777 : (any & 0666) | 0600;
}

static inline bool mdg__is_shared(const struct mdg_namespace *ns)
{
	return (ns->registry.flags & MDG_NS_SHARED) != 0;
}

#endif
