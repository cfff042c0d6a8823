/* SPDX-License-Identifier: MIT */
/*
 * say.c - how madang talks: errors, usage errors, and the check that output arrived.
 *
 * Nothing here ends the process: each function returns the exit code where there is one to return.
 */
#include "base/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *command; /* "ls"; NULL: madang itself */
static int output_error;    /* errno of the first flush that failed; stdio keeps only the fact */

void say_command(const char *name)
{
	command = name;
}

static void say_prefix(void)
{
	/* What was printed before the trouble belongs before it, on one terminal too. */
	if (fflush(stdout) != 0 && output_error == 0)
		output_error = errno;
	if (command != NULL)
		fprintf(stderr, "madang %s: ", command);
	else
		fputs("madang: ", stderr);
}

__attribute__((format(printf, 1, 0))) static void say_line(const char *format, va_list list)
{
	say_prefix();
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
}

void complain(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say_line(format, list);
	va_end(list);
}

void advise(const char *text)
{
	if (text[0] != '\0')
		fprintf(stderr, "  %s\n", text);
}

static int usage_pointer(void)
{
	if (command != NULL)
		fprintf(stderr, "Try 'madang %s --help'.\n", command);
	else
		fputs("Try 'madang --help'.\n", stderr);
	return TOOL_USAGE;
}

int usage_error(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	say_line(format, list);
	va_end(list);
	return usage_pointer();
}

/*
 * getopt_long leaves what it stumbled over in optopt (a short option, or the value of a long one)
 * or, for an unknown long option, only in argv.
 */
int usage_option(int returned, char **argv)
{
	/* Where a value is missing at the end, musl's optind is beyond it. */
	const char *word = argv[optind > 1 ? optind - 1 : 1];
	bool is_long = word != NULL && strncmp(word, "--", 2) == 0;

	if (returned == ':')
		return is_long ? usage_error("option '%s' needs a value", word)
		               : usage_error("option '-%c' needs a value", optopt);
	if (is_long && optopt != 0 && strchr(word, '=') != NULL)
		return usage_error("option '%.*s' takes no value", (int)strcspn(word, "="), word);
	if (word != NULL && (is_long || optopt == 0))
		return usage_error("unknown or ambiguous option '%s'", word);
	return usage_error("unknown option '-%c'", optopt);
}

int usage_name(const char *name)
{
	size_t length = strlen(name);

	if (length > 0 && length <= MDG_NAME_MAX)
		return TOOL_OK;
	return usage_error("a name has 1 to %u bytes, this one %zu", MDG_NAME_MAX, length);
}

void output_begin(void)
{
	/* All of a short answer goes out in output_finish, which then knows why it could not. */
	static char buffer[16384];
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
}

int output_finish(int status)
{
	/* Both are needed: an earlier failed write leaves only ferror, a late one (a full disk
	 * that says so when the file is closed) shows in fclose. */
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fclose(stdout) != 0 && output_error == 0)
		output_error = errno;
	if (!failed && output_error == 0)
		return status;
	fprintf(stderr, "madang%s%s: cannot write the output: %s\n", command ? " " : "",
	        command ? command : "", output_error != 0 ? strerror(output_error) : "write error");
	return status == TOOL_OK ? TOOL_TROUBLE : status;
}
