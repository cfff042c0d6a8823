/* SPDX-License-Identifier: MIT */
/*
 * Group D of docs/semantics.md: shmdt, line by line, with the fine print, and what
 * becomes of a removed segment until its last detach (fine R01 to R60).
 *
 * Which pages one shmdt takes after the program changed its mappings is in
 * mapping.c; detaching by dying is in lifetime.c.
 */
#include "support/check.h"
#include "support/segments.h"
#include "life/peer.h"

#define FAILED ((void *)-1)

static size_t page;

static void wrong_addresses(void)
{
	int id = make_private(2 * page, 0600);
	char *memory = attach(id);
	char *stranger = numbered_pages(1);
	char *nothing = free_pages(1);
	int local = 0;
	CHECK_ERRNO("D1, fine D01", EINVAL, shmdt(memory + 1));
	CHECK_ERRNO("D1", EINVAL, shmdt(memory + page - 1));
	CHECK_ERRNO("D1, fine D02", EINVAL, shmdt(memory + page));
	CHECK_ERRNO("D1", EINVAL, shmdt(memory + page + 1));
	CHECK_ERRNO("D1", EINVAL, shmdt(memory + 2 * page));
	CHECK_ERRNO("D1, fine D03", EINVAL, shmdt(NULL));
	CHECK_ERRNO("D1, fine D04", EINVAL, shmdt(stranger));
	CHECK_ERRNO("D1, fine D05", EINVAL, shmdt(FAILED));
	CHECK_ERRNO("D1", EINVAL, shmdt((char *)FAILED - page + 1));
	CHECK_ERRNO("D1", EINVAL, shmdt(nothing));
	CHECK_ERRNO("D1", EINVAL, shmdt(&local));
	CHECK_ERRNO("D1", EINVAL, shmdt((char *)&local - (uintptr_t)&local % page));
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("D1", stat.shm_nattch == 1 && stat.shm_dtime == 0);
	CHECK_LINE("D1", memory[0] == 0 && memory[2 * page - 1] == 0 && stranger[0] == 1);
	CHECK(shmdt(memory) == 0);
	munmap(stranger, page);
}

static void detach_there(void *arg)
{
	void **place = arg;
	CHECK(shmdt(place[0]) == 0);
}

static void detaching(void)
{
	int id = make_private(page, 0600);
	char *memory = attach(id), *other = attach(id);
	strcpy(other, "left alone");
	CHECK(stat_of(id).shm_dtime == 0);
	time_t since = now_seconds();
	errno = ERANGE;
	CHECK_LINE("D2", shmdt(memory) == 0 && errno == ERANGE);
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("D2, fine D07", stat.shm_nattch == 1 && stat.shm_lpid == getpid());
	CHECK_LINE("D2", recent(stat.shm_dtime, since));
	CHECK_LINE("D2, fine D06", signal_of(read_it, memory) == SIGSEGV);
	CHECK_LINE("D2", strcmp(other, "left alone") == 0);
	CHECK_ERRNO("D3, fine D08, D60", EINVAL, shmdt(memory));
	CHECK_LINE("D3", attached(id) == 1);
	CHECK(shmdt(other) == 0);
	CHECK_ERRNO("D3", EINVAL, shmdt(other));
	CHECK_LINE("D2", attached(id) == 0);
}

/* Each attachment of one segment is itself, also when they lie side by side. */
static void neighbours(void)
{
	int id = make_private(2 * page, 0600);
	char *place = free_pages(6);
	CHECK(shmat(id, place, 0) == place);
	CHECK(shmat(id, place + 2 * page, 0) == place + 2 * page);
	CHECK(shmat(id, place + 4 * page, SHM_RDONLY) == place + 4 * page);
	strcpy(place, "three times");
	CHECK_LINE("fine D61", shmdt(place + 2 * page) == 0 && attached(id) == 2);
	CHECK_LINE("fine D61", signal_of(read_it, place + 2 * page) == SIGSEGV);
	CHECK_LINE("fine D61", strcmp(place, "three times") == 0);
	CHECK_LINE("fine D61", strcmp(place + 4 * page, "three times") == 0);
	CHECK_ERRNO("D1", EINVAL, shmdt(place + 2 * page));
	CHECK_LINE("fine D61", shmdt(place) == 0 && attached(id) == 1);
	CHECK_LINE("fine D61", shmdt(place + 4 * page) == 0 && attached(id) == 0);
}

