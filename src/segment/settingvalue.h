/* SPDX-License-Identifier: MIT */
/* settingvalue.h - the value of a setting, in the registry and as text. See settingvalue.c. */
#ifndef MADANG_SEGMENT_SETTINGVALUE_H
#define MADANG_SEGMENT_SETTINGVALUE_H

#include "segment/hostcalls.h"
#include "segment/internal.h"

/* A setting is one number, or several: those of `sem`. */
#define MDG__SETTING_NUMBERS 4u
struct mdg__setting_value {
	unsigned count;
	uint64_t number[MDG__SETTING_NUMBERS];
};

/* As the file in /proc/sys is called. */
const char *mdg__setting_name(enum mdg__setting setting);
/* The value in force, and a newline. Returns the length. */
size_t mdg__setting_write(struct mdg__head *head, enum mdg__setting setting,
                          char ret[MDG__SETTING_ROOM]);
/* The value that stands last in the text. False: none does. */
bool mdg__setting_parse(enum mdg__setting setting, const char *text, size_t length,
                        struct mdg__setting_value *ret);
/* Puts it into force, if the kernel would take it. [lock] */
void mdg__setting_set(struct mdg__registry *registry, enum mdg__setting setting,
                      const struct mdg__setting_value *value);

#endif
