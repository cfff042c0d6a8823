/* SPDX-License-Identifier: MIT */
/*
 * datafile.h - finds the file in which a segment's bytes lie.
 *
 * The file is seg-NUMBER-ID in the namespace's directory. The number belongs to the namespace.
 * Tests do not know it, so they look for the file by the end of its name.
 */
#ifndef MADANG_TESTS_DATAFILE_H
#define MADANG_TESTS_DATAFILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static inline bool data_file_is_named(const char *name, int id)
{
	char end[16];
	snprintf(end, sizeof end, "-%d", id);
	size_t length = strlen(name), tail = strlen(end);
	return strncmp(name, "seg-", 4) == 0 && length > 4 + tail &&
	       strcmp(name + length - tail, end) == 0;
}

/* The name of the segment's file, in memory that the next call uses again. If there is no file, a
 * name that no file has. */
static inline const char *data_file_name(const char *directory, int id)
{
	static char found[32]; /* 4 + 16 + 1 + 10 characters at most */
	DIR *open = opendir(directory);
	struct dirent *entry;
	snprintf(found, sizeof found, "no-such-data-file");
	while (open != NULL && (entry = readdir(open)) != NULL)
		if (data_file_is_named(entry->d_name, id))
			snprintf(found, sizeof found, "%.31s", entry->d_name);
	if (open != NULL)
		closedir(open);
	return found;
}

#endif
