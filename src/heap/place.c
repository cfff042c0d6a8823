/* SPDX-License-Identifier: MIT */
/*
 * place.c - where a heap lies in this process.
 *
 * It lies at a multiple of 64 KiB. After mlockall(MCL_FUTURE) it is not locked: the kernel would
 * fill all of it with pages.
 *
 * HOME addresses lie where neither the kernel, nor malloc, nor a sanitizer puts anything by itself.
 * The maker of the heap chooses one that depends on the heap's identity, so that two heaps seldom
 * have the same one, and that is free in the maker's process.
 */
#include "heap/opening.h"

#include <sys/mman.h>

#include "platform/identity.h"
#include "platform/ownmap.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

#if defined(UNDER_TSAN)
#define HOME_FIRST UINT64_C(0x1000000000) /* ThreadSanitizer allows few ranges */
#define HOME_LAST  UINT64_C(0x8000000000)
#else
#define HOME_FIRST UINT64_C(0x200000000000)
#define HOME_LAST  UINT64_C(0x480000000000)
#endif
/* Where the kernel has 39 bits of addresses. */
#define HOME_FIRST_39 UINT64_C(0x1000000000)
#define HOME_LAST_39  UINT64_C(0x4000000000)
/* In programs of 32 bits: above a program with fixed addresses, and below one without. */
#define HOME_FIRST_32 UINT64_C(0x10000000)
#define HOME_LAST_32  UINT64_C(0x50000000)

/* Memory without access at this address. The segment is attached over it, so that no other thread
 * takes the place in between. -EEXIST: something lies there. */
static int hold_place(uint64_t address, uint64_t length, void **ret)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	if (length > SIZE_MAX || address > UINTPTR_MAX)
		return -ENOMEM;
	void *want = (void *)(uintptr_t)address;
	int rc = mdg__map_unlocked(want, (size_t)length, PROT_NONE, flags, -1, ret);
	if (rc == 0 && *ret != want) { /* Linux before 4.17 takes it for a hint */
		(void)mdg__sys_munmap(*ret, (size_t)length);
		return -EEXIST;
	}
	return rc;
}

static uint64_t whole_pages(uint64_t size)
{
	uint64_t page = mdg__page_size();
	return (size + page - 1) & ~(page - 1);
}

int mdg__heap_attach(mdg_namespace *ns, mdg_id id, uint64_t size, uint64_t home, bool readonly,
                     void **ret)
{
	void *place;
	unsigned flags = readonly ? MDG_RDONLY : 0;
	uint64_t length = whole_pages(size);
	if (home == 0)
		return mdg__segment_attach_aligned(ns, id, MDG__UNIT_BYTES, flags, ret);
	int rc = hold_place(home, length, &place);
	if (rc < 0)
		return rc == -ENOMEM ? rc : MDG_HOME_TAKEN;
	rc = mdg_segment_attach(ns, id, place, flags | MDG_REMAP, ret);
	if (rc < 0)
		(void)mdg__sys_munmap(place, (size_t)length);
	return rc;
}

/* The first and last home address that this machine has. */
static void home_range(uint64_t *ret_first, uint64_t *ret_last)
{
	void *memory;
	if (sizeof(void *) < 8) {
		*ret_first = HOME_FIRST_32;
		*ret_last = HOME_LAST_32;
		return;
	}
	*ret_first = HOME_FIRST;
	*ret_last = HOME_LAST;
	int rc = hold_place(HOME_LAST, MDG__UNIT_BYTES, &memory);
	if (rc == 0)
		(void)mdg__sys_munmap(memory, MDG__UNIT_BYTES);
	if (rc == -ENOMEM || rc == -EINVAL) { /* there are no such addresses */
		*ret_first = HOME_FIRST_39;
		*ret_last = HOME_LAST_39;
	}
}

int mdg__heap_attach_home(mdg_namespace *ns, mdg_id id, uint64_t size, uint64_t *ret_home,
                          void **ret)
{
	enum { TRIES = 64 };
	uint64_t first, last, step = UINT64_C(1) << (sizeof(void *) < 8 ? 26 : 30);
	home_range(&first, &last);
	step *= (size + step - 1) / step;
	if (last - first > UINT64_C(1) << 44 && step < UINT64_C(1) << 40)
		step = UINT64_C(1) << 40;
	uint64_t places = (last - first) / step, at = mdg__random();
	int rc = MDG_HOME_TAKEN;
	for (int i = 0; i < TRIES && places != 0 && rc == MDG_HOME_TAKEN; i++) {
		*ret_home = first + (at++ % places) * step;
		rc = mdg__heap_attach(ns, id, size, *ret_home, false, ret);
	}
	return rc;
}
