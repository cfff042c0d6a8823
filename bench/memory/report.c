/* SPDX-License-Identifier: MIT */
/*
 * report.c - the tables of `madang-bench --memory`, for people and for programs.
 */
#include "bench/memory/memory.h"

#include <string.h>

static const char *const added_name[MEMORY_ADDED] = { "first", "another" };

const char *memory_number_name(enum memory_number number)
{
	static const char *const names[MEMORY_NUMBERS] = { "resident", "share", "private",
		                                           "mappings", "descriptors" };

	return names[number];
}

static const char *side_of(const struct memory_subject *subject)
{
	return subject->other != NULL ? subject->other : "madang";
}

/* ---- text ---------------------------------------------------------------------------- */

static void put_numbers(const struct spread spread[MEMORY_NUMBERS], FILE *out)
{
	for (int n = 0; n < MEMORY_NUMBERS; n++) {
		double is = spread[n].median;

		if (spread[n].count == 0)
			fprintf(out, " %11s", "-");
		else
			fprintf(out, n < MEMORY_MAPPINGS ? " %7.0f KiB" : " %11.0f",
			        n < MEMORY_MAPPINGS ? is / 1024 : is);
	}
}

static void put_row(const char *subject, const char *side, const char *which,
                    const struct spread spread[MEMORY_NUMBERS], const char *what, FILE *out)
{
	fprintf(out, "%-10s %-8s %-8s", subject, side, which);
	put_numbers(spread, out);
	fprintf(out, "  %s\n", what);
}

static void put_files(const struct memory_result *result, FILE *out)
{
	fprintf(out, "\nFiles in the namespace, with two such objects: length, and the memory that "
	             "they have of it.\n");
	for (unsigned subject = 0; subject < memory_subject_count; subject++)
		for (unsigned i = 0; i < result->files[subject]; i++) {
			const struct memory_file *file = &result->file[subject][i];

			fprintf(out, "%-10s %-26s %10.0f KiB %7.0f KiB\n",
			        memory_subjects[subject].name, file->name, file->bytes / 1024,
			        file->allocated / 1024);
		}
}

void memory_report(const struct memory_result *result, FILE *out)
{
	fprintf(out,
	        "Memory that a process has more after it has made an object and used it: the first "
	        "one, and another.\nshare: of a page that n processes use, the nth part; private: "
	        "written, and used by this process alone.\n%-10s %-8s %-8s",
	        "", "", "");
	for (int n = 0; n < MEMORY_NUMBERS; n++)
		fprintf(out, " %11s", memory_number_name((enum memory_number)n));
	fputc('\n', out);
	put_row("libraries", "madang", "loaded", result->libraries,
	        "libmadang and libmadang-sysv, before anything is used", out);
	for (unsigned subject = 0; subject < memory_subject_count; subject++)
		for (int i = 0; i < MEMORY_ADDED; i++)
			put_row(memory_subjects[subject].name, side_of(&memory_subjects[subject]),
			        added_name[i], result->added[subject][i],
			        i == 0 ? memory_subjects[subject].what : "", out);
	put_files(result, out);
}

/* ---- JSON ---------------------------------------------------------------------------- */

static void json_row(struct json *json, const char *subject, const char *side, const char *which,
                     const struct spread spread[MEMORY_NUMBERS])
{
	json_open(json, NULL, '{');
	json_text(json, "subject", subject);
	json_text(json, "side", side);
	json_text(json, "object", which);
	for (int n = 0; n < MEMORY_NUMBERS; n++)
		json_spread(json, memory_number_name((enum memory_number)n), &spread[n]);
	json_close(json, '}');
}

static void json_files(struct json *json, const struct memory_result *result)
{
	json_open(json, "memory_files", '[');
	for (unsigned subject = 0; subject < memory_subject_count; subject++)
		for (unsigned i = 0; i < result->files[subject]; i++) {
			json_open(json, NULL, '{');
			json_text(json, "subject", memory_subjects[subject].name);
			json_text(json, "file", result->file[subject][i].name);
			json_number(json, "bytes", result->file[subject][i].bytes);
			json_number(json, "allocated", result->file[subject][i].allocated);
			json_close(json, '}');
		}
	json_close(json, ']');
}

void memory_json(struct json *json, const struct memory_result *result)
{
	json_open(json, "memory", '[');
	json_row(json, "libraries", "madang", "loaded", result->libraries);
	for (unsigned subject = 0; subject < memory_subject_count; subject++)
		for (int i = 0; i < MEMORY_ADDED; i++)
			json_row(json, memory_subjects[subject].name,
			         side_of(&memory_subjects[subject]), added_name[i],
			         result->added[subject][i]);
	json_close(json, ']');
	json_files(json, result);
}
