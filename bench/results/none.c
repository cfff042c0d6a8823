/* SPDX-License-Identifier: MIT */
/*
 * none.c - in place of this directory's other files, where jansson was not found.
 */
#include "bench/results/results.h"

bool results_readable(void)
{
	fprintf(stderr,
	        "madang-bench: --compare and --plot read JSON with jansson, and this program was "
	        "built without it (Debian: libjansson-dev)\n");
	return false;
}

struct results *results_load(const char *path)
{
	(void)path;
	return NULL;
}

struct results *results_parse(const char *text, size_t length)
{
	(void)text, (void)length;
	return NULL;
}

void results_free(struct results *results)
{
	(void)results;
}

const char *results_section(const struct settings *settings)
{
	(void)settings;
	return "";
}

bool results_have(const struct results *results, const char *section)
{
	(void)results, (void)section;
	return false;
}

int results_compare(const struct results *old, const struct results *new, FILE *out)
{
	(void)old, (void)new, (void)out;
	return 1;
}

bool plot_possible(void)
{
	return false;
}

int results_plot(const struct results *results, const char *path)
{
	(void)results, (void)path;
	return 1;
}
