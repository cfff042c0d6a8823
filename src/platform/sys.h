/* SPDX-License-Identifier: MIT */
/*
 * sys.h - the system calls Madang is made of.
 *
 * Every function here goes to the kernel by itself, returns a negated errno
 * on failure, and leaves the thread's errno alone. Three reasons not to call
 * the C library's functions of the same names: they are cancellation points
 * (a cancelled thread would leave a lock behind); libmadang-sysv wraps some of
 * them and would call back into us; and a program may have replaced them.
 *
 * It does not retry, except where it says so.
 */
#ifndef MADANG_PLATFORM_SYS_H
#define MADANG_PLATFORM_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* ---- files ---- */
int mdg__sys_openat(int dirfd, const char *path, int flags, unsigned mode);
int mdg__sys_close(int fd);
/* This, reserving and writing zeros: with signals blocked, -EFBIG comes alone,
 * without SIGXFSZ. */
int mdg__sys_ftruncate(int fd, uint64_t size);
/* Reserves [offset, offset+size). Where the file system has no fallocate, zeros
 * are written instead. Call with signals blocked: it starts over after one. */
int mdg__sys_reserve(int fd, uint64_t offset, uint64_t size);
/* Makes a file that ends at `from` longer, and reserves what is new where the file system can:
 * what another has written there meanwhile stays. [signals blocked] */
int mdg__sys_extend(int fd, uint64_t from, uint64_t size);
/* Gives the memory of the whole file back; its size stays. */
int mdg__sys_punch(int fd, uint64_t size);
int mdg__sys_unlinkat(int dirfd, const char *path);
int mdg__sys_mkdir(const char *path, unsigned mode);
int mdg__sys_fchmod(int fd, unsigned mode);
int mdg__sys_chmod(const char *path, unsigned mode); /* follows links */
/* Of the file behind a descriptor, which may be one of O_PATH. */
int mdg__sys_fchown(int fd, uint32_t uid, uint32_t gid);
int mdg__sys_setxattr(const char *path, const char *name, const void *value, size_t size);
int mdg__sys_getxattr(const char *path, const char *name, void *value, size_t size);
int mdg__sys_removexattr(const char *path, const char *name);
/* Whether the effective user may do that (R_OK, W_OK, X_OK) with the path. */
int mdg__sys_may(const char *path, int what);
int mdg__sys_getcwd(char *path, size_t room);
/* Whether a descriptor is open, and of this very file. */
bool mdg__fd_is(int fd, dev_t device, ino_t inode);
/* The same question at a quarter of the price, for a description that nobody
 * reads or writes through: its offset is set to a number that no other has, and
 * asked for. Programs close descriptors they do not know, and the number then
 * comes back as something else. 0: the file cannot be marked so. */
uint64_t mdg__fd_mark(int fd);
bool mdg__fd_is_marked(int fd, uint64_t mark);
int mdg__sys_fstat(int fd, struct stat *ret);
int mdg__sys_statat(int dirfd, const char *path, bool follow, struct stat *ret);
/* Reads up to `room` bytes (restarting after signals): bytes read, or -errno. */
int64_t mdg__sys_read(int fd, void *buffer, size_t room);
int64_t mdg__sys_write(int fd, const void *bytes, size_t size); /* once */
/* The same from a place in the file. */
int64_t mdg__sys_pread(int fd, void *buffer, size_t room, uint64_t offset);
/* Entries of a directory as getdents64(2) gives them. */
int64_t mdg__sys_getdents(int fd, void *buffer, size_t room);
/* Makes an empty regular file without opening it; the umask applies. */
int mdg__sys_mknodat(int dirfd, const char *path, unsigned mode);
int mdg__sys_mkfifoat(int dirfd, const char *path, unsigned mode);
int mdg__sys_fchmodat(int dirfd, const char *path, unsigned mode); /* follows links */
/* Writes `size` zeros at the start. [signals blocked] */
int mdg__sys_write_zeros(int fd, uint64_t size);
/* An anonymous file in memory, numbered as open(2) would number it. */
int mdg__sys_memfd(const char *name, unsigned flags);
/* A duplicate, close-on-exec, numbered at least `lowest`. */
int mdg__sys_dup_above(int fd, int lowest);
int mdg__sys_dup_onto(int fd, int number); /* close-on-exec */
int mdg__sys_keep_in_exec(int fd);         /* not close-on-exec any more */
int mdg__sys_rewind(int fd);               /* the offset, to the start */

/* ---- open-file-description locks on one byte ---- */
int mdg__sys_lock_byte(int fd, uint64_t offset, bool wait); /* -EAGAIN: another has it */
int mdg__sys_unlock_byte(int fd, uint64_t offset);
int mdg__sys_byte_is_locked(int fd, uint64_t offset); /* 1, 0 or -errno; own locks do not count */
int mdg__sys_any_is_locked(int fd);                   /* the same of any byte of the file */

/* ---- memory ---- */
/* The address as intptr_t would be ambiguous on failure: result through ret. */
int mdg__sys_mmap(void *address, size_t length, int protection, int flags, int fd, uint64_t offset,
                  void **ret);
int mdg__sys_munmap(void *address, size_t length);
int mdg__sys_mremap(void *address, size_t old_length, size_t length, int flags, void *new_address,
                    void **ret);
int mdg__sys_mprotect(void *address, size_t length, int protection);
int mdg__sys_madvise(void *address, size_t length, int advice);
size_t mdg__page_size(void);
size_t mdg__attach_step(void); /* what shmat wants addresses to be multiples of: SHMLBA */

/* ---- waiting on a word of memory; shared: the waker may be another process ---- */
int mdg__sys_futex_wait(_Atomic uint32_t *word, uint32_t value, bool shared, uint64_t nanoseconds);
int mdg__sys_futex_wake(_Atomic uint32_t *word, int count, bool shared);
/* The same between processes, until a moment of CLOCK_MONOTONIC (UINT64_MAX: for ever), and only
 * for those whose bits have one in common. */
int mdg__sys_futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t deadline,
                              uint32_t bits);
int mdg__sys_futex_wake_bits(_Atomic uint32_t *word, int count, uint32_t bits);
/* Whether somebody sleeps on the word; true also if the kernel does not say. */
bool mdg__sys_futex_has_sleepers(_Atomic uint32_t *word);

/* ---- signals of the calling thread ---- */
typedef struct {
	uint64_t set[2];
} mdg__sigmask;
void mdg__signals_block(mdg__sigmask *ret_old);
void mdg__signals_restore(const mdg__sigmask *old);

/* Whether there is a process of that number, a zombie included. */
bool mdg__sys_process_exists(int32_t pid);

/* ---- what the program may have, and was told ---- */
/* RLIMIT_..., as it is now; UINT64_MAX: no limit, or it cannot be found out. */
uint64_t mdg__sys_limit(int resource);
uint64_t mdg__sys_memory(void); /* bytes of memory and swap; UINT64_MAX: cannot be found out */
/* getenv(3), for the programs that have one of their own (shells). */
const char *mdg__environment(const char *name);

/* ---- clocks ---- */
int64_t mdg__now_seconds(void); /* CLOCK_REALTIME as the kernel stamps, whole seconds */
uint64_t mdg__realtime_nanoseconds(void);
uint64_t mdg__monotonic_nanoseconds(void);
uint64_t mdg__coarse_nanoseconds(void); /* the same, as of the last tick; cheap */
uint64_t mdg__boot_nanoseconds(void); /* since boot, sleep included; the scale of /proc/PID/stat */

#endif
