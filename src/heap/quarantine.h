/* SPDX-License-Identifier: MIT */
/*
 * quarantine.h - blocks of a checked heap that the thread has freed lately, and does not give out
 * yet.
 *
 * These blocks are free by their bits. That the thread leaves them alone is its private order of
 * allocation (own.h). So nothing is lost with a thread that dies, and there is nothing to sweep.
 */
#ifndef MADANG_HEAP_QUARANTINE_H
#define MADANG_HEAP_QUARANTINE_H

#include "heap/guard.h"

/* The block with this bit was just freed. The oldest one may leave. */
void mdg__quarantine_add(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class,
                         _Atomic uint64_t *word, uint64_t bit);
/* The bits of this word that are to be left alone. */
uint64_t mdg__quarantine_bits(const struct mdg__heap_own *own, uint32_t class,
                              const _Atomic uint64_t *word);
/* All leave. */
void mdg__quarantine_end(struct mdg__heap *heap, struct mdg__heap_own *own, uint32_t class);
/* Whether blocks of this slab are there. */
bool mdg__quarantine_has(const struct mdg__heap *heap, const struct mdg__heap_own *own,
                         uint32_t class, uint64_t unit);

#endif
