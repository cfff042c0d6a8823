/* SPDX-License-Identifier: MIT */
/*
 * words_fuzzer - the tool's parsers and printers, one word at a time.
 *
 * The word is the whole input. What parse.c accepts is compared with what the C
 * library makes of the same text; what show.c and json.c print of it has to be
 * printable, and JSON; and it is taken for a program's file, which program.c
 * judges. Wrong answers end the process as a crash does.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/target.h"
#include "base/json.h"
#include "base/tool.h"

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
			        #condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static int file = -1;
static char file_path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("program", MFD_CLOEXEC);
	HOLDS(file >= 0);
	snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", file);
	return 0;
}

/* ---- parse.c -------------------------------------------------------------------- */

static uint64_t standard(const char *text, int base, char **ret_end)
{
	errno = 0;
	uint64_t value = strtoull(text, ret_end, base);
	HOLDS(errno == 0);
	return value;
}

static void parse(const char *text)
{
	const uint64_t untouched = 0x123456789;
	uint64_t number = untouched, bytes = untouched;
	unsigned mode = 07777;
	int32_t key = 4711;
	mdg_id id = -5;
	char *end;
	if (parse_number(text, 3, 70000, &number))
		HOLDS(number >= 3 && number <= 70000 && number == standard(text, 10, &end) &&
		      *end == '\0');
	else
		HOLDS(number == untouched);
	if (parse_size(text, &bytes)) {
		uint64_t value = standard(text, 10, &end);
		const char *units = "KMGT";
		const char *unit =
			*end == '\0' ? NULL : strchr(units, toupper((unsigned char)*end));
		HOLDS(*end == '\0' || (unit != NULL && end[1] == '\0'));
		for (ptrdiff_t i = 0; unit != NULL && i <= unit - units; i++) {
			HOLDS(value <= UINT64_MAX / 1024);
			value *= 1024;
		}
		HOLDS(bytes == value);
	} else {
		HOLDS(bytes == untouched);
	}
	if (parse_mode(text, &mode))
		HOLDS(mode <= 0777 && mode == standard(text, 8, &end) && *end == '\0');
	else
		HOLDS(mode == 07777);
	if (parse_key(text, &key)) {
		uint64_t value = standard(text + (*text == '-'), 0, &end);
		HOLDS(*end == '\0' &&
		      (uint32_t)key == (uint32_t)(*text == '-' ? 0 - value : value));
	} else {
		HOLDS(key == 4711);
	}
	if (parse_id(text, &id))
		HOLDS(id >= 0 && (uint64_t)id == standard(text, 10, &end) && *end == '\0');
	else
		HOLDS(id == -5);
}

/* ---- show.c and json.c ------------------------------------------------------------ */

static bool is_clean(const char *text, bool lines)
{
	for (size_t length; *text != '\0'; text += length) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			if (!lines || *text != '\n')
				return false;
		length = utf8_length(text);
		if (length == 0)
			return false;
	}
	return true;
}

static void show(const char *text, size_t length)
{
	size_t room = 4 * length + 1, small = length / 2 + 1;
	char *shown = malloc(room);
	HOLDS(shown != NULL);
	show_text(shown, room, text);
	HOLDS(strlen(shown) < room && is_clean(shown, false));
	HOLDS(show_width(shown) <= strlen(shown));
	show_text(shown, small, text); /* cut, but never beyond its room */
	HOLDS(strlen(shown) < small && is_clean(shown, false));
	free(shown);
}

static void write_json(const char *text)
{
	char *written = NULL;
	size_t size = 0;
	struct json json;
	FILE *out = open_memstream(&written, &size);
	HOLDS(out != NULL);
	json_begin(&json, out);
	json_open(&json, NULL, '{');
	json_string(&json, "text", text);
	json_close(&json, '}');
	json_end(&json);
	HOLDS(fclose(out) == 0 && is_clean(written, true));
	/* Within the string: no bare quote, and a backslash only before what it may escape. */
	const char *at = strchr(strchr(written, ':'), '"');
	for (at++; *at != '"'; at++) {
		HOLDS(*at != '\0' && *at != '\n');
		if (*at == '\\') {
			at++;
			HOLDS(*at != '\0' && strchr("\"\\/bfnrtu", *at) != NULL);
		}
	}
	at += strspn(at, "\" \n");
	HOLDS(strcmp(at, "}\n") == 0 || strcmp(at, "}") == 0);
	free(written);
}

/* ---- program.c ------------------------------------------------------------------- */

static void judge(const uint8_t *data, size_t size)
{
	static struct program program;
	/* A script's interpreter would be opened, whatever it is: only itself here. */
	if (size >= 2 && data[0] == '#' && data[1] == '!')
		return;
	HOLDS(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	snprintf(program.path, sizeof program.path, "%s", file_path);
	enum mdg__reach reach = program_reach(&program, file_path);
	/* What is no ELF file is given to a shell. */
	HOLDS(reach <= MDG__REACH_OTHER_LIBC &&
	      (strcmp(program.judged, file_path) == 0 || strcmp(program.judged, "/bin/sh") == 0));
	char lib[MDG__LIB_ROOM] = "";
	HOLDS(!mdg__loader_lib(file_path, lib) || strncmp(lib, "lib", 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	HOLDS(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	parse(text);
	show(text, strlen(text));
	write_json(text);
	judge(data, size);
	free(text);
	return 0;
}
