/* SPDX-License-Identifier: MIT */
/*
 * files.h - the names of the files beside the registry file.
 */
#ifndef MADANG_REGISTRY_FILES_H
#define MADANG_REGISTRY_FILES_H

#include "registry/registry.h"

#define MDG__FILE_NAME_ROOM 64

/* The name of an object's data file. */
void mdg__object_file_name(const struct mdg__registry *registry, enum mdg__class class, mdg_id id,
                           char ret_name[MDG__FILE_NAME_ROOM]);
/* The name of a file of this namespace that belongs to an object. `kind` is "bell". */
void mdg__file_name(const struct mdg__registry *registry, const char *kind, mdg_id id,
                    char ret_name[MDG__FILE_NAME_ROOM]);
/* The name of the file of a setting (src/segment/settings.c). */
void mdg__setting_file_name(const struct mdg__registry *registry, const char *setting,
                            char ret_name[MDG__FILE_NAME_ROOM]);

/* What the name of a file in a namespace's directory says. */
struct mdg__file {
	bool whole;      /* the name is one that this library gives, now or in format 1 */
	uint64_t unique; /* the number of the file's namespace; 0: a name of format 1 */
	enum mdg__class class;
	mdg_id id; /* of the object to which the file belongs; -1: none */
};
/* Reads a name. False: it is a name of quite another kind. */
bool mdg__file_parse(const char *name, struct mdg__file *ret);
/* Whether the file belongs to a former namespace of this directory. */
bool mdg__file_is_stray(const struct mdg__registry *registry, const struct mdg__file *file);

#endif
