/* SPDX-License-Identifier: MIT */
/*
 * walks.c - mdg_segment_next, mdg_segment_next_process and what mdg_namespace_info sums up.
 *
 * Segments in the order of their indexes, removed ones that are attached among
 * them; processes that live, each once, with what each has attached; and both
 * while the ground moves: what is removed behind or ahead of the cursor.
 */
#include "unit.h"

#include <signal.h>

enum { COUNT = 200, PROCESSES = 40 };

static mdg_namespace *ns;

/* Everything the walk gives, in its order. */
static int walk(unsigned flags, struct mdg_segment_info *list, int room)
{
	uint32_t cursor = 0;
	int count = 0, rc;
	struct mdg_segment_info info;
	memset(&info, 0xa5, sizeof info);
	info.size = sizeof info;
	errno = 4242;
	while ((rc = mdg_segment_next(ns, &cursor, flags, &info)) == 1) {
		if (count < room)
			list[count] = info;
		count++;
	}
	CHECK_RC(0, rc);
	CHECK_RC(0, mdg_segment_next(ns, &cursor, flags, &info)); /* the end stays the end */
	CHECK(errno == 4242);
	return count;
}

static void segments(void)
{
	static struct mdg_segment_info list[COUNT + 1];
	mdg_id ids[COUNT];
	char name[32];
	CHECK(walk(0, list, COUNT) == 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "segment %d", i);
		CHECK_RC(0, mdg_segment_create(ns, i % 2 ? name : NULL, (uint64_t)i + 1, 0000, 0,
		                               &ids[i]));
	}
	CHECK(walk(0, list, COUNT) == COUNT); /* of which none may be read */
	for (int i = 0; i < COUNT; i++) {
		CHECK(i == 0 || list[i].id % 32768 > list[i - 1].id % 32768);
		CHECK(list[i].id == ids[i] && list[i].bytes == (uint64_t)i + 1 &&
		      list[i].resident == 0 && list[i].creator_alive == 0);
	}
	CHECK(walk(MDG_STAT_RESIDENT | MDG_STAT_CREATOR, list, COUNT) == COUNT);
	for (int i = 0; i < COUNT; i++)
		CHECK(list[i].resident > 0 && list[i].creator_alive == 1);

	/* A removed one that is attached is there, and one that is not is not. */
	void *memory;
	CHECK_RC(0, mdg_segment_set(ns, ids[7], geteuid(), getegid(), 0600));
	CHECK_RC(0, mdg_segment_attach(ns, ids[7], NULL, 0, &memory));
	for (int i = 0; i < COUNT; i += 7)
		CHECK_RC(0, mdg_segment_remove(ns, ids[i]));
	int left = walk(0, list, COUNT), removed = 0;
	for (int i = 0; i < left; i++)
		removed += (list[i].mode & MDG_MODE_REMOVED) != 0;
	CHECK(left == COUNT - (COUNT + 6) / 7 + 1 && removed == 1);
	CHECK_RC(0, mdg_segment_detach(ns, memory));

	/* Each step removes the one it stands on and the one after it. */
	uint32_t cursor = 0;
	struct mdg_segment_info info = { .size = sizeof info };
	int seen = 0;
	while (mdg_segment_next(ns, &cursor, 0, &info) == 1) {
		seen++;
		CHECK_RC(0, mdg_segment_remove(ns, info.id));
		uint32_t ahead = cursor;
		if (mdg_segment_next(ns, &ahead, 0, &info) == 1)
			CHECK_RC(0, mdg_segment_remove(ns, info.id));
	}
	CHECK(seen == left / 2 && walk(0, list, COUNT) == 0);
	cursor = UINT32_MAX;
	CHECK_RC(0, mdg_segment_next(ns, &cursor, 0, &info));
}

/* ---- processes -------------------------------------------------------------------- */

struct hold {
	mdg_id id;
	int times, ready[2], end[2];
};

