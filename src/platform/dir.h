/* SPDX-License-Identifier: MIT */
/*
 * dir.h - the names in a directory.
 */
#ifndef MADANG_PLATFORM_DIR_H
#define MADANG_PLATFORM_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Entries of an open directory as getdents64(2) gives them: bytes, 0 at the end, or -errno. */
int64_t mdg__sys_getdents(int fd, void *buffer, size_t room);

/* Some names of a directory, as many as one system call gave. */
struct mdg__listed {
	const char *buffer;
	int64_t filled;
};
/* Gets some names, and says whether it wants more. */
typedef bool mdg__take_names(const struct mdg__listed *names, void *context);

/* Gives `take` the names in a directory, some at a time, until `take` returns false. "." and ".."
 * are among them. Does nothing if the directory cannot be opened. */
void mdg__directory_read(int dirfd, mdg__take_names *take, void *context);
/* The same for a path. False: the directory cannot be opened. */
bool mdg__directory_read_path(const char *path, mdg__take_names *take, void *context);
/* The name at *at, which moves on to the next one. Start with 0; NULL: no more names. */
const char *mdg__next_name(const struct mdg__listed *names, int64_t *at);

#endif
