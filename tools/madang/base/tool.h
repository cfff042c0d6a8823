/* SPDX-License-Identifier: MIT */
/*
 * tool.h - what the commands of madang share.
 *
 * A command is one file (command.h). It prints its output to stdout through stdio, and
 * output_finish checks once, at the end, that all of it arrived. What a person must act on goes to
 * stderr. It says what went wrong, on what, and what to do.
 */
#ifndef MADANG_TOOL_H
#define MADANG_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "madang/segment.h"
#include "reach/reach.h"

#define TOOL_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* What a command returns, and exits with. */
enum tool_exit {
	TOOL_DONE = -1, /* the help was asked for, and is printed; the exit status is 0 */
	TOOL_OK = 0,
	TOOL_TROUBLE = 1,          /* what was asked for could not be done */
	TOOL_USAGE = 2,            /* the command line makes no sense */
	TOOL_TIMEOUT = 124,        /* listen, talk, call, serve: as timeout(1) says it */
	TOOL_NOT_EXECUTABLE = 126, /* run: as shells say it */
	TOOL_NOT_FOUND = 127
};

/* ---- say.c: talking to the person ------------------------------------- */

/* The subcommand that messages speak for; NULL before one is known. */
void say_command(const char *name);
/* One line on stderr: "madang ls: ...". */
void complain(const char *format, ...) TOOL_PRINTF(1, 2);
/* What to do about it: an indented line on stderr, nothing when the text is empty. */
void advise(const char *text);
/* The same as complain, then where to read on; returns TOOL_USAGE. */
int usage_error(const char *format, ...) TOOL_PRINTF(1, 2);
/* For what getopt_long returned that is not an option ('?' or ':'). */
int usage_option(int returned, char **argv);
/* For what is to be a name: TOOL_OK, or it is too short or too long, and that has been said. */
int usage_name(const char *name);
/* Before anything is printed. */
void output_begin(void);
/* Flushes and closes stdout; a failed write turns success into TOOL_TROUBLE and is said. */
int output_finish(int status);

/* ---- parse.c: what a person types ------------------------------------- */

/* Each returns true and fills its result, or false and leaves it alone. */
bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_number);
/* Bytes, with K, M, G or T for powers of 1024. */
bool parse_size(const char *text, uint64_t *ret_bytes);
/* Seconds, with a decimal fraction or none, up to 10^9. */
bool parse_seconds(const char *text, uint64_t *ret_nanoseconds);
/* Octal, 0 to 0777. */
bool parse_mode(const char *text, unsigned *ret_mode);
/* Decimal, 0x hexadecimal or 0 octal, -2^31 to 2^32-1, as System V keys are written. */
bool parse_key(const char *text, int32_t *ret_key);
bool parse_id(const char *text, mdg_id *ret_id);

/* ---- list.c ------------------------------------------------------------ */

/* Room for one item more in a list of `count` items of `size` bytes, which is NULL or came from
 * here. Returns the list, which may have moved. NULL: no memory, and the list is as it was. */
void *list_grow(void *list, size_t count, size_t size);

/* ---- namespace.c: opening, and what to do when that is refused --------- */

#define NAMESPACE_PATH_ROOM 1024
#define ADVICE_ROOM         2600

/* The path that `dir` means: `dir`, or the default one. Returns `room`. */
char *namespace_path(char room[NAMESPACE_PATH_ROOM], const char *dir);
/* As mdg_namespace_open with these options; a failure has been said. -ENOENT under
 * MDG_NS_EXISTING is left to the caller, who knows what a missing namespace means. */
int namespace_open(mdg_namespace **ret_ns, const char *dir,
                   const struct mdg_namespace_options *options);
int namespace_open_existing(mdg_namespace **ret_ns, const char *dir);
/* The same for who only looks: root may look at any user's. The first one says nothing. */
int namespace_try_to_look(mdg_namespace **ret_ns, const char *dir);
int namespace_open_to_look(mdg_namespace **ret_ns, const char *dir);
/* What to do about a code that opening a namespace or a call in one returned; "" for none. */
char *namespace_advice(char room[ADVICE_ROOM], int code, const char *path);
/* Says that the namespace could not be opened: `verb` is "use" or "make". */
void complain_open(int code, const char *dir, const char *verb);
/* Says that a call failed: what was tried, why, what to do. */
void complain_code(int code, const char *dir, const char *format, ...) TOOL_PRINTF(3, 4);

/* ---- remains.c: a namespace that was deleted while it was in use --------- */

struct remains {
	unsigned files; /* data files beside no registry */
	unsigned users; /* processes, as far as /proc shows them */
	int32_t user;   /* one of them */
};
/* Looks for what is left of one in this directory; reads all of /proc. False: nothing. */
bool remains_find(struct remains *ret, const char *path);
char *remains_text(char room[ADVICE_ROOM], const struct remains *remains); /* in room */
const char *remains_advice(const struct remains *remains);
/* Says it on stderr, if there is anything. */
void remains_complain(const char *path);

/* ---- file.c: a file that is written whole or not at all ------------------ */

struct output_file {
	FILE *stream;
	const char *path;
	char *temporary; /* beside it, until output_file_keep; NULL: written to directly */
};
/* Begins to write the file. Readers of `path` see the old file until output_file_keep. What is no
 * regular file (a pipe, a device) is written to directly; "-" is standard output. TOOL_OK, or it
 * has been said. */
int output_file_begin(struct output_file *ret, const char *path);
/* The new file takes the place of the old one. TOOL_OK, or it has been said, and the old file is
 * as it was. */
int output_file_keep(struct output_file *file);
/* The old file stays. */
void output_file_drop(struct output_file *file);

/* ---- preload.c, program.c: for run (and doctor) ------------------------ */

/* The tool's own file. NULL: it cannot be read. */
const struct mdg__image *tool_image(void);
/* Finds libmadang-sysv. False: none, and `room` says where it was looked for. The path may hold
 * $LIB, if libraries for both word sizes are there. */
bool preload_find(char *room, size_t size);
/* Whether the file that this entry of LD_PRELOAD means, for programs like the tool, can be read. */
bool preload_is_readable(const char *entry);
/* Whether an entry of LD_PRELOAD, of so many bytes, means this library for programs like the
 * tool. */
bool preload_is(const char *entry, size_t length, const char *library);

struct program {
	char path[4096];   /* what would be executed; contains a slash */
	char judged[4096]; /* the file the verdict is about: path, or a script's interpreter */
};
/* Looks a program up as execvp does. 0, TOOL_NOT_FOUND or TOOL_NOT_EXECUTABLE. */
int program_find(const char *name, struct program *ret_program);
/* Whether `preload` can reach it. What cannot be read is taken to be reached. */
enum mdg__reach program_reach(struct program *program, const char *preload);

/* ---- strict.c: for run --strict ------------------------------------------ */

/* Finds libmadang-strict beside libmadang-sysv, and sets MADANG_STRICT. TOOL_OK, or it has been
 * said. */
int strict_prepare(const char *sysv, char *ret_strict, size_t size);
/* run/log.c: opens FILE, or standard error for "-", and sets MADANG_LOG. TOOL_OK, or it has been
 * said. `arguments` is the program, for the first line. */
int log_prepare(const char *file, char *const arguments[]);
/* Forbids this process and all that it starts the kernel's own System V shared memory. */
void strict_forbid(void);

#endif
