/* SPDX-License-Identifier: MIT */
/*
 * files.c - the names of a namespace's files, and those that former namespaces left.
 *
 * Each file carries the number of its namespace in its name: seg-NUMBER-ID, sem-NUMBER-ID and
 * msg-NUMBER-ID for the objects of the three classes, bell-NUMBER-ID-..., setting-NUMBER-NAME.
 * A directory outlives its registry: whoever deletes the files in it, a cleaner for instance,
 * does not tell the processes that use them. With the number no process can take a file of the
 * next namespace for one of its own, whatever it does, and however late it learns of that.
 *
 * Strays are files of another number than the registry's. Nobody finds them by name any more;
 * who has them mapped or open keeps them. Removing them must not hit a namespace that was made
 * just now, in the place of ours: so names are read first, then the registry is looked at, and
 * then those names go. If the registry is still the directory's, it was when the names were
 * read; so they were of a namespace before it, and no later one has the same number.
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

/* "16 hexadecimal digits-": false when it is not that. */
static bool take_unique(const char **at, uint64_t *ret)
{
	const char *start = *at, *digits = start;
	if (!mdg__parse_number(&digits, 16, ret) || digits - start != 16 || *digits != '-')
		return false;
	*at = digits + 1;
	return true;
}

/* "NUMBER-ID" and, of a bell, more. Format 1 had names without number. */
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
