/* SPDX-License-Identifier: MIT */
/*
 * remains.c - what is left of a namespace whose files were deleted while programs used it.
 *
 * Its registry is gone from the directory, but they still have it mapped: the kernel shows that in
 * /proc/PID/maps, by its former path and "(deleted)". What of its files was not deleted nobody
 * finds any more; with the making of the next registry they go.
 */
#include "base/tool.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether it is a data file, of a segment, a semaphore set or a message queue. */
static bool is_data(const char *name)
{
	return strncmp(name, "seg-", 4) == 0 || strncmp(name, "sem-", 4) == 0 ||
	       strncmp(name, "msg-", 4) == 0;
}

static unsigned count_files(const char *path)
{
	unsigned files = 0;
	char registry[NAMESPACE_PATH_ROOM + 16];
	DIR *directory;
	struct dirent *entry;

	snprintf(registry, sizeof registry, "%s/registry", path);
	if (access(registry, F_OK) == 0 || (directory = opendir(path)) == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		files += is_data(entry->d_name);
	closedir(directory);
	return files;
}

static bool maps_deleted(const char *pid, const char *mark)
{
	char path[300], line[2 * NAMESPACE_PATH_ROOM];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof path, "/proc/%s/maps", pid);
	maps = fopen(path, "re");
	while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
		const char *at = strchr(line, '/');
		found = at != NULL && strcmp(at, mark) == 0;
	}
	if (maps != NULL)
		fclose(maps);
	return found;
}

static void find_users(struct remains *remains, const char *path)
{
	char *real = realpath(path, NULL);
	char mark[NAMESPACE_PATH_ROOM + 32];
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	snprintf(mark, sizeof mark, "%s/registry (deleted)\n", real != NULL ? real : path);
	free(real);
	while (processes != NULL && (entry = readdir(processes)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !maps_deleted(entry->d_name, mark))
			continue;
		remains->users++;
		remains->user = (int32_t)strtol(entry->d_name, NULL, 10);
	}
	if (processes != NULL)
		closedir(processes);
}

bool remains_find(struct remains *ret, const char *path)
{
	*ret = (struct remains){ 0 };
	ret->files = count_files(path);
	find_users(ret, path);
	return ret->files > 0 || ret->users > 0;
}

char *remains_text(char room[ADVICE_ROOM], const struct remains *remains)
{
	char command[SHOW_ROOM], shown[4 * SHOW_ROOM], users[5 * SHOW_ROOM] = "",
								 files[SHOW_ROOM] = "";

	show_text(shown, sizeof shown, show_command(command, remains->user));
	if (remains->users == 1)
		snprintf(users, sizeof users, "; process %d (%s) still uses it", (int)remains->user,
		         shown);
	else if (remains->users > 1)
		snprintf(users, sizeof users, "; %u processes still use it, %d (%s) among them",
		         remains->users, (int)remains->user, shown);
	if (remains->files > 0)
		snprintf(files, sizeof files, "; %u of its data files %s left", remains->files,
		         remains->files == 1 ? "is" : "are");
	snprintf(room, ADVICE_ROOM, "a namespace was deleted here while it was in use%s%s", files,
	         users);
	return room;
}

const char *remains_advice(const struct remains *remains)
{
	if (remains->users == 0)
		return "The next program that shares something begins anew, and clears the rest "
		       "away. What "
		       "deletes such files: man 7 madang.";
	return "What is attached stays usable; every other call of it fails with EIDRM until the "
	       "program is "
	       "started again. What deletes such files: man 7 madang.";
}

void remains_complain(const char *path)
{
	char text[ADVICE_ROOM];
	struct remains remains;

	if (!remains_find(&remains, path))
		return;
	complain("%s", remains_text(text, &remains));
	advise(remains_advice(&remains));
}
