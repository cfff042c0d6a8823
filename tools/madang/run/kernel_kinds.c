/* SPDX-License-Identifier: MIT */
/*
 * kernel_kinds.c - madang run: says of ipcs and its kin what in them is not Madang's.
 *
 * Message queues and semaphores are still the kernel's. Most programs need not be told. But ipcs
 * shows Madang's segments beside the kernel's queues and semaphores, and ipcrm --all removes the
 * kernel's. For these programs, and only for them, a line is printed on stderr before they begin.
 */
#include "base/tool.h"

#include <stdio.h>
#include <string.h>

static const char *const shows[] = { "ipcs", "lsipc" }; /* everything, unless a kind is named */
static const char *const others[] = { "ipcrm", "ipcmk" };

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

/* The letters of the kinds that an option names: m or M ours, q, Q, s and S the kernel's, a all.
 * A value that follows its letter has digits, and no further letters of these but x and hexadecimal
 * ones: `-M0xa` ends at its digit. */
static void note_option(const char *option, bool *ours, bool *kernels, bool *help)
{
	static const struct {
		const char *name;
		char letter;
	} names[] = {
		{ "--shm", 'm' }, { "--que", 'q' },  { "--sem", 's' },
		{ "--all", 'a' }, { "--help", 'h' }, { "--version", 'h' },
	};
	char letter = '\0';

	if (option[1] == '-') {
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (strncmp(option, names[i].name, strlen(names[i].name)) == 0)
				letter = names[i].letter;
		*ours |= letter == 'm';
		*help |= letter == 'h';
		*kernels |= letter != '\0' && strchr("qsa", letter) != NULL;
		return;
	}
	for (const char *p = option + 1; *p != '\0' && (*p < '0' || *p > '9'); p++) {
		*ours |= *p == 'm' || *p == 'M';
		*help |= *p == 'h' || *p == 'V';
		*kernels |= strchr("qQsSa", *p) != NULL;
	}
}

bool kernel_kinds_meant(const char *path, char **arguments)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	bool all = is_one_of(name, shows, sizeof shows / sizeof shows[0]);
	bool ours = false, kernels = false, help = false;

	if (!all && !is_one_of(name, others, sizeof others / sizeof others[0]))
		return false;
	for (char **p = arguments + 1; *p != NULL; p++)
		if ((*p)[0] == '-' && (*p)[1] != '\0')
			note_option(*p, &ours, &kernels, &help);
	return !help && (kernels || (all && !ours));
}

void kernel_kinds_note(const char *path, char **arguments)
{
	if (kernel_kinds_meant(path, arguments))
		complain("note: message queues and semaphores are the kernel's; only shared memory "
		         "is "
		         "Madang's");
}
