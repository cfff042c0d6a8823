/* SPDX-License-Identifier: MIT */
/*
 * command_fuzzer - command lines of the tool.
 *
 * The input is split at line ends into the words after `madang`. The tool itself
 * runs, in this process (main.c is included, with its main renamed), on a
 * namespace that is there. So that it can do no harm it has no slash and no ".."
 * in any word and works in a directory of its own, may make no file above a
 * megabyte, and what starts programs, waits for others or never ends is not
 * fuzzed: run, serve; listen, talk, call; channels --watch. graph finds no
 * program to draw with, and metrics an empty request. Any exit code of the
 * tool's own is right; crashing is not, nor is another code.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/calls.h"
#include "fuzz/target.h"
#include "base/tool.h"

int madang_main(int argc, char **argv);
#define main madang_main
#include "main.c" /* NOLINT(bugprone-suspicious-include): its dispatch() is what is fuzzed */
#undef main

enum { WORDS = 12, WORD = 200, DIRECTORY = 64 };

static char base[DIRECTORY], place[DIRECTORY + 8], given[DIRECTORY + 8];

static int outside; /* where the fuzzer itself works */
static struct rlimit usual;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* All that is in it, directories of directories too. */
static void empty(const char *directory)
{
	DIR *files = opendir(directory);
	struct dirent *entry;
	while (files != NULL && (entry = readdir(files)) != NULL) {
		char path[1024];
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		if (unlink(path) != 0) {
			empty(path);
			(void)rmdir(path);
		}
	}
	if (files != NULL)
		closedir(files);
}

static void tidy_up(void)
{
	empty(base);
	rmdir(base);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(base, sizeof base, "%s/madang-fuzz-XXXXXX",
	         access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(base) == NULL)
		die(base);
	atexit(tidy_up);
	snprintf(place, sizeof place, "%s/here", base);
	snprintf(given, sizeof given, "%s/ns", base);
	signal(SIGXFSZ, SIG_IGN);
	if (mkdir(place, 0700) != 0 || setenv("MADANG_NAMESPACE", given, 1) != 0)
		die(place);
	outside = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (outside < 0 || getrlimit(RLIMIT_FSIZE, &usual) != 0)
		die(".");
	/* `bridge` and `replicate` become another program, which is not to be found. */
	if (setenv("PATH", "/nowhere", 1) != 0 ||
	    setenv("MADANG_BRIDGE", "/nowhere/madang-bridge", 1) != 0 ||
	    freopen("/dev/null", "re", stdin) == NULL || freopen("/dev/null", "we", stdout) == NULL)
		die("/dev/null");
	return 0;
}

/* One segment with a key, one with a name, in a namespace of the ordinary kind. */
static void furnish(void)
{
	mdg_namespace *ns;
	mdg_id id;
	int rc = mdg_namespace_open(&ns, given, NULL);
	if (rc == 0)
		rc = mdg_segment_get(ns, 0x11, 4096, MDG_CREATE | 0600, &id);
	if (rc == 0)
		rc = mdg_segment_create(ns, "weather", 4096, 0640, 0, &id);
	if (rc < 0)
		die(mdg_strerror(rc));
	call_forget_all();
}

/* The tool is where it can do no harm; libFuzzer itself writes larger files, elsewhere. */
static void confine(bool confined)
{
	struct rlimit most = usual;
	if (confined)
		most.rlim_cur = 1 << 20;
	if (setrlimit(RLIMIT_FSIZE, &most) != 0 || (confined ? chdir(place) : fchdir(outside)) != 0)
		die(place);
}

static void tame(char *word)
{
	for (char *at = word; *at != '\0'; at++)
		if (*at == '/' || (at[0] == '.' && at[1] == '.'))
			*at = '_';
}

static bool is_left_out(const char *word)
{
	static const char *const words[] = { "run", "serve", "listen", "talk", "call" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return strncmp(word, "--w", 3) == 0; /* however short --watch is written */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "madang", room[WORDS][WORD + 1];
	char *words[WORDS + 2] = { name };
	int count = 1;
	memset(room, 0, sizeof room);
	for (size_t at = 0; at < size && count <= WORDS; count++) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t length = end != NULL ? (size_t)(end - data) - at : size - at;
		memcpy(room[count - 1], data + at, length < WORD ? length : WORD);
		tame(room[count - 1]);
		words[count] = room[count - 1];
		at += length + 1;
	}
	for (int i = 1; i < count; i++)
		if (is_left_out(words[i]))
			words[i] = room[WORDS - 1] + WORD; /* "" */
	furnish();
	confine(true);
	optind = 0;
	int status = dispatch(count, words);
	confine(false);
	if (status != TOOL_OK && status != TOOL_TROUBLE && status != TOOL_USAGE &&
	    status != TOOL_NOT_FOUND)
		abort();
	fflush(stdout);
	call_forget_all();
	empty(place);
	empty(given);
	return 0;
}
