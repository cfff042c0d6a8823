/* SPDX-License-Identifier: MIT */
/* change.h - beginning and ending a change of an object's entry. See change.c. */
#ifndef MADANG_SEGMENT_CHANGE_H
#define MADANG_SEGMENT_CHANGE_H

#include "segment/internal.h"

/* Enters the namespace and takes the writer lock. `ret` is the object's entry then. -EINVAL: the
 * object is gone. The caller has found it before. On failure nothing is held. */
int mdg__change_enter(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                      struct mdg__entry *ret);
/* The same, after finding the object and asking whether the caller may change it: its owner, its
 * creator or a privileged process may. */
int mdg__change_begin(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                      struct mdg__entry *ret);
/* The same for a change that touches no file. While somebody watches by which calls the program
 * changes its user (platform/identity.h), no system call asks whether the registry is still the
 * directory's. So it may learn some milliseconds late that it is not (registry/current.c). */
int mdg__change_begin_inside(struct mdg_namespace *ns, enum mdg__class class, mdg_id id,
                             struct mdg__entry *ret);
/* Commits what was changed, and lets go of the writer lock and the namespace. */
void mdg__change_end(struct mdg_namespace *ns);

#endif
