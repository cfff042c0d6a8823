/* SPDX-License-Identifier: MIT */
/*
 * pointers.c - lines "fine C07" to "fine C14" of docs/semantics.md: shmctl and
 * pointers that lead nowhere.
 *
 * The kernel answers EFAULT to all of them. Madang does so for NULL; that others
 * end in SIGSEGV is a listed divergence, so they are tried on the kernel alone.
 * Not with 32 bits: there the C library itself reads and writes the structure.
 */
#include "support/segments.h"

#include <limits.h>

#if ULONG_MAX > UINT32_MAX

static void test_null(int id, int gone)
{
	CHECK_ERRNO("fine C08", EFAULT, shmctl(id, IPC_STAT, NULL));
	CHECK_ERRNO("fine C09", EFAULT, shmctl(id, IPC_SET, NULL));
	CHECK_ERRNO("fine C10", EFAULT, shmctl(gone, IPC_SET, NULL));
	CHECK_ERRNO("fine C10", EINVAL, shmctl(-1, IPC_SET, NULL));
	CHECK_ERRNO("fine C11", EINVAL, shmctl(gone, IPC_STAT, NULL));
	CHECK_ERRNO("fine C12", EFAULT, shmctl(0, IPC_INFO, NULL));
	CHECK_ERRNO("fine C13", EFAULT, shmctl(0, SHM_INFO, NULL));
}

static void test_unmapped(int id, int gone)
{
	struct shmid_ds *nowhere =
		mmap(NULL, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERRNO("fine C11", EINVAL, shmctl(gone, IPC_STAT, nowhere));
	if (!on_kernel())
		return;
	CHECK_ERRNO("fine C07", EFAULT, shmctl(id, IPC_STAT, nowhere));
	CHECK_ERRNO("fine C09", EFAULT, shmctl(id, IPC_SET, nowhere));
	CHECK_ERRNO("fine C10", EFAULT, shmctl(gone, IPC_SET, nowhere));
	CHECK_ERRNO("fine C12", EFAULT, shmctl(0, IPC_INFO, nowhere));
	CHECK_ERRNO("fine C13", EFAULT, shmctl(0, SHM_INFO, nowhere));
	CHECK(mprotect(nowhere, page_size(), PROT_READ) == 0);
	CHECK_ERRNO("fine C14", EFAULT, shmctl(id, IPC_STAT, nowhere));
}

int main(void)
{
	begin();
	int id = make_private(100, 0600), gone = make_private(100, 0600);
	CHECK(shmctl(gone, IPC_RMID, NULL) == 0);
	test_null(id, gone);
	test_unmapped(id, gone);
	CHECK(stat_of(id).shm_perm.mode == 0600);
	return test_result();
}

#else

int main(void)
{
	SKIP("with 32 bits the C library reads and writes the structure itself");
}

#endif
