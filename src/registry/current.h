/* SPDX-License-Identifier: MIT */
/*
 * current.h - whether the registry is still the one of its directory.
 *
 * Each of the three returns MDG_NS_GONE if the registry file was deleted, replaced or
 * moved away. Each returns 0 if the file is in its place, and also if that cannot be
 * told. They differ in price. All three are async-signal-safe.
 */
#ifndef MADANG_REGISTRY_CURRENT_H
#define MADANG_REGISTRY_CURRENT_H

#include "registry/registry.h"

/* Looks the file up by its name in the directory. Exact. */
int mdg__registry_has_name(struct mdg__registry *registry);
/* Notices a deletion at once, and that the file was moved away some 10 ms late. Makes
 * one cheap system call. */
int mdg__registry_here(struct mdg__registry *registry);
/* Notices everything some 10 ms late. Makes nearly never a system call. */
int mdg__registry_glance(struct mdg__registry *registry);
/* The same for a caller that has just read mdg__realtime_coarse_nanoseconds. */
int mdg__registry_glance_at(struct mdg__registry *registry, uint64_t realtime);

#endif
