/* SPDX-License-Identifier: MIT */
/*
 * capability.c - "fine P60": what root may do is a matter of capabilities.
 *
 * CAP_IPC_OWNER passes by the mode bits, CAP_SYS_ADMIN lets change and remove,
 * CAP_IPC_LOCK lets lock. A child of root gives one of them up and tries all
 * three on somebody else's segment. The other way round, an ordinary user who
 * was given one of them, is left out: the system does not let him open the
 * other user's data file.
 *
 * The system call's ABI is spelled out, musl comes without <linux/capability.h>.
 */
#include "support/segments.h"

#include <sys/syscall.h>

enum { IPC_LOCK = 14, IPC_OWNER = 15, SYS_ADMIN = 21, OTHER_USER = 12301 };

/* Gives one capability up for good. */
static void drop(unsigned capability)
{
	struct {
		uint32_t version;
		int pid;
	} header = { 0x20080522, 0 }; /* version 3: 64 capabilities in two words each */
	struct {
		uint32_t effective, permitted, inheritable;
	} words[2];
	CHECK(syscall(SYS_capget, &header, words) == 0);
	words[capability / 32].effective &= ~(1u << capability % 32);
	words[capability / 32].permitted &= ~(1u << capability % 32);
	CHECK(syscall(SYS_capset, &header, words) == 0);
}

/* Somebody else's segment, which root may only use by its capabilities. */
static int make_foreign(void)
{
	CHECK(setegid(OTHER_USER) == 0 && seteuid(OTHER_USER) == 0);
	int id = make_private(100, 0600);
	CHECK(seteuid(0) == 0 && setegid(0) == 0);
	return id;
}

static int set_same(int id)
{
	struct shmid_ds same;
	if (shmctl(id % 32768, SHM_STAT_ANY, &same) != id)
		return -1;
	same.shm_perm.mode &= 0777;
	return shmctl(id, IPC_SET, &same);
}

static void try_all(int id, unsigned without)
{
	struct shmid_ds stat;
	if (without == IPC_OWNER) {
		CHECK_ERRNO("fine P60", EACCES, shmat(id, NULL, 0));
		CHECK_ERRNO("fine P60", EACCES, shmat(id, NULL, SHM_RDONLY));
		CHECK_ERRNO("fine P60", EACCES, shmctl(id, IPC_STAT, &stat));
		CHECK_ERRNO("fine P60", EACCES, shmctl(id % 32768, SHM_STAT, &stat));
	} else {
		void *memory = attach(id);
		CHECK_LINE("fine P60, P33", shmctl(id, IPC_STAT, &stat) == 0);
		CHECK_LINE("fine P60, P33", shmdt(memory) == 0);
	}
	if (without == IPC_LOCK) {
		CHECK_ERRNO("fine P60", EPERM, shmctl(id, SHM_LOCK, NULL));
		CHECK_ERRNO("fine P60", EPERM, shmctl(id, SHM_UNLOCK, NULL));
	} else {
		CHECK_LINE("fine P60", shmctl(id, SHM_LOCK, NULL) == 0);
		CHECK_LINE("fine P60", shmctl(id, SHM_UNLOCK, NULL) == 0);
	}
	if (without == SYS_ADMIN) {
		CHECK_ERRNO("fine P60", EPERM, set_same(id));
		CHECK_ERRNO("fine P60", EPERM, shmctl(id, IPC_RMID, NULL));
	} else {
		CHECK_LINE("fine P60", set_same(id) == 0);
		CHECK_LINE("fine P60", shmctl(id, IPC_RMID, NULL) == 0);
	}
}

static void act_without(void *capability)
{
	int id = make_foreign();
	if (capability != NULL)
		drop(*(unsigned *)capability);
	try_all(id, capability != NULL ? *(unsigned *)capability : ~0u);
}

int main(void)
{
	begin();
	if (geteuid() != 0)
		SKIP("only root has capabilities to give up");
	unsigned capabilities[] = { IPC_OWNER, SYS_ADMIN, IPC_LOCK };
	CHECK(in_child(act_without, NULL));
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		CHECK(in_child(act_without, &capabilities[i]));
	return test_result();
}
