/* SPDX-License-Identifier: MIT */
/*
 * procfs.c - see procfs.h.
 *
 * The files of /proc are read line by line, through a small buffer on the stack. This code runs in
 * signal handlers and in children of threaded programs, where neither malloc nor stdio may be used.
 */
#include "platform/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "platform/sys.h"
#include "platform/text.h"

struct lines {
	int fd;
	size_t used, filled;
	char buffer[1024];
};

/* Puts the next line into `line`, without its end, and cut at `room`. False: no more lines. */
static bool next_line(struct lines *in, char *line, size_t room)
{
	size_t length = 0;
	for (;;) {
		if (in->used == in->filled) {
			int64_t got = mdg__sys_read(in->fd, in->buffer, sizeof in->buffer);
			if (got <= 0)
				return false;
			in->used = 0;
			in->filled = (size_t)got;
		}
		char c = in->buffer[in->used++];
		if (c == '\n')
			break;
		if (length + 1 < room)
			line[length++] = c;
	}
	line[length] = '\0';
	return true;
}

/* Field 22 of /proc/PID/stat: when the process started, in ticks since boot.
 * The command in field 2 may hold anything, so count from its last ')'. */
static enum mdg__answer started_before(const char *folder, uint64_t born_before)
{
	char path[64], text[1024];
	mdg__format(path, sizeof path, "%s/stat", folder);
	int fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return MDG__CANNOT_TELL;
	int64_t length = mdg__sys_read(fd, text, sizeof text - 1);
	(void)mdg__sys_close(fd);
	if (length == -ESRCH)
		return MDG__NO;
	if (length <= 0)
		return MDG__CANNOT_TELL;
	text[length] = '\0';
	const char *at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return MDG__CANNOT_TELL;
	uint64_t ticks;
	at++;
	if (!mdg__parse_number(&at, 10, &ticks))
		return MDG__CANNOT_TELL;
	/* Ticks are 1/100 s on every Linux (USER_HZ). */
	return ticks * 10000000u <= born_before ? MDG__YES : MDG__NO;
}

/* Reads a line of /proc/PID/maps: "start-end perms offset major:minor inode path". Returns true if
 * it is about that inode, with the start in *ret_start. The device is not compared, because on some
 * file systems (btrfs) stat(2) gives another number. */
static bool maps_file(const char *line, ino_t inode, uint64_t *ret_start)
{
	uint64_t end, offset, major_number, minor_number, number;
	const char *at = line;
	if (!mdg__parse_number(&at, 16, ret_start) || *at++ != '-' ||
	    !mdg__parse_number(&at, 16, &end) || *at++ != ' ')
		return false;
	at = strchr(at, ' ');
	if (at == NULL || (at++, !mdg__parse_number(&at, 16, &offset)) || *at++ != ' ' ||
	    !mdg__parse_number(&at, 16, &major_number) || *at++ != ':' ||
	    !mdg__parse_number(&at, 16, &minor_number) || *at++ != ' ' ||
	    !mdg__parse_number(&at, 10, &number))
		return false;
	return number == (uint64_t)inode;
}

/* Asks one folder, /proc/PID or /proc/PID/task/TID. CANNOT_TELL: no lines. */
static enum mdg__answer folder_maps(const char *folder, uint64_t address, ino_t inode)
{
	char path[64], line[256];
	struct lines in = { .used = 0, .filled = 0 };
	mdg__format(path, sizeof path, "%s/maps", folder);
	in.fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (in.fd < 0)
		return MDG__CANNOT_TELL;
	enum mdg__answer answer = MDG__NO;
	uint64_t start;
	while (answer != MDG__YES && next_line(&in, line, sizeof line))
		if (maps_file(line, inode, &start) && start == address)
			answer = MDG__YES;
	(void)mdg__sys_close(in.fd);
	return answer;
}

struct threads_map {
	int32_t pid;
	uint64_t address;
	ino_t inode;
	enum mdg__answer answer;
};

