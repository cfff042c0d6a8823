/* SPDX-License-Identifier: MIT */
/*
 * cost.c - what a process costs: processor time, memory, threads, descriptors; from /proc.
 */
#include "bench/bridge/bridge.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* The sum of the lines of a file that begin with `name`. */
static double lines_sum(const char *path, const char *name)
{
	double sum = 0;
	char line[256];
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			sum += strtod(line + strlen(name), NULL);
	fclose(file);
	return sum;
}

/* How many names a directory has. Of each thread's, also its time. */
static unsigned count_names(const char *path, double *ret_ns)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		char file[320];

		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (ret_ns == NULL)
			continue;
		snprintf(file, sizeof file, "%s/%.32s/schedstat", path, entry->d_name);
		*ret_ns += lines_sum(file, "");
	}
	if (directory != NULL)
		closedir(directory);
	return count;
}

int cost_look(pid_t pid, struct cost *ret)
{
	char path[64];
	double ns = 0;

	*ret = (struct cost){ .seconds = 0 };
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	ret->threads = count_names(path, &ns);
	ret->seconds = ns / 1e9;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	ret->descriptors = count_names(path, NULL);
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	ret->own = lines_sum(path, "Private_Clean:") + lines_sum(path, "Private_Dirty:");
	ret->rss = lines_sum(path, "Rss:");
	return ret->threads != 0 ? 0 : -1;
}
