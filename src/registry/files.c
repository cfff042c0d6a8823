/* SPDX-License-Identifier: MIT */
/*
 * files.c - the names of a namespace's files, and those that former namespaces left.
 *
 * Each file carries the number of its namespace in its name: seg-NUMBER-ID, sem-NUMBER-ID and
 * msg-NUMBER-ID for the objects of the three classes, bell-NUMBER-ID-..., setting-NUMBER-NAME.
 * A directory outlives its registry. A cleaner, for instance, deletes the files in it and does
 * not tell the processes that use them. Because of the number, no process can take a file of
 * the next namespace for one of its own, however late it learns of the deletion.
 *
 * Strays are files with another number than the registry's. No process finds them by name any
 * more. A process that has one mapped or open keeps it. Removing strays must not hit the files
 * of a namespace that was made just now in the place of this one. So this happens in order:
 *   1. the names in the directory are read,
 *   2. the registry is looked at: is it still the directory's?
 *   3. if it is, those of the names that are strays are unlinked.
 * A registry that is the directory's at 2 was so at 1. So the strays are of a namespace before
 * it, and no later namespace has the same number.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/sys.h"
#include "platform/text.h"
#include "registry/internal.h"

/* What the names of data files begin with. */
static const char *const kinds[MDG__CLASSES] = { "seg", "sem", "msg" };

void mdg__object_file_name(const struct mdg__registry *registry, enum mdg__class class, mdg_id id,
                           char ret_name[MDG__FILE_NAME_ROOM])
{
	mdg__file_name(registry, kinds[class], id, ret_name);
}

void mdg__file_name(const struct mdg__registry *registry, const char *kind, mdg_id id,
                    char ret_name[MDG__FILE_NAME_ROOM])
{
	(void)mdg__format(ret_name, MDG__FILE_NAME_ROOM, "%s-%s-%d", kind, registry->number, id);
}

void mdg__setting_file_name(const struct mdg__registry *registry, const char *setting,
                            char ret_name[MDG__FILE_NAME_ROOM])
{
	(void)mdg__format(ret_name, MDG__FILE_NAME_ROOM, "setting-%s-%s", registry->number,
	                  setting);
}

/* Reads 16 hexadecimal digits and a '-'. False: something else is there. */
static bool take_unique(const char **at, uint64_t *ret)
{
	const char *start = *at, *digits = start;
	if (!mdg__parse_number(&digits, 16, ret) || digits - start != 16 || *digits != '-')
		return false;
	*at = digits + 1;
	return true;
}

/* Reads "NUMBER-ID". In the name of a bell more follows. In format 1 there was no NUMBER. */
static void parse_object(const char *at, char end, enum mdg__class class, struct mdg__file *ret)
{
	uint64_t unique = 0, id = 0;
	(void)take_unique(&at, &unique);
	if (mdg__parse_number(&at, 10, &id) && *at == end && id <= INT32_MAX)
		*ret = (struct mdg__file){ true, unique, class, (mdg_id)id };
}

/* The class whose data files have names that begin so, or MDG__CLASSES. */
static enum mdg__class class_of_name(const char *name)
{
	uint32_t class = 0;
	while (class < MDG__CLASSES && (strncmp(name, kinds[class], 3) != 0 || name[3] != '-'))
		class ++;
	return (enum mdg__class) class;
}

bool mdg__file_parse(const char *name, struct mdg__file *ret)
{
	struct mdg__file file = { false, 0, MDG__SEGMENTS, -1 };
	const char *at = name + 8;
	enum mdg__class class = class_of_name(name);
	if (class != MDG__CLASSES)
		parse_object(name + 4, '\0', class, &file);
	else if (strncmp(name, "bell-", 5) == 0)
		parse_object(name + 5, '-', MDG__SEGMENTS, &file);
	else if (strncmp(name, "setting-", 8) == 0)
		file.whole = take_unique(&at, &file.unique);
	else
		return false;
	*ret = file;
	return true;
}

/* ---- reading the directory ------------------------------------------------------ */

static bool look_for_data(const struct mdg__listed *names, void *context)
{
	bool *found = context;
	const char *name;
	for (int64_t at = 0; !*found && (name = mdg__next_name(names, &at)) != NULL;)
		*found = class_of_name(name) != MDG__CLASSES;
	return !*found;
}

bool mdg__has_data_files(int dirfd)
{
	bool found = false;
	mdg__directory_read(dirfd, look_for_data, &found);
	return found;
}

/* ---- strays --------------------------------------------------------------------- */

bool mdg__file_is_stray(const struct mdg__registry *registry, const struct mdg__file *file)
{
	return file->whole && file->unique != registry->unique;
}

static bool remove_read(const struct mdg__listed *names, void *context)
{
	struct mdg__registry *registry = context;
	struct mdg__file file;
	const char *name;
	if (mdg__registry_here(registry) < 0)
		return false;
	for (int64_t at = 0; (name = mdg__next_name(names, &at)) != NULL;)
		if (mdg__file_parse(name, &file) && mdg__file_is_stray(registry, &file))
			(void)mdg__sys_unlinkat(registry->dirfd, name);
	return true;
}

void mdg__remove_strays(struct mdg__registry *registry)
{
	int dirfd = mdg__registry_dirfd(registry);
	if (dirfd >= 0)
		mdg__directory_read(dirfd, remove_read, registry);
}
