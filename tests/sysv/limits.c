/* SPDX-License-Identifier: MIT */
/*
 * limits.c - line G12 of docs/semantics.md, and its group S: no free id, no page budget.
 *
 * Registered with small limits, which enclose sets when it makes the namespace
 * (on the kernel: the sysctls of an IPC namespace of its own). The limits are
 * read back from IPC_INFO. Limits that change while segments exist are in kernel_limits.c:
 * Madang's are given once.
 */
#include "support/segments.h"

static struct shminfo limits;

static int ids[1024];
static size_t count;

/* Makes one more; its id, or -1. */
static int another(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600);
	if (id >= 0) {
		keep_track(id);
		ids[count++] = id;
	}
	return id;
}

static void remove_all(void)
{
	while (count > 0)
		CHECK(shmctl(ids[--count], IPC_RMID, NULL) == 0);
}

static void test_largest(void)
{
	key_t key = fresh_key();
	CHECK_ERRNO("G4, fine S01", EINVAL, shmget(key, limits.shmmax + 1, IPC_CREAT | 0600));
	CHECK_LINE("G4, fine S02", another(limits.shmmax) >= 0);
	int id = make_segment(key, 100, IPC_CREAT | 0600);
	CHECK_ERRNO("G5, fine S04", EINVAL, shmget(key, limits.shmmax, 0600));
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	remove_all();
}

static void test_page_budget(void)
{
	size_t page = page_size();
	key_t key = fresh_key();
	int found = make_segment(key, page, IPC_CREAT | 0600);
	for (size_t pages = 1; pages + 2 <= limits.shmall; pages += 2)
		CHECK_LINE("G12, fine S05", another(page + 1) >= 0);
	/* An even budget: one page is left, too little for two. */
	CHECK_ERRNO("G12, fine S06", ENOSPC, another(page + 1));
	CHECK_LINE("G12, fine S05", another(1) >= 0);
	CHECK_ERRNO("G12, fine S06", ENOSPC, another(1));
	CHECK_ERRNO("fine S07", EINVAL, another(limits.shmmax + 1));
	CHECK_ERRNO("fine S07", EINVAL, another(0));
	CHECK_LINE("G12: finding needs no budget", shmget(key, 0, IPC_CREAT | 0600) == found);
	CHECK_ERRNO("G12", EEXIST, shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));

	void *memory = attach(found);
	CHECK(shmctl(found, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("fine S08", ENOSPC, another(1));
	CHECK(shmdt(memory) == 0);
	CHECK_LINE("fine S09", another(page) >= 0);
	CHECK_ERRNO("fine S09", ENOSPC, another(1));
	remove_all();
}

static void test_number(void)
{
	for (unsigned long i = 0; i < limits.shmmni; i++)
		CHECK_LINE("G12", another(1) >= 0);
	CHECK_ERRNO("G12, fine S10", ENOSPC, another(1));
	CHECK_ERRNO("G12, fine S10", ENOSPC, shmget(fresh_key(), 1, IPC_CREAT | 0600));

	int last = ids[--count];
	void *memory = attach(last);
	CHECK(shmctl(last, IPC_RMID, NULL) == 0);
	CHECK_ERRNO("fine S11", ENOSPC, another(1));
	CHECK(shmdt(memory) == 0);
	int id = another(1);
	CHECK_LINE("fine S12", id >= 0);
	CHECK_LINE("G11", id != last);
	int highest = 0;
	for (size_t i = 0; i < count; i++)
		if (ids[i] % 32768 > highest)
			highest = ids[i] % 32768;
	CHECK_LINE("C4, fine S15",
	           shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits) == highest);
	remove_all();
}

int main(void)
{
	begin();
	CHECK(shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits) >= 0);
	if (limits.shmmni > 64 || limits.shmall > 100 || limits.shmmax > 81920) {
		fprintf(stderr, "to be run with small limits\n");
		return 1;
	}
	CHECK_LINE("C4, fine S61", limits.shmmin == 1 && limits.shmseg == limits.shmmni);
	test_largest();
	test_page_budget();
	test_number();
	return test_result();
}
