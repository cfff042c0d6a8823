/* SPDX-License-Identifier: MIT */
/* identity.c - see identity.h. What /proc says of other processes is in procfs.c. */
#include "platform/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/ofthread.h"
#include "platform/ownmap.h"
#include "platform/raw.h"
#include "platform/sys.h"
#include "platform/text.h"

int32_t mdg__pid(void)
{
	return (int32_t)MDG__RAW(SYS_getpid);
}

int32_t mdg__tid(void)
{
	return (int32_t)MDG__RAW(SYS_gettid);
}

uint32_t mdg__euid(void)
{
#if defined(SYS_geteuid32)
	return (uint32_t)MDG__RAW(SYS_geteuid32);
#else
	return (uint32_t)MDG__RAW(SYS_geteuid);
#endif
}

uint32_t mdg__egid(void)
{
#if defined(SYS_getegid32)
	return (uint32_t)MDG__RAW(SYS_getegid32);
#else
	return (uint32_t)MDG__RAW(SYS_getegid);
#endif
}

/* 0: nobody watches. Otherwise it grows by 2 with each change, and is odd. [A] */
static _Atomic uint32_t identity_turn;

/* What this thread has asked, and in which turn. The kernel keeps a user for each thread. */
static MDG__OF_THREAD struct {
	uint32_t turn, euid, egid;
} remembered;

uint32_t mdg__identity_turn(void)
{
	return atomic_load_explicit(&identity_turn, memory_order_acquire);
}

/* A change between these lines is told after it, so that the turn is over then. A signal handler
 * that comes in between finds nothing remembered. */
static void remember(uint32_t turn)
{
	uint32_t euid = mdg__euid(), egid = mdg__egid();
	remembered.turn = 0;
	atomic_signal_fence(memory_order_seq_cst);
	remembered.euid = euid;
	remembered.egid = egid;
	atomic_signal_fence(memory_order_seq_cst);
	remembered.turn = turn;
}

static bool is_remembered(void)
{
	uint32_t turn = atomic_load_explicit(&identity_turn, memory_order_acquire);
	if (turn != 0 && remembered.turn != turn)
		remember(turn);
	return turn != 0 && remembered.turn == turn;
}

uint32_t mdg__euid_remembered(void)
{
	return is_remembered() ? remembered.euid : mdg__euid();
}

uint32_t mdg__egid_remembered(void)
{
	return is_remembered() ? remembered.egid : mdg__egid();
}

void mdg__identity_watch(void)
{
	uint32_t nobody = 0;
	(void)atomic_compare_exchange_strong(&identity_turn, &nobody, 1);
}

void mdg__identity_changed(void)
{
	if (atomic_load(&identity_turn) != 0)
		(void)atomic_fetch_add(&identity_turn, 2);
}

uint32_t mdg__real_uid(void)
{
#if defined(SYS_getuid32)
	return (uint32_t)MDG__RAW(SYS_getuid32);
#else
	return (uint32_t)MDG__RAW(SYS_getuid);
#endif
}

uint32_t mdg__real_gid(void)
{
#if defined(SYS_getgid32)
	return (uint32_t)MDG__RAW(SYS_getgid32);
#else
	return (uint32_t)MDG__RAW(SYS_getgid);
#endif
}

static long raw_getgroups(int room, uint32_t *groups)
{
#if defined(SYS_getgroups32)
	return MDG__RAW(SYS_getgroups32, room, groups);
#else
	return MDG__RAW(SYS_getgroups, room, groups);
#endif
}

static bool find_group(const uint32_t *groups, long count, uint32_t gid)
{
	for (long i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool mdg__in_group(uint32_t gid)
{
	if (mdg__egid() == gid)
		return true;
	uint32_t few[64] = { 0 };
	long count = raw_getgroups(64, few);
	if (count >= 0)
		return find_group(few, count, gid);
	/* More than 64 groups. There can be 65536 (NGROUPS_MAX), too many for a stack. */
	void *many;
	size_t room = 65536 * sizeof(uint32_t);
	if (mdg__map_own(NULL, room, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &many) < 0)
		return false;
	bool found = find_group(many, raw_getgroups(65536, many), gid);
	(void)mdg__sys_munmap(many, room);
	return found;
}

bool mdg__has_capability(int capability)
{
	/* From <linux/capability.h>, version 3. Not every C library comes with that header. */
	struct {
		uint32_t version;
		int pid;
	} head = { 0x20080522, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} data[2];
	return MDG__RAW(SYS_capget, &head, data) == 0 &&
	       (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

/* faccessat2 asks for the effective user; Linux has it since 5.8. The older call asks for the real
 * user, which is the same in an ordinary process. If the two users differ, the permission bits of
 * the file are looked at instead. */
int mdg__sys_may(const char *path, int what)
{
	enum { FACCESSAT2 = 439 }; /* the same on every machine */
	struct stat status;
	int rc = (int)MDG__RAW(FACCESSAT2, AT_FDCWD, path, what, AT_EACCESS);
	if (rc != -ENOSYS && rc != -EPERM)
		return rc;
	if (getauxval(AT_SECURE) == 0)
		return (int)MDG__RAW(SYS_faccessat, AT_FDCWD, path, what);
	rc = mdg__sys_statat(AT_FDCWD, path, true, &status);
	if (rc < 0)
		return rc;
	unsigned shift = status.st_uid == mdg__euid() ? 6 : mdg__in_group(status.st_gid) ? 3 : 0;
	return ((unsigned)what & ~(status.st_mode >> shift) & 7) == 0 ? 0 : -EACCES;
}

bool mdg__addresses_are_random(void)
{
	const long no_randomize = 0x0040000; /* ADDR_NO_RANDOMIZE, <sys/personality.h> */
	long personality = MDG__RAW(SYS_personality, 0xffffffffu);
	return personality < 0 || (personality & no_randomize) == 0;
}

uint64_t mdg__random(void)
{
	uint64_t value = 0;
	if (MDG__RAW(SYS_getrandom, &value, sizeof value, 1 /* GRND_NONBLOCK */) !=
	    (long)sizeof value)
		value = mdg__boot_nanoseconds() ^ (uint64_t)mdg__pid() << 40;
	return value;
}

uint64_t mdg__boot_id(void)
{
	char text[64];
	int fd = mdg__sys_openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
	if (fd < 0)
		return 0;
	int64_t length = mdg__sys_read(fd, text, sizeof text);
	(void)mdg__sys_close(fd);
	return length > 0 ? mdg__hash(text, (size_t)length) : 0;
}

uint64_t mdg__pid_namespace(void)
{
	struct stat status;
	if (mdg__sys_statat(AT_FDCWD, "/proc/self/ns/pid", true, &status) < 0)
		return 0;
	return (uint64_t)status.st_ino;
}
