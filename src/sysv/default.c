/* SPDX-License-Identifier: MIT */
/* default.c - the namespace of the System V calls, and errno for each code. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "sysv/internal.h"

static mdg_namespace *_Atomic kept;

mdg_namespace *mdg__sysv_namespace_if_open(void)
{
	return atomic_load_explicit(&kept, memory_order_acquire);
}

static bool is_lack_of_room(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG; /* the last: RLIMIT_FSIZE */
}

int mdg__sysv_namespace(mdg_namespace **ret_ns)
{
	/* Acquire: pairs with the release by the thread that opened it. */
	mdg_namespace *ns = atomic_load_explicit(&kept, memory_order_acquire);
	if (ns == NULL) {
		/* Two threads may both open it. They get the same object. */
		int rc = mdg_namespace_open(&ns, NULL, NULL);
		if (rc < 0)
			/* Not "no such segment": there is no shared memory here. */
			return rc == -ENOENT || rc == -EINVAL ? -ENOSYS
			       : is_lack_of_room(rc)          ? -ENOMEM
			                                      : rc;
		atomic_store_explicit(&kept, ns, memory_order_release);
	}
	*ret_ns = ns;
	return 0;
}

int mdg__sysv_fail(int code, int in_attach)
{
	switch (code) {
	case MDG_NS_SYMLINK:
	case MDG_NS_OWNER:
	case MDG_NS_WRITABLE:
		errno = EACCES;
		break;
	case MDG_NS_GONE:
		errno = EIDRM;
		break;
	case MDG_NO_SLOT:
		errno = in_attach ? ENOMEM : ENOSPC;
		break;
	case -EMFILE:
	case -ENFILE:
		errno = in_attach ? ENOMEM : ENFILE;
		break;
	case -ENOTDIR:
	case -ELOOP:
	case -ENAMETOOLONG:
	case -EROFS:
		errno = ENOSYS; /* the namespace cannot be had */
		break;
	default:
		/* A registry that cannot be used is no shared memory at all. */
		errno = code < -4095 ? ENOSYS : -code;
	}
	return -1;
}
