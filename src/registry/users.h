/* SPDX-License-Identifier: MIT */
/*
 * users.h - users and groups as the registry writes them down, and as this process sees them.
 *
 * One user has several numbers, one in each user namespace. The top of users.c says what
 * is written down. MDG__ID_UNKNOWN is written where a number cannot be told; then the
 * owner of the data file is asked (src/segment/fileowner.c).
 */
#ifndef MADANG_REGISTRY_USERS_H
#define MADANG_REGISTRY_USERS_H

#include "registry/registry.h"

/* Finds out whether the process has come into another user namespace without noticing,
 * because its effective user has the same number there. True: it has. It is called
 * before a user is taken for an owner who may change something, and before a user is
 * refused. */
bool mdg__users_anew(struct mdg__registry *registry, uint32_t euid);
/* The same, right after mdg__registry_here(), which has seen the registry's owner. */
bool mdg__users_anew_here(struct mdg__registry *registry, uint32_t euid);
/* The same in the child of a fork. The next question about a user finds out more. */
void mdg__users_forked(struct mdg__registry *registry);

/* What is written down for a number that the calling process sees. */
uint32_t mdg__id_stored(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t inside);
/* What the calling process sees for what is written down, or MDG__ID_UNKNOWN. */
uint32_t mdg__id_seen(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t stored);
/* The same, for output. In the place of MDG__ID_UNKNOWN comes the kernel's number for
 * everybody who has none in this user namespace. */
uint32_t mdg__id_shown(struct mdg__registry *registry, enum mdg__id_kind kind, uint32_t stored);
/* The same for a user, a group, a user and a group. */
void mdg__ids_shown(struct mdg__registry *registry, const uint32_t stored[4], uint32_t ret[4]);
/* What is written down for the process itself. `euid`: what mdg__euid() returns. */
uint32_t mdg__my_id(struct mdg__registry *registry, uint32_t euid);
uint32_t mdg__my_group(struct mdg__registry *registry);

#endif
