/* SPDX-License-Identifier: MIT */
/*
 * settingvalue.c - what a setting's value is: where it lies in the registry's head, how it is
 * written and read as text, and which values the kernel would take.
 */
#include "segment/settingvalue.h"

#include <string.h>

static const struct {
	const char *name;
	uint64_t most;
} settings[MDG__SETTINGS] = {
	[MDG__SHMMAX] = { "shmmax", UINT64_MAX },
	[MDG__SHMALL] = { "shmall", UINT64_MAX },
	[MDG__SHMMNI] = { "shmmni", MDG__IDS },
	[MDG__NEXT_ID] = { "shm_next_id", INT32_MAX },
	[MDG__SET_SEM] = { "sem", INT32_MAX },
	[MDG__SET_MSGMAX] = { "msgmax", INT32_MAX },
	[MDG__SET_MSGMNB] = { "msgmnb", INT32_MAX },
	[MDG__SET_MSGMNI] = { "msgmni", MDG__IDS },
	[MDG__SEM_NEXT_ID] = { "sem_next_id", INT32_MAX },
	[MDG__MSG_NEXT_ID] = { "msg_next_id", INT32_MAX },
};

const char *mdg__setting_name(enum mdg__setting setting)
{
	return settings[setting].name;
}

/* Where a number of a setting lies in the registry's head: in one of the two. */
struct field {
	mdg__a32 *narrow;
	mdg__a64 *wide;
};

static struct field field_of(struct mdg__head *head, enum mdg__setting setting, unsigned number)
{
	struct mdg__directory *segments = &head->directory[MDG__SEGMENTS];
	struct mdg__directory *sets = &head->directory[MDG__SEMAPHORE_SETS];
	struct mdg__directory *queues = &head->directory[MDG__MESSAGE_QUEUES];
	const struct field sem[MDG__SETTING_NUMBERS] = { { NULL, &sets->limit[0] },
		                                         { NULL, &sets->total_most },
		                                         { NULL, &sets->limit[1] },
		                                         { &sets->most, NULL } };
	switch (setting) {
	case MDG__SHMMAX:
		return (struct field){ NULL, &head->shmmax_now };
	case MDG__SHMALL:
		return (struct field){ NULL, &head->shmall_now };
	case MDG__SHMMNI:
		return (struct field){ &segments->most, NULL };
	case MDG__NEXT_ID:
		return (struct field){ &segments->next_id1, NULL };
	case MDG__SET_SEM:
		return sem[number];
	case MDG__SET_MSGMAX:
		return (struct field){ NULL, &queues->limit[0] };
	case MDG__SET_MSGMNB:
		return (struct field){ NULL, &queues->limit[1] };
	case MDG__SET_MSGMNI:
		return (struct field){ &queues->most, NULL };
	case MDG__SEM_NEXT_ID:
		return (struct field){ &sets->next_id1, NULL };
	default:
		return (struct field){ &queues->next_id1, NULL };
	}
}

static bool is_next_id(enum mdg__setting setting)
{
	return setting == MDG__NEXT_ID || setting == MDG__SEM_NEXT_ID ||
	       setting == MDG__MSG_NEXT_ID;
}

static size_t add_number(char *at, uint64_t value)
{
	char digits[20];
	size_t count = 0, length = 0;
	do
		digits[count++] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	while (count > 0)
		at[length++] = digits[--count];
	return length;
}

size_t mdg__setting_write(struct mdg__head *head, enum mdg__setting setting,
                          char ret[MDG__SETTING_ROOM])
{
	size_t length = 0;
	unsigned count = setting == MDG__SET_SEM ? MDG__SETTING_NUMBERS : 1;
	for (unsigned i = 0; i < count; i++) {
		struct field field = field_of(head, setting, i);
		uint64_t value =
			field.wide != NULL ? mdg__get64(field.wide) : mdg__get32(field.narrow);
		if (setting == MDG__SET_SEM && value > INT32_MAX)
			value = INT32_MAX; /* scribbled on: it has to fit */
		if (i > 0)
			ret[length++] = '\t';
		if (is_next_id(setting) && value-- == 0) {
			ret[length++] = '-'; /* -1: any */
			value = 1;
		}
		length += add_number(ret + length, value);
	}
	ret[length++] = '\n';
	ret[length] = '\0';
	return length;
}

/* Whether the kernel would take them. If not it says EINVAL, and the old values stay. */
static bool is_allowed(const struct mdg__registry *registry, enum mdg__setting setting,
                       const struct mdg__setting_value *value)
{
	for (unsigned i = 0; i < value->count; i++)
		if (value->number[i] > settings[setting].most)
			return false;
	if (setting == MDG__SET_SEM && value->count == MDG__SETTING_NUMBERS)
		return value->number[3] <= registry->objects[MDG__SEMAPHORE_SETS].capacity;
	return (setting != MDG__SHMMNI || value->number[0] <= registry->segment_capacity) &&
	       (setting != MDG__SET_MSGMNI ||
	        value->number[0] <= registry->objects[MDG__MESSAGE_QUEUES].capacity);
}

void mdg__setting_set(struct mdg__registry *registry, enum mdg__setting setting,
                      const struct mdg__setting_value *value)
{
	if (!is_allowed(registry, setting, value))
		return;
	for (unsigned i = 0; i < value->count; i++) {
		struct field field = field_of(registry->head, setting, i);
		if (field.wide != NULL)
			mdg__put64(registry, field.wide, value->number[i]);
		else
			mdg__put32(registry, field.narrow,
			           (uint32_t)value->number[i] + is_next_id(setting));
	}
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static unsigned digit_of(char c)
{
	return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
	       : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
	       : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
	                              : 99;
}

/* The number that a line begins with, as the kernel reads it: blanks before it, 0x for
 * hexadecimal, 0 for octal, a blank or nothing behind it. *from is moved behind it. */
static bool parse_number(const char **from, const char *end, uint64_t *ret)
{
	const char *at = *from;
	uint64_t value = 0;
	unsigned base = 10;
	while (at < end && is_space(*at))
		at++;
	const char *start = at;
	bool negative = at < end && *at == '-';
	at += negative;
	if (at == end || digit_of(*at) > 9)
		return false;
	if (*at == '0' && end - at > 2 && (at[1] | 32) == 'x' && digit_of(at[2]) < 16) {
		base = 16;
		at += 2;
	} else if (*at == '0') {
		base = 8;
	}
	for (; at < end && digit_of(*at) < base; at++)
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit_of(*at), &value))
			return false;
	if (at - start > 20 || (at < end && *at != ' ' && *at != '\t') || (negative && value != 0))
		return false;
	*ret = value;
	*from = at;
	return true;
}

/* The last line that begins with a number, and of `sem` the further ones in it. */
bool mdg__setting_parse(enum mdg__setting setting, const char *text, size_t length,
                        struct mdg__setting_value *ret)
{
	const char *end = text + length;
	unsigned most = setting == MDG__SET_SEM ? MDG__SETTING_NUMBERS : 1;
	bool found = false;
	for (const char *line = text; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop != NULL ? stop : end;
		struct mdg__setting_value value = { 0 };
		while (value.count < most && parse_number(&line, stop, &value.number[value.count]))
			value.count++;
		if (value.count > 0) {
			*ret = value;
			found = true;
		}
		line = stop + 1;
	}
	return found;
}
