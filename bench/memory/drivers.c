/* SPDX-License-Identifier: MIT */
/*
 * drivers.c - `madang-bench --memory`: starts a driver for each subject, several times, each in a
 * namespace of its own, so that none finds what another has made.
 */
#include "base/progress.h" /* of the tool */
#include "bench/memory/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a driver ------------------------------------------------------------------------ */

static void list_files(const char *dir, struct memory_answer *answer)
{
	DIR *listing = opendir(dir);
	struct dirent *entry;

	if (listing == NULL)
		return;
	while ((entry = readdir(listing)) != NULL && answer->files < MEMORY_FILES_MAX) {
		struct memory_file *file = &answer->file[answer->files];
		struct stat about;

		if (fstatat(dirfd(listing), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(about.st_mode))
			continue;
		snprintf(file->name, sizeof file->name, "%.39s", entry->d_name);
		file->bytes = (double)about.st_size;
		file->allocated = (double)about.st_blocks * 512;
		answer->files++;
	}
	closedir(listing);
}

static bool drive(const struct memory_subject *subject, struct memory_answer *answer)
{
	struct memory_look look[1 + MEMORY_ADDED];

	if (subject->prepare != NULL)
		subject->prepare();
	if (!memory_look("libmadang", &answer->libraries) || !memory_look(NULL, &look[0]) ||
	    !memory_look(NULL, &look[0]))
		return false;
	for (unsigned i = 0; i < MEMORY_ADDED; i++) {
		if (!subject->make(i) || !memory_look(NULL, &look[i + 1]))
			return false;
		for (int n = 0; n < MEMORY_NUMBERS; n++)
			answer->added[i].number[n] = look[i + 1].number[n] - look[i].number[n];
	}
	return true;
}

int memory_driver(const char *subject)
{
	static struct memory_answer answer; /* not on the stack: pages of it would be counted */
	unsigned number = (unsigned)strtoul(subject, NULL, 10);
	const char *dir = getenv("MADANG_NAMESPACE");

	if (number >= memory_subject_count || dir == NULL)
		return 2;
	memset(&answer, 0, sizeof answer);
	answer.done = drive(&memory_subjects[number], &answer);
	if (memory_subjects[number].remove != NULL)
		memory_subjects[number].remove();
	if (memory_subjects[number].other == NULL)
		list_files(dir, &answer);
	return write(STDOUT_FILENO, &answer, sizeof answer) != sizeof answer;
}

/* ---- the benchmark's end ------------------------------------------------------------- */

static void become_driver(unsigned subject, const char *dir, int output)
{
	char number[12];

	snprintf(number, sizeof number, "%u", subject);
	dup2(output, STDOUT_FILENO);
	setenv("MADANG_NAMESPACE", dir, 1);
	execl("/proc/self/exe", "madang-bench", "--memory-driver", number, (char *)NULL);
	_exit(127);
}

static bool ask(unsigned subject, const char *namespace_dir, struct memory_answer *ret_answer)
{
	static unsigned drivers;
	char dir[160];
	int ends[2];
	size_t length = 0;
	ssize_t more;
	pid_t pid;

	snprintf(dir, sizeof dir, "%s/memory-%u", namespace_dir, drivers++);
	if (mkdir(dir, 0700) != 0 || pipe2(ends, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		become_driver(subject, dir, ends[1]);
	close(ends[1]);
	while (length < sizeof *ret_answer &&
	       (more = read(ends[0], (char *)ret_answer + length, sizeof *ret_answer - length)) > 0)
		length += (size_t)more;
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return length == sizeof *ret_answer && ret_answer->done;
}

struct taken {
	struct samples libraries[MEMORY_NUMBERS], added[MEMORY_ADDED][MEMORY_NUMBERS];
};

static void take_answer(const struct memory_answer *answer, struct taken *taken)
{
	for (int n = 0; n < MEMORY_NUMBERS; n++) {
		samples_add(&taken->libraries[n], answer->libraries.number[n]);
		for (int i = 0; i < MEMORY_ADDED; i++)
			samples_add(&taken->added[i][n], answer->added[i].number[n]);
	}
}

static void settle(struct samples *samples, struct spread *ret_spread)
{
	*ret_spread = samples_spread(samples);
	samples_free(samples);
}

void memory_measure(const struct settings *settings, const char *namespace_dir,
                    struct memory_result *ret_result)
{
	unsigned times = settings->quick ? 3 : 9;

	memset(ret_result, 0, sizeof *ret_result);
	for (unsigned subject = 0; subject < memory_subject_count && !stop_asked(); subject++) {
		struct taken taken = { 0 };
		struct memory_answer answer;

		progress_step(memory_subjects[subject].what, subject, memory_subject_count);
		for (unsigned i = 0; i < times && !stop_asked(); i++) {
			if (!ask(subject, namespace_dir, &answer))
				continue;
			take_answer(&answer, &taken);
			ret_result->files[subject] = answer.files;
			memcpy(ret_result->file[subject], answer.file, sizeof answer.file);
		}
		for (int n = 0; n < MEMORY_NUMBERS; n++) {
			settle(&taken.libraries[n], &ret_result->libraries[n]);
			for (int i = 0; i < MEMORY_ADDED; i++)
				settle(&taken.added[i][n], &ret_result->added[subject][i][n]);
		}
	}
	progress_end();
}
