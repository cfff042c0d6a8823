/* SPDX-License-Identifier: MIT */
/*
 * read.c - reads what `madang-bench --json` has written, with jansson.
 *
 * Files come from other versions of the program, and from people who edit them. So a member that is
 * missing or of another kind is as if it were not there; only a file that is no results of
 * madang-bench at all is refused.
 */
#include "bench/results/results.h"

#include <string.h>
#include <stdlib.h>

/* Each array that a run may have, and what makes the program measure it. */
static const struct {
	const char *section, *command;
} sections[] = {
	{ "cases", "madang-bench" },
	{ "scale", "madang-bench --scale" },
	{ "parts", "madang-bench --parts" },
	{ "sync", "madang-bench --sync" },
	{ "channel", "madang-bench --channel" },
	{ "ipc", "madang-bench --ipc" },
	{ "heap", "madang-bench --heap" },
	{ "memory", "madang-bench --memory" },
	{ "heap_scale", "madang-bench --heap --scale" },
	{ "sync_scale", "madang-bench --sync --scale" },
	{ "channel_scale", "madang-bench --channel --scale" },
	{ "ipc_scale", "madang-bench --ipc --scale" },
};

bool results_readable(void)
{
	return true;
}

/* ---- members ----------------------------------------------------------------------------- */

const char *results_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

double results_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

bool results_spread(const json_t *object, const char *name, struct spread *ret_spread)
{
	const json_t *spread = json_object_get(object, name);

	if (!json_is_number(json_object_get(spread, "median")))
		return false;
	*ret_spread = (struct spread){ .median = results_number(spread, "median") };
	if (json_is_number(json_object_get(spread, "p10")) &&
	    json_is_number(json_object_get(spread, "p90"))) {
		double samples = results_number(spread, "samples");

		ret_spread->low = results_number(spread, "p10");
		ret_spread->high = results_number(spread, "p90");
		ret_spread->count = samples >= 1 && samples < 1e9 ? (unsigned)samples : 1;
	}
	return true;
}

/* ---- files ------------------------------------------------------------------------------- */

static struct results *results_of(json_t *root, const char *name)
{
	struct results *results;

	if (strcmp(results_text(root, "program"), "madang-bench") != 0) {
		fprintf(stderr,
		        "madang-bench: %s is JSON, but not results of madang-bench; "
		        "`madang-bench --json FILE` writes such files\n",
		        name);
		json_decref(root);
		return NULL;
	}
	results = bench_alloc(sizeof *results);
	snprintf(results->name, sizeof results->name, "%s", name);
	results->root = root;
	return results;
}

struct results *results_load(const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error);

	if (root == NULL) {
		fprintf(stderr, "madang-bench: %s", path);
		if (error.line > 0)
			fprintf(stderr, ", line %d", error.line);
		fprintf(stderr, ": %s\n", error.text);
		return NULL;
	}
	return results_of(root, path);
}

struct results *results_parse(const char *text, size_t length)
{
	json_error_t error;
	json_t *root = json_loadb(text, length, 0, &error);

	if (root == NULL) {
		fprintf(stderr, "madang-bench: the results of this run, line %d: %s\n", error.line,
		        error.text);
		return NULL;
	}
	return results_of(root, "this run");
}

void results_free(struct results *results)
{
	if (results != NULL)
		json_decref(results->root);
	free(results);
}

/* ---- sections ---------------------------------------------------------------------------- */

const char *results_section(const struct settings *settings)
{
	bool scale = settings->scale;

	return settings->parts     ? "parts"
	       : settings->memory  ? "memory"
	       : settings->sync    ? (scale ? "sync_scale" : "sync")
	       : settings->channel ? (scale ? "channel_scale" : "channel")
	       : settings->ipc     ? (scale ? "ipc_scale" : "ipc")
	       : settings->heap    ? (scale ? "heap_scale" : "heap")
	       : scale             ? "scale"
	                           : "cases";
}

static const char *command_of(const char *section)
{
	for (unsigned i = 0; i < sizeof sections / sizeof *sections; i++)
		if (strcmp(sections[i].section, section) == 0)
			return sections[i].command;
	return section;
}

bool results_have(const struct results *results, const char *section)
{
	const char *before = "it has those of ";

	if (json_array_size(json_object_get(results->root, section)) != 0)
		return true;
	fprintf(stderr, "madang-bench: %s has no results of `%s`; ", results->name,
	        command_of(section));
	for (unsigned i = 0; i < sizeof sections / sizeof *sections; i++) {
		if (json_array_size(json_object_get(results->root, sections[i].section)) == 0)
			continue;
		fprintf(stderr, "%s`%s`", before, sections[i].command);
		before = ", ";
	}
	fprintf(stderr, "%s\n", *before == ',' ? "" : "it has none at all");
	return false;
}
