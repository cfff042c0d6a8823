/* SPDX-License-Identifier: MIT */
/* objectfile.h - the data files that are made late. See objectfile.c. */
#ifndef MADANG_SEGMENT_OBJECTFILE_H
#define MADANG_SEGMENT_OBJECTFILE_H

#include "segment/internal.h"

/* Makes the file of an object that is being made, empty, in a namespace that users share: 0, or
 * -EEXIST, somebody else has put a file there. [signals] */
int mdg__late_create(struct mdg_namespace *ns, enum mdg__class class, mdg_id id, unsigned mode);
/* [entered] A descriptor of the object's file. `make`: made if it never was; otherwise -ENOENT.
 * -EINVAL: the object is gone. */
int mdg__late_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool make);
/* [entered] A descriptor of a segment's file, and its inode. Made, if it never was. -EINVAL: the
 * segment is gone. */
int mdg__segment_file_open(struct mdg_namespace *ns, const struct mdg__entry *entry, bool writable,
                           uint64_t *ret_inode);
/* [signals] Makes the file at least so long, in whole pages, and promises the memory. Returns in
 * `ret_length` how many bytes may be mapped. */
int mdg__late_grow(int fd, uint64_t least, uint64_t *ret_length);

#endif