static pid_t start_holder(struct hold *hold, int times)
{
	hold->times = times;
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	void *memory;
	int rc = 0;
	char byte = 0;
	close(hold->end[1]);
	for (int i = 0; i < times; i++)
		rc |= mdg_segment_attach(ns, hold->id, NULL, 0, &memory);
	byte = rc == 0 ? 'y' : 'n';
	if (write(hold->ready[1], &byte, 1) != 1)
		_exit(1);
	while (read(hold->end[0], &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* What is attached by process pid[i], by the walk; -1 for one that is listed twice
 * or is none of ours. Returns how many are listed. */
static int list_processes(mdg_id id, const pid_t *pids, int *attached)
{
	uint32_t cursor = 0;
	struct mdg_process_info info = { .size = sizeof info };
	int count = 0;
	memset(attached, 0, PROCESSES * sizeof attached[0]);
	memset(&info, 0xa5, sizeof info);
	info.size = sizeof info;
	while (mdg_segment_next_process(ns, id, &cursor, &info) == 1) {
		int i = 0;
		while (i < PROCESSES && pids[i] != info.pid)
			i++;
		CHECK(info.uid == geteuid() && info.same_pid_namespace == 1);
		if (CHECK(i < PROCESSES && attached[i] == 0))
			attached[i] = (int)info.attached;
		count++;
	}
	return count;
}

static void processes(void)
{
	pid_t pids[PROCESSES];
	int attached[PROCESSES];
	struct hold hold;
	struct mdg_process_info info = { .size = sizeof info };
	uint32_t cursor = 0, sum = 0;
	mdg_id other;
	CHECK_RC(0, mdg_segment_create(ns, "held", 1, 0600, 0, &hold.id));
	CHECK_RC(0, mdg_segment_create(ns, "other", 1, 0600, 0, &other));
	CHECK_RC(-EINVAL, mdg_segment_next_process(ns, -1, &cursor, &info));
	CHECK_RC(-EINVAL, mdg_segment_next_process(ns, hold.id + 32768, &cursor, &info));
	CHECK_RC(0, mdg_segment_next_process(ns, hold.id, &cursor, &info));
	CHECK(pipe(hold.ready) == 0 && pipe(hold.end) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		char byte = 'n';
		pids[i] = start_holder(&hold, i % 3 + 1);
		CHECK(read(hold.ready[0], &byte, 1) == 1 && byte == 'y');
		sum += (uint32_t)(i % 3 + 1);
	}
	CHECK(unit_stat(ns, hold.id).attached == sum);
	CHECK(list_processes(hold.id, pids, attached) == PROCESSES);
	for (int i = 0; i < PROCESSES; i++)
		CHECK(attached[i] == i % 3 + 1);
	CHECK(list_processes(other, pids, attached) == 0);
	struct mdg_namespace_info all = { .size = sizeof all };
	CHECK_RC(0, mdg_namespace_info(ns, 0, &all));
	CHECK(all.processes_used >= PROCESSES && all.processes_used <= PROCESSES + 1);

	for (int i = 0; i < PROCESSES; i += 2) {
		CHECK(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
		sum -= (uint32_t)(i % 3 + 1);
	}
	CHECK(list_processes(hold.id, pids, attached) == PROCESSES / 2);
	CHECK(unit_stat(ns, hold.id).attached == sum);
	CHECK_RC(0, mdg_namespace_info(ns, 0, &all));
	CHECK(all.processes_used <= PROCESSES / 2 + 1);
	CHECK_RC(0, mdg_segment_remove(ns, hold.id));
	CHECK(list_processes(hold.id, pids, attached) == PROCESSES / 2);
	close(hold.end[1]);
	for (int i = 1; i < PROCESSES; i += 2)
		CHECK(waitpid(pids[i], NULL, 0) == pids[i]);
	cursor = 0;
	int rc = mdg_segment_next_process(ns, hold.id, &cursor, &info);
	CHECK(rc == -EINVAL || rc == 0);
	CHECK_RC(0, mdg_namespace_info(ns, 0, &all));
	CHECK(all.segments_used == 1); /* nobody has to ask for it */
	CHECK_RC(0, mdg_segment_remove(ns, other));
}

static void totals(void)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	mdg_id a, b;
	CHECK_RC(0, mdg_segment_create(ns, NULL, 1, 0600, 0, &a));
	CHECK_RC(0, mdg_segment_create(ns, NULL, 2 * page + 1, 0600, 0, &b));
	CHECK_RC(0, mdg_namespace_info(ns, 0, &info));
	CHECK(info.segments_used == 2 && info.pages_total == 4 && info.pages_resident == 0);
	CHECK(info.highest_index == (b % 32768 > a % 32768 ? b % 32768 : a % 32768));
	CHECK_RC(0, mdg_namespace_info(ns, MDG_INFO_RESIDENT, &info));
	CHECK(info.pages_resident >= 4);
	CHECK_RC(0, mdg_segment_remove(ns, a));
	CHECK_RC(0, mdg_segment_remove(ns, b));
	CHECK_RC(0, mdg_namespace_info(ns, MDG_INFO_RESIDENT, &info));
	CHECK(info.segments_used == 0 && info.pages_total == 0 && info.pages_resident == 0 &&
	      info.highest_index == 0);
}

int main(void)
{
	ns = unit_open("walks", NULL);
	segments();
	totals();
	processes();
	unit_is_sound(ns);
	return test_result();
}
