/* SPDX-License-Identifier: MIT */
/*
 * above.h - what the rooms above need of a segment besides the functions of madang/segment.h. They
 * need not know for it how a namespace is kept.
 */
#ifndef MADANG_SEGMENT_ABOVE_H
#define MADANG_SEGMENT_ABOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "madang/segment.h"
#include "platform/sys.h"

/* What a segment is used for. It says so in the registry, so the segments of a kind are found
 * without a look at their bytes. It is a hint: whoever uses the bytes checks them. */
enum mdg__segment_kind { MDG__KIND_PLAIN = 0, MDG__KIND_CHANNEL = 1 };
/* As mdg_segment_create, of that kind. */
int mdg__segment_create(mdg_namespace *ns, const char *name, uint64_t size, unsigned mode,
                        unsigned flags, enum mdg__segment_kind kind, mdg_id *ret_id);
/* Whether the segment is of that kind. False, too, when it is gone. Takes no lock. */
bool mdg__segment_is(mdg_namespace *ns, mdg_id id, enum mdg__segment_kind kind);
/* Whether the segment was removed, or is gone. */
bool mdg__segment_is_removed(mdg_namespace *ns, mdg_id id);
/* Its name and its permission bits. False: there is no such segment; then both stay as they are. */
bool mdg__segment_label(mdg_namespace *ns, mdg_id id, char ret_name[MDG_NAME_MAX + 1],
                        unsigned *ret_mode);
/* A descriptor for reading the bytes of a segment that has a name and at least so many bytes, and
 * its name. The segment is not attached. Negative: there is none, or the caller may not read it. */
int mdg__segment_open_file(mdg_namespace *ns, mdg_id id, uint64_t least_size,
                           char ret_name[MDG_NAME_MAX + 1]);
/* As mdg_segment_detach. If the calling thread holds a lock in the segment, the lock is let go;
 * mdg_segment_detach would refuse. */
void mdg__segment_let_go(mdg_namespace *ns, void *memory);

/* Files beside the segments, in the directory of the namespace. Their names begin with this. */
#define MDG__BESIDE_NAME_ROOM 64
void mdg__beside_name(const mdg_namespace *ns, const char *kind, mdg_id id,
                      char ret_name[MDG__BESIDE_NAME_ROOM]);
/* The descriptor of that directory, to be used before mdg__beside_leave, which has to be called in
 * any case. Signals are blocked in between. `to_make`: also makes sure that the namespace is still
 * the directory's. Negative: it is not, or the directory cannot be opened. */
int mdg__beside_enter(mdg_namespace *ns, bool to_make);
void mdg__beside_leave(mdg_namespace *ns);
/* Moves the descriptor to a number that programs do not expect; returns that number. */
int mdg__beside_keep_fd(int fd);

/* The lock that a process holds while it changes its lists of namespaces and of what belongs to
 * them. It is also held during fork, so that the child finds the lists whole. */
void mdg__lists_enter(mdg__sigmask *ret_mask);
void mdg__lists_leave(const mdg__sigmask *mask);

#endif
