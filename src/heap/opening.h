/* SPDX-License-Identifier: MIT */
/*
 * opening.h - what opening a heap is made of: its shape, its head, its attachment.
 */
#ifndef MADANG_HEAP_OPENING_H
#define MADANG_HEAP_OPENING_H

#include "heap/internal.h"

/* ---- shape.c ------------------------------------------------------------------------------- */

/* What a heap is. */
struct mdg__heap_shape {
	uint64_t capacity; /* units */
	uint32_t slots;
	uint32_t flags;       /* MDG_HEAP_HOME, LABELS, CHECKED */
	uint64_t home;        /* 0: not chosen yet, or none */
	uint64_t limit, keep; /* units */
	struct mdg__parts parts;
};
/* Whether these options can be meant: 0, -EINVAL, -ENOMEM. */
int mdg__heap_options_check(const struct mdg_heap_options *options);
/* The shape of the heap that these options make. */
void mdg__heap_shape_of(const struct mdg_heap_options *options, struct mdg__heap_shape *ret);
/* The shape that the head of a heap says, in a segment of `size` bytes: 0, MDG_VERSION_UNLIKE,
 * MDG_BROKEN, -ENOMEM: it is too large for this program. */
int mdg__heap_shape_read(const struct mdg__heap_head *head, uint64_t size,
                         struct mdg__heap_shape *ret);
/* Whether the options ask for what the heap is: 0, MDG_UNLIKE_*. */
int mdg__heap_shape_compare(const struct mdg_heap_options *options,
                            const struct mdg__heap_shape *shape);

/* ---- place.c ------------------------------------------------------------------------------- */

/* Attaches the heap's segment, which has `size` bytes. `home`: there, or MDG_HOME_TAKEN; 0: at any
 * multiple of 64 KiB. */
int mdg__heap_attach(mdg_namespace *ns, mdg_id id, uint64_t size, uint64_t home, bool readonly,
                     void **ret);
/* A home address for a new heap of so many bytes at which nothing lies in this process, attached
 * there. MDG_HOME_TAKEN: there is none. */
int mdg__heap_attach_home(mdg_namespace *ns, mdg_id id, uint64_t size, uint64_t *ret_home,
                          void **ret);

/* ---- handle.c ------------------------------------------------------------------------------ */

/* The heap that this process has open already. Counts one open more. NULL: it has not. `flags`:
 * MDG_HEAP_RDONLY, HOME. */
struct mdg__heap *mdg__heap_handle_find(mdg_namespace *ns, mdg_id id, uint32_t flags);
/* A handle that is in no list. NULL: no memory. */
struct mdg__heap *mdg__heap_handle_make(mdg_namespace *ns, mdg_id id);
void mdg__heap_handle_shape(struct mdg__heap *heap, const struct mdg__heap_shape *shape);
/* Detaches the segment, and frees the handle. It is in no list. */
void mdg__heap_handle_drop(struct mdg__heap *heap);
/* Enters it in the list; or drops it and returns the one that another thread has entered
 * meanwhile. */
struct mdg__heap *mdg__heap_handle_enter(struct mdg__heap *heap);
/* `more` threads of this process are about to enter a heap: 1, -1 or 0. How many there are. */
uint32_t mdg__heap_entering(int more);
/* Counts one open less. */
void mdg__heap_handle_put(struct mdg__heap *heap);

/* ---- open.c -------------------------------------------------------------------------------- */

/* The shape of the heap `name`, which is not entered. -ENOENT: there is none. Otherwise the errors
 * of mdg_heap_open. */
int mdg__heap_shape_find(mdg_namespace *ns, const char *name, struct mdg__heap_shape *ret);

/* Copies the options, or the defaults if `given` is NULL. 0, -EINVAL, -E2BIG, -ENOMEM. */
int mdg__heap_options_take(const struct mdg_heap_options *given, struct mdg_heap_options *ret);

/* ---- head.c -------------------------------------------------------------------------------- */

/* [the head is attached to write] Fills in the head if nobody has, if the segment was made for
 * this shape. */
int mdg__heap_head_make(struct mdg__heap *heap, const struct mdg__heap_shape *shape, uint64_t size);
/* Of a heap that was found: 0 when its head is right. 1: its maker is dead, and it is to be
 * made. */
int mdg__heap_head_await(const struct mdg__heap *heap);

#endif
