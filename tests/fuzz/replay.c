/* SPDX-License-Identifier: MIT */
/*
 * replay - runs a fuzzer's saved inputs, in the order of their names.
 *
 *     NAME_replay FILE-OR-DIRECTORY...
 *
 * A crash or what a sanitizer says ends it; the name of the last input is then the
 * last line but theirs. It fails too when there is no input: then nothing is shown.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/target.h"

enum { INPUT_MOST = 1 << 20 };

static unsigned count;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes = malloc(INPUT_MOST);
	if (file == NULL || bytes == NULL) {
		perror(path);
		exit(1);
	}
	size_t size = fread(bytes, 1, INPUT_MOST, file);
	fclose(file);
	/* Just as many bytes as there are, so that reading beyond them is seen. */
	uint8_t *input = malloc(size > 0 ? size : 1);
	if (input == NULL)
		exit(1);
	memcpy(input, bytes, size);
	free(bytes);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(input, size);
	free(input);
	count++;
}

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_directory(const char *path)
{
	struct dirent **names;
	int found = scandir(path, &names, is_shown, alphasort);
	for (int i = 0; i < found; i++) {
		char file[4096];
		snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
		run_file(file);
		free(names[i]);
	}
	if (found >= 0)
		free(names);
}

int main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		struct stat status;
		if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode))
			run_directory(argv[i]);
		else
			run_file(argv[i]);
	}
	fprintf(stderr, "%u inputs\n", count);
	return count > 0 ? 0 : 1;
}