static void removed_state(int id, key_t key, char *memory, time_t ctime)
{
	struct shmid_ds stat = stat_of(id);
	CHECK_LINE("fine R02", (stat.shm_perm.mode & 07777) == (SHM_DEST | 0640));
	CHECK_LINE("fine R03", stat.shm_perm.__key == IPC_PRIVATE);
	CHECK_LINE("fine R04", stat.shm_ctime == ctime);
	CHECK_ERRNO("fine R03", ENOENT, shmget(key, 0, 0));
	CHECK_LINE("fine R05", shmctl(id, IPC_RMID, NULL) == 0);

	char *again = shmat(id, NULL, 0);
	CHECK_LINE("fine R06", again != FAILED && strcmp(again, "kept") == 0);
	CHECK(shmdt(again) == 0);
	stat.shm_perm.mode = 0600;
	CHECK_LINE("fine R07", shmctl(id, IPC_SET, &stat) == 0);
	stat = stat_of(id);
	CHECK_LINE("fine R07", (stat.shm_perm.mode & 07777) == (SHM_DEST | 0600));
	CHECK_LINE("fine R09", stat.shm_nattch == 1 && strcmp(memory, "kept") == 0);
}

static void wait_for_turn(struct peer *test, void *arg)
{
	(void)arg;
	peer_hear(test);
}

static void removed(void)
{
	key_t key = fresh_key();
	int id = make_segment(key, page, IPC_CREAT | 0640);
	char *memory = attach(id);
	strcpy(memory, "kept");
	time_t ctime = stat_of(id).shm_ctime;
	next_second();
	CHECK_LINE("fine R01", shmctl(id, IPC_RMID, NULL) == 0);
	removed_state(id, key, memory, ctime);

	struct peer child = peer_start(wait_for_turn, NULL);
	CHECK_LINE("fine R08", attached(id) == 2);
	CHECK(peer_finish(&child) == 0);
	CHECK_LINE("fine R08", attached(id) == 1);

	/* The key is free at once, for another segment. */
	int next = make_segment(key, page, IPC_CREAT | IPC_EXCL | 0600);
	CHECK_LINE("fine R03", next != id && shmget(key, 0, 0) == next);
	CHECK_LINE("D6", shmdt(memory) == 0);
	struct shmid_ds stat;
	CHECK_ERRNO("D6, fine R10, R12", EINVAL, shmctl(id, IPC_STAT, &stat));
	CHECK_ERRNO("D6", EINVAL, shmat(id, NULL, 0));
	CHECK_ERRNO("fine R11", EINVAL, shmctl(id, IPC_RMID, NULL));
	CHECK_ERRNO("D6", EINVAL, shmdt(memory));
	CHECK_LINE("D6", attached(next) == 0);
}

/* Two attachments, then a detach by a child that inherited one: the last counts. */
static void last_of_several(void)
{
	int id = make_private(page, 0600);
	void *one = attach(id), *two = attach(id);
	/* 32-bit glibc reads what it points to before it asks the kernel. */
	struct shmid_ds rubbish;
	memset(&rubbish, 0xa5, sizeof(rubbish));
	void *any = sizeof(void *) == 8 ? (void *)8 : (void *)&rubbish;
	CHECK_LINE("fine R60", shmctl(id, IPC_RMID, any) == 0);
	CHECK_LINE("D6", shmdt(one) == 0 && exists(id));
	CHECK(in_child(detach_there, &two));
	CHECK_LINE("D6", attached(id) == 1);
	CHECK_LINE("D6", shmdt(two) == 0 && !exists(id));

	/* Never attached, or no longer: gone at once. */
	id = make_private(page, 0600);
	CHECK(shmdt(attach(id)) == 0);
	CHECK_LINE("D6", exists(id) && shmctl(id, IPC_RMID, NULL) == 0 && !exists(id));
}

int main(void)
{
	begin();
	page = page_size();
	wrong_addresses();
	detaching();
	neighbours();
	removed();
	last_of_several();
	return test_result();
}
