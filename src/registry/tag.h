/* SPDX-License-Identifier: MIT */
/*
 * tag.h - the tag of an entry: one word that says which object or process the entry is of.
 *
 * The low byte is a state. Above it is a number that changes when the entry is used
 * again: the sequence in the id of an object, the generation of a process slot.
 */
#ifndef MADANG_REGISTRY_TAG_H
#define MADANG_REGISTRY_TAG_H

#include "madang/segment.h"
#include "registry/layout.h"

/* ---- of an object ---- */

static inline uint32_t mdg__tag(uint32_t sequence, enum mdg__object_state state)
{
	return sequence << 8 | (uint32_t)state;
}
static inline enum mdg__object_state mdg__tag_state(uint32_t tag)
{
	return (enum mdg__object_state)(tag & 0xff);
}
/* The sequence or generation in the tag of any entry. */
static inline uint32_t mdg__tag_generation(uint32_t tag)
{
	return tag >> 8;
}
static inline mdg_id mdg__tag_id(uint32_t tag, uint32_t index)
{
	return (mdg_id)(mdg__tag_generation(tag) * MDG__IDS + index);
}

/* ---- of a process slot ---- */

static inline uint32_t mdg__slot_tag(uint32_t generation, enum mdg__process_state state)
{
	return generation << 8 | (uint32_t)state;
}
static inline enum mdg__process_state mdg__slot_state(uint32_t tag)
{
	return (enum mdg__process_state)(tag & 0xff);
}

#endif
