/* SPDX-License-Identifier: MIT */
/* mapping.h - which objects' memory this process has mapped. See mapping.c. */
#ifndef MADANG_SEGMENT_MAPPING_H
#define MADANG_SEGMENT_MAPPING_H

#include "segment/internal.h"
#include "segment/objects.h"

/* One mapping. The structure stays where it is for good. It is used for other mappings later. */
struct mdg__mapping {
	_Atomic uint32_t users; /* of struct mdg__memory that are taken */
	uint32_t tag;           /* the object's, LIVE; constant while the mapping is in the table */
	uint32_t index;
	enum mdg__class class;
	char *base;            /* constant likewise */
	_Atomic size_t length; /* only grows */
	/* The file, kept open, and which one it is: hostidentity.c. -1: it is not kept.
	 * [object lock] */
	int fd;
	dev_t device;
	ino_t inode;
	struct mdg__mapping
		*next; /* in the list of those that are retired, or free [object lock] */
};

/* [object lock] The mapping of this very object, not taken; NULL: none. */
struct mdg__mapping *mdg__mapping_find(struct mdg_namespace *ns, const struct mdg__entry *entry);
/* [object lock] Makes memory that was mapped the object's, in the place of what was there, and
 * takes it. On failure nothing has changed. */
int mdg__mapping_install(struct mdg_namespace *ns, const struct mdg__entry *entry, char *base,
                         size_t length, struct mdg__memory *ret);
/* [object lock] */
void mdg__mapping_take(struct mdg__mapping *mapping, struct mdg__memory *ret);
/* [object lock] The file is to be kept open as long as the mapping. Takes the descriptor, or
 * closes it if as many are kept as may be. */
void mdg__mapping_keep(struct mdg_namespace *ns, struct mdg__mapping *mapping, int fd);
/* [object lock] Another descriptor of the file that is kept, or -EACCES. */
int mdg__mapping_file(const struct mdg__mapping *mapping);
/* [object lock] Unmaps what is at this index, now or when nobody uses it any more. */
void mdg__mapping_drop(struct mdg_namespace *ns, enum mdg__class class, uint32_t index);
/* [object lock] Unmaps what nobody uses any more, and looks at some mappings whether their object
 * is still there. */
void mdg__mappings_sweep(struct mdg_namespace *ns);

#endif
