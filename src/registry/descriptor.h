/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h - the descriptors of the registry file and of its directory.
 *
 * The program may close them, or put another file in their place. So each is checked
 * before it is believed.
 */
#ifndef MADANG_REGISTRY_DESCRIPTOR_H
#define MADANG_REGISTRY_DESCRIPTOR_H

#include "registry/registry.h"

/* A descriptor that is truly of the registry file. It is opened again if the program
 * closed or replaced it. `fresh`: a new open file description, not the kept one. Fails
 * with -errno or MDG_NS_GONE. */
int mdg__registry_fd(struct mdg__registry *registry, bool fresh);
/* The same for the directory. */
int mdg__registry_dirfd(struct mdg__registry *registry);
/* Whether the kept descriptor is open, and still is the registry file. */
bool mdg__registry_fd_is_ours(const struct mdg__registry *registry);

#endif
