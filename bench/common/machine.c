/* SPDX-License-Identifier: MIT */
/*
 * machine.c - where a run takes place: what the machine is, so that a later
 * run can be compared, and a namespace directory that is the run's own.
 */
#include "bench/common/bench.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* ---- the namespace ----------------------------------------------------- */

void machine_namespace_make(struct machine *machine)
{
	const char *temporary = getenv("TMPDIR");
	const char *const parents[] = { "/dev/shm", temporary ? temporary : "/tmp" };

	for (unsigned i = 0; i < sizeof parents / sizeof *parents; i++) {
		int length = snprintf(machine->namespace_dir, sizeof machine->namespace_dir,
		                      "%s/madang-bench-XXXXXX", parents[i]);

		if (length >= (int)sizeof machine->namespace_dir)
			continue;
		if (mkdtemp(machine->namespace_dir) != NULL) {
			setenv("MADANG_NAMESPACE", machine->namespace_dir, 1);
			return;
		}
	}
	perror("madang-bench: cannot make a directory for the namespace");
	exit(1);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	(void)about, (void)kind, (void)place;
	return remove(path);
}

void machine_namespace_remove(struct machine *machine)
{
	if (nftw(machine->namespace_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "madang-bench: left behind: %s\n", machine->namespace_dir);
}

/* ---- what the machine is ----------------------------------------------- */

/* Copies the rest of the first line of `path` that begins with `name` and
 * follows a colon; with an empty name, the first line. */
static void first_line(const char *path, const char *name, char *ret_text, size_t room)
{
	char line[512];
	FILE *file = fopen(path, "re");

	snprintf(ret_text, room, "unknown");
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL) {
		const char *text = line;

		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (*name != '\0' && (text = strchr(line, ':')) != NULL)
			text += 1 + strspn(text + 1, " \t");
		if (text != NULL)
			snprintf(ret_text, room, "%.*s", (int)room - 1, text);
		break;
	}
	fclose(file);
}

/* Some systems name the model, some only the part's number. */
static void describe_cpu(struct machine *machine)
{
	static const char *const names[] = { "model name", "Model", "CPU part" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		first_line("/proc/cpuinfo", names[i], machine->cpu, sizeof machine->cpu);
		if (strcmp(machine->cpu, "unknown") != 0)
			return;
	}
}

void machine_describe(struct machine *machine)
{
	struct utsname system;
	time_t now = time(NULL);
	struct tm date;

	describe_cpu(machine);
	if (uname(&system) == 0)
		snprintf(machine->system, sizeof machine->system, "%.64s %.64s %.64s",
		         system.sysname, system.release, system.machine);
	if (gmtime_r(&now, &date) != NULL)
		strftime(machine->date, sizeof machine->date, "%Y-%m-%dT%H:%M:%SZ", &date);
	first_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "", machine->huge_pages,
	           sizeof machine->huge_pages);
	if (getloadavg(&machine->load, 1) != 1)
		machine->load = -1;
	machine->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	machine->page_size = sysconf(_SC_PAGESIZE);
	machine->euid = (long)geteuid();
	machine->pointer_bits = (unsigned)sizeof(void *) * 8;
}
