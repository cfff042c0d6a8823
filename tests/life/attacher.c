/* SPDX-License-Identifier: MIT */
/*
 * attacher - makes System V calls as it is told, a line each.
 *
 * The other half of crosslife: the same source is built for another word size
 * or another C library, and crosslife talks to it through its standard input
 * and output. Each command is answered by one line with one number, or with
 * the negated errno:
 *
 *     make KEY SIZE MODE    find KEY    attach ID FLAGS    detach
 *     read OFFSET           write OFFSET VALUE             remove ID
 *     stat ID FIELD         fork        close              churn COUNT
 *
 * One segment at a time is attached. `fork` leaves a child that waits to be
 * killed; `close` closes every descriptor but the first three. It ends with its
 * input.
 */
#include "support/check.h"

#include <inttypes.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "life/churn.h"

static char *memory;

static long long or_error(long long result)
{
	return result == -1 ? -(long long)errno : result;
}

static long long make(const char *text)
{
	int key;
	long size;
	unsigned mode;
	if (sscanf(text, "%d %ld %o", &key, &size, &mode) != 3)
		return -EPROTO;
	return or_error(shmget(key, (size_t)size, IPC_CREAT | IPC_EXCL | (int)mode));
}

static long long attach(const char *text)
{
	int id, flags;
	if (sscanf(text, "%d %d", &id, &flags) != 2)
		return -EPROTO;
	void *at = shmat(id, NULL, flags);
	if (at == (void *)-1)
		return -(long long)errno;
	memory = at;
	return 0;
}

static long long detach(void)
{
	int rc = shmdt(memory);
	memory = NULL;
	return or_error(rc);
}

/* A value as crosslife wrote it: eight bytes at any offset. */
static long long read_value(const char *text)
{
	int64_t value;
	if (memory == NULL)
		return -EFAULT;
	memcpy(&value, memory + atol(text), sizeof(value));
	return value;
}

static long long write_value(const char *text)
{
	long offset;
	int64_t value;
	if (memory == NULL || sscanf(text, "%ld %" SCNd64, &offset, &value) != 2)
		return -EPROTO;
	memcpy(memory + offset, &value, sizeof(value));
	return 0;
}

static long long field_of(const struct shmid_ds *stat, const char *field)
{
	const struct {
		const char *name;
		long long value;
	} fields[] = {
		{ "nattch", (long long)stat->shm_nattch },
		{ "segsz", (long long)stat->shm_segsz },
		{ "mode", stat->shm_perm.mode },
		{ "key", stat->shm_perm.__key },
		{ "cpid", stat->shm_cpid },
		{ "lpid", stat->shm_lpid },
		{ "uid", (long long)stat->shm_perm.uid },
		{ "atime", stat->shm_atime },
		{ "dtime", stat->shm_dtime },
		{ "ctime", stat->shm_ctime },
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].name, field) == 0)
			return fields[i].value;
	return -EPROTO;
}

static long long stat_field(const char *text)
{
	struct shmid_ds stat;
	char field[16];
	int id;
	if (sscanf(text, "%d %15s", &id, field) != 2)
		return -EPROTO;
	return shmctl(id, IPC_STAT, &stat) == 0 ? field_of(&stat, field) : -(long long)errno;
}

static long long leave_child(void)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	return or_error(pid);
}

static long long close_all(void)
{
	for (int fd = 3; fd < 65536; fd++)
		close(fd);
	return 0;
}

static long long obey(const char *verb, const char *rest)
{
	if (strcmp(verb, "make") == 0)
		return make(rest);
	if (strcmp(verb, "find") == 0)
		return or_error(shmget(atoi(rest), 0, 0));
	if (strcmp(verb, "attach") == 0)
		return attach(rest);
	if (strcmp(verb, "detach") == 0)
		return detach();
	if (strcmp(verb, "read") == 0)
		return read_value(rest);
	if (strcmp(verb, "write") == 0)
		return write_value(rest);
	if (strcmp(verb, "stat") == 0)
		return stat_field(rest);
	if (strcmp(verb, "remove") == 0)
		return or_error(shmctl(atoi(rest), IPC_RMID, NULL));
	if (strcmp(verb, "fork") == 0)
		return leave_child();
	if (strcmp(verb, "close") == 0)
		return close_all();
	if (strcmp(verb, "churn") == 0)
		return churn(atoi(rest));
	return -EPROTO;
}

int main(void)
{
	char line[128], verb[16];
	int length = 0;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "%15s%n", verb, &length) != 1)
			return 1;
		printf("%lld\n", obey(verb, line + length));
		fflush(stdout);
	}
	return 0;
}
