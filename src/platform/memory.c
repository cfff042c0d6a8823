/* SPDX-License-Identifier: MIT */
/* See memory.h. */
#include "platform/memory.h"

#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "platform/machine.h"
#include "platform/raw.h"

size_t mdg__page_size(void)
{
	static _Atomic size_t known;
	size_t size = known;
	if (size == 0)
		known = size = (size_t)getauxval(AT_PAGESZ);
	return size;
}

size_t mdg__attach_step(void)
{
	return MDG__SHMLBA(mdg__page_size());
}

int mdg__sys_mmap(void *address, size_t length, int protection, int flags, int fd, uint64_t offset,
                  void **ret)
{
	long got = mdg__raw_mmap(address, length, protection, flags, fd, offset, mdg__page_size());
	if ((unsigned long)got >= (unsigned long)-4095L)
		return (int)got;
	*ret = (void *)got;
	return 0;
}

int mdg__sys_munmap(void *address, size_t length)
{
	return (int)MDG__RAW(SYS_munmap, address, length);
}

int mdg__sys_mremap(void *address, size_t old_length, size_t length, int flags, void *new_address,
                    void **ret)
{
	long got = MDG__RAW(SYS_mremap, address, old_length, length, flags, new_address);
	if ((unsigned long)got >= (unsigned long)-4095L)
		return (int)got;
	*ret = (void *)got;
	return 0;
}

int mdg__sys_mprotect(void *address, size_t length, int protection)
{
	return (int)MDG__RAW(SYS_mprotect, address, length, protection);
}

int mdg__sys_madvise(void *address, size_t length, int advice)
{
	return (int)MDG__RAW(SYS_madvise, address, length, advice);
}

int mdg__sys_munlock(void *address, size_t length)
{
	return (int)MDG__RAW(SYS_munlock, address, length);
}