static bool ask_threads_maps(const struct mdg__listed *names, void *context)
{
	struct threads_map *ask = context;
	const char *name;
	char path[64];
	for (int64_t at = 0;
	     ask->answer == MDG__NO && (name = mdg__next_name(names, &at)) != NULL;) {
		if (name[0] == '.')
			continue;
		mdg__format(path, sizeof path, "/proc/%d/task/%s", ask->pid, name);
		ask->answer = folder_maps(path, ask->address, ask->inode);
	}
	return ask->answer == MDG__NO;
}

/* If the first thread of a process has ended, /proc/PID shows no maps. Its other threads show
	 * them. */
static enum mdg__answer threads_map(int32_t pid, uint64_t address, ino_t inode)
{
	struct threads_map ask = { pid, address, inode, MDG__NO };
	char path[64];
	mdg__format(path, sizeof path, "/proc/%d/task", pid);
	(void)mdg__directory_read_path(path, ask_threads_maps, &ask);
	return ask.answer;
}

enum mdg__answer mdg__process_maps(int32_t pid, uint64_t born_before, uint64_t address, ino_t inode)
{
	char folder[32];
	if (pid <= 0)
		return MDG__NO;
	/* Asks the cheap question first, because /proc makes a file for every answer. */
	if (!mdg__sys_process_exists(pid))
		return MDG__NO;
	mdg__format(folder, sizeof folder, "/proc/%d", pid);
	enum mdg__answer answer = started_before(folder, born_before);
	if (answer == MDG__NO)
		return MDG__NO; /* the number is another's by now */
	if (answer == MDG__YES)
		answer = folder_maps(folder, address, inode);
	if (answer == MDG__NO)
		answer = threads_map(pid, address, inode);
	/* /proc may show nothing of another user's process (hidepid), or it ended
	 * just now. */
	if (answer == MDG__CANNOT_TELL && !mdg__sys_process_exists(pid))
		answer = MDG__NO;
	return answer;
}

/* What a thread's status says. */
struct thread_status {
	uint64_t threads, blocked;
	char state;
};

/* Reads the lines "State:", "Threads:" and "SigBlk:", which come in this order. MIPS has 128
 * signals. There the last 64 are read, because no program blocks these alone. */
static bool read_status(const char *path, struct thread_status *ret)
{
	char line[64];
	struct lines in = { .used = 0, .filled = 0 };
	bool threads = false, blocked = false;
	in.fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (in.fd < 0)
		return false;
	while (!(threads && blocked) && next_line(&in, line, sizeof line)) {
		const char *at = line + 8;
		size_t length = strlen(line);
		if (strncmp(line, "State:\t", 7) == 0) {
			ret->state = line[7];
		} else if (strncmp(line, "Threads:", 8) == 0) {
			at += strspn(at, "\t ");
			threads = mdg__parse_number(&at, 10, &ret->threads);
		} else if (strncmp(line, "SigBlk:\t", 8) == 0 && length >= 8 + 16) {
			at = line + length - 16;
			blocked = mdg__parse_number(&at, 16, &ret->blocked);
		}
	}
	(void)mdg__sys_close(in.fd);
	return threads && blocked;
}

/* SIGKILL and SIGSTOP, 9 and 19 (23 on MIPS), cannot be blocked. */
static bool blocks_all(uint64_t blocked)
{
	const uint64_t never = UINT64_C(1) << 8 | UINT64_C(1) << (SIGSTOP - 1);
	return (blocked | never) == UINT64_MAX;
}

struct threads_block {
	int32_t pid, except;
	uint64_t threads; /* the number of threads that the status tells */
	uint64_t seen;    /* as many as the list had */
	enum mdg__answer answer;
};

