/* SPDX-License-Identifier: MIT */
/*
 * directory.h - the directory of a namespace, before it is one: its path, and whose it is.
 */
#ifndef MADANG_SEGMENT_DIRECTORY_H
#define MADANG_SEGMENT_DIRECTORY_H

#include <stdbool.h>
#include <sys/stat.h>

/* A variable's value; NULL: not set, empty, or not to be believed. */
const char *mdg__caller_wish(const char *name);
/* The path without slashes at its end (they would follow a link), and absolute so that it can be
 * opened again after chdir. */
int mdg__directory_path(char ret[1024], const char *dir);
/* Opens the directory, making it if wished. A descriptor out of the program's way, or a code. */
int mdg__directory_open(const char *path, bool make, struct stat *ret_status);
/* Before the registry is touched: is this somebody's trap? Whether others may write is decided
 * with the registry's own word on it. `named`: by the caller. `look`: root is not to be refused
 * because it is another user's. 0 or MDG_NS_*. */
int mdg__directory_check(int dirfd, const struct stat *directory, bool named, bool look);
bool mdg__directory_is_mine(int dirfd, const struct stat *status);

#endif
