/* SPDX-License-Identifier: MIT */
/*
 * process.c - which process, and whether it has ended.
 *
 * A process is named by its pid and by the time at which it began, both as /proc/PID/stat has them.
 * That name outlives exec, unlike a lock or a robust list.
 *
 * A process that has ended, and that its parent has not waited for, is a zombie. But a process
 * whose first thread has ended looks like a zombie too, while its other threads go on. So the
 * number of threads is asked as well. A process that has ended has 1.
 */
#include <fcntl.h>
#include <string.h>

#include "platform/epoch.h"
#include "platform/identity.h"
#include "platform/text.h"
#include "semset/internal.h"

struct stat_line {
	char state;
	uint64_t pid, threads, start, memory;
};

enum { STATE = 3, THREADS = 20, START = 22, MEMORY = 23 };

/* Reads one number and the blank before it. */
static bool number_at(const char **at, uint64_t *ret)
{
	if (**at != ' ')
		return false;
	(*at)++;
	if (**at == '-') { /* of no field that we look at */
		*ret = 0;
		while (**at != ' ' && **at != '\0')
			(*at)++;
		return true;
	}
	return mdg__parse_number(at, 10, ret);
}

/* The name in field 2 may contain anything, so the fields are counted from its last ')'. */
static bool parse(const char *text, struct stat_line *ret)
{
	const char *at = text;
	uint64_t value;
	if (!mdg__parse_number(&at, 10, &ret->pid))
		return false;
	at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ' || at[2] == '\0')
		return false;
	ret->state = at[2];
	at += 3;
	for (int field = STATE + 1; field <= MEMORY; field++) {
		if (!number_at(&at, &value))
			return false;
		if (field == THREADS)
			ret->threads = value;
		else if (field == START)
			ret->start = value;
		else if (field == MEMORY)
			ret->memory = value;
	}
	return true;
}

/* 1: read; 0: there is no such process; -1: cannot tell. */
static int read_stat(const char *path, struct stat_line *ret)
{
	char text[1024];
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH ? 0 : -1;
	int64_t length = mdg__sys_read(fd, text, sizeof text - 1);
	(void)mdg__sys_close(fd);
	if (length <= 0)
		return length == -ESRCH ? 0 : -1;
	text[length] = '\0';
	return parse(text, ret) ? 1 : -1;
}

uint64_t mdg__process_start(void)
{
	struct stat_line line;
	/* /proc may be that of another pid namespace. */
	if (read_stat("/proc/self/stat", &line) != 1 || line.pid != (uint64_t)mdg__pid())
		return 0;
	return line.start;
}

enum mdg__ended mdg__process_ended(int32_t pid, uint64_t start)
{
	char path[32];
	struct stat_line line;
	if (pid <= 0 || start == 0)
		return MDG__ENDS_UNKNOWN;
	mdg__format(path, sizeof path, "/proc/%d/stat", pid);
	int rc = read_stat(path, &line);
	if (rc < 0)
		return MDG__ENDS_UNKNOWN;
	if (rc == 0) /* /proc may hide other users' processes */
		return mdg__sys_process_exists(pid) ? MDG__ENDS_UNKNOWN : MDG__HAS_ENDED;
	if (line.start != start)
		return MDG__HAS_ENDED;
	bool zombie = line.state == 'Z' || line.state == 'X' || line.state == 'x';
	return line.threads <= 1 && (zombie || line.memory == 0) ? MDG__HAS_ENDED : MDG__LIVES;
}

enum mdg__ended mdg__process_ended_in(uint32_t own_pids, uint32_t pids, int32_t pid, uint64_t start)
{
	return pids != 0 && pids == own_pids ? mdg__process_ended(pid, start) : MDG__ENDS_UNKNOWN;
}

bool mdg__sleeper_has_ended(const struct mdg__semset_self *self, const struct mdg__sleeper *sleeper)
{
	return mdg__process_ended_in(mdg__pids(self), mdg__load32(&sleeper->pids),
	                             (int32_t)mdg__load32(&sleeper->pid),
	                             mdg__load64(&sleeper->start)) == MDG__HAS_ENDED;
}

bool mdg__named_has_ended(struct mdg__semset *set, const struct mdg__process_name *name)
{
	enum mdg__ended answer =
		mdg__process_ended_in(mdg__pids(&set->self), name->pids, name->pid, name->start);
	if (answer == MDG__ENDS_UNKNOWN)
		return !set->host->pair_lives(set, name->slot1, name->generation);
	return answer == MDG__HAS_ENDED;
}