static bool ask_threads_blocked(const struct mdg__listed *names, void *context)
{
	struct threads_block *ask = context;
	const char *name;
	char path[64];
	for (int64_t at = 0;
	     ask->answer == MDG__NO && (name = mdg__next_name(names, &at)) != NULL;) {
		const char *digits = name;
		struct thread_status status = { 0 };
		uint64_t tid;
		if (!mdg__parse_number(&digits, 10, &tid))
			continue;
		mdg__format(path, sizeof path, "/proc/%d/task/%s/status", ask->pid, name);
		if (!read_status(path, &status))
			ask->answer = MDG__CANNOT_TELL;
		else if ((int32_t)tid != ask->except && blocks_all(status.blocked))
			ask->answer = MDG__YES;
		ask->threads = status.threads;
		ask->seen++;
	}
	return ask->answer == MDG__NO;
}

enum mdg__answer mdg__process_blocks_signals(int32_t pid, int32_t except)
{
	struct threads_block ask = { .pid = pid, .except = except, .answer = MDG__NO };
	char path[64];
	if (pid <= 0)
		return MDG__CANNOT_TELL;
	mdg__format(path, sizeof path, "/proc/%d/task", pid);
	if (!mdg__directory_read_path(path, ask_threads_blocked, &ask))
		return MDG__CANNOT_TELL;
	/* The list may change while it is read, and then leave a thread out. */
	return ask.answer == MDG__NO && ask.seen != ask.threads ? MDG__CANNOT_TELL : ask.answer;
}

enum mdg__answer mdg__thread_sleeps_lightly(int32_t tid)
{
	struct thread_status status = { 0 };
	char path[64];
	mdg__format(path, sizeof path, "/proc/%d/status", tid);
	if (!read_status(path, &status))
		return MDG__CANNOT_TELL;
	bool sleeps = status.state == 'S' || status.state == 'I'; /* idle: of the kernel's own */
	return sleeps && !blocks_all(status.blocked) ? MDG__YES : MDG__NO;
}

bool mdg__mapped_path(int32_t pid, ino_t inode, char path[96])
{
	char line[256];
	struct lines in = { .used = 0, .filled = 0 };
	uint64_t start;
	bool found = false;
	mdg__format(path, 96, "/proc/%d/maps", pid);
	in.fd = mdg__sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (in.fd < 0)
		return false;
	while (!found && next_line(&in, line, sizeof line)) {
		found = maps_file(line, inode, &start);
		line[strcspn(line, " ")] = '\0'; /* "start-end", as it is named there */
	}
	(void)mdg__sys_close(in.fd);
	if (found)
		mdg__format(path, 96, "/proc/%d/map_files/%s", pid, line);
	return found;
}

/* Reads a line of /proc/PID/maps. The name follows five fields and blanks. */
static bool maps_mapping(const char *line, struct mdg__mapping *ret)
{
	const char *at = line;
	if (!mdg__parse_number(&at, 16, &ret->first) || *at++ != '-' ||
	    !mdg__parse_number(&at, 16, &ret->end))
		return false;
	for (int field = 1; field < 5; field++) {
		at += strspn(at, " ");
		at += strcspn(at, " ");
	}
	at += strspn(at, " ");
	mdg__format(ret->name, sizeof ret->name, "%s", at);
	return true;
}

enum mdg__answer mdg__mapping_between(uint64_t first, uint64_t end, struct mdg__mapping *ret)
{
	char line[384]; /* what comes before a name has at most 73 bytes, and blanks */
	struct lines in = { .used = 0, .filled = 0 };
	in.fd = mdg__sys_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY, 0);
	if (in.fd < 0)
		return MDG__CANNOT_TELL;
	enum mdg__answer answer = MDG__NO;
	while (answer == MDG__NO && next_line(&in, line, sizeof line))
		if (!maps_mapping(line, ret))
			answer = MDG__CANNOT_TELL;
		else if (ret->first < end && ret->end > first)
			answer = MDG__YES;
	(void)mdg__sys_close(in.fd);
	return answer;
}
