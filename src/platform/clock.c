/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the kernel's clocks, read by the kernel's own code.
 *
 * Deadlines are compared with the clock here, and slept for in the kernel. Both must mean the same
 * clock. Some programs define a clock_gettime of their own (libfaketime, test benches). So this
 * file does not call the C library's name but does what that function would do. The kernel maps a
 * small library into each process, the vDSO, which reads clocks without a system call. getauxval
 * tells where the vDSO is. Its symbol table is walked once, and everything that is read from the
 * table is checked to lie within the vDSO.
 *
 * The system call is used where there is no vDSO (qemu-user, valgrind), and on PowerPC, where the
 * functions of the vDSO are called in a way of their own. 32-bit machines have a call with 64-bit
 * seconds since Linux 5.1. Before that, or where a filter forbids that call, the old one is used.
 */
#include "platform/clock.h"

#include <elf.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "platform/raw.h"

struct moment {
	int64_t seconds, nanoseconds;
};

typedef int clock_function(int clock, struct moment *ret);

/* ---- the vDSO's symbol table --------------------------------------------------------------- */

#if defined(__LP64__)
typedef Elf64_Ehdr elf_head;
typedef Elf64_Phdr elf_part;
typedef Elf64_Dyn elf_entry;
typedef Elf64_Sym elf_symbol;
typedef Elf64_Addr elf_address;
#define ELF_KIND ELFCLASS64
#else
typedef Elf32_Ehdr elf_head;
typedef Elf32_Phdr elf_part;
typedef Elf32_Dyn elf_entry;
typedef Elf32_Sym elf_symbol;
typedef Elf32_Addr elf_address;
#define ELF_KIND ELFCLASS32
#endif

#if defined(__s390x__) || defined(__alpha__)
typedef uint64_t hash_word; /* of DT_HASH alone */
#else
typedef uint32_t hash_word;
#endif

struct image {
	const char *start; /* of its first loaded part, which is all of it */
	uintptr_t size;
	uintptr_t address; /* what that part's first byte is called inside */
	const elf_symbol *symbols;
	uintptr_t count;
	const char *names;
	uintptr_t names_size;
};

/* `size` bytes at an address as the image counts addresses. NULL: not all of them lie in the
 * image. */
static const void *within(const struct image *image, uintptr_t address, uintptr_t size)
{
	uintptr_t at = address - image->address;
	return at <= image->size && size <= image->size - at ? image->start + at : NULL;
}

/* Only the hash tables say how many symbols there are. In the newer kind of hash table, the end of
 * the last chain says so. */
static uintptr_t count_by_gnu_hash(const struct image *image, uintptr_t address)
{
	const uint32_t *head = within(image, address, 4 * sizeof(uint32_t));
	if (head == NULL)
		return 0;
	uintptr_t buckets = head[0], first = head[1], bloom = head[2], last = 0;
	if (buckets > image->size || bloom > image->size)
		return 0;
	address += 4 * sizeof(uint32_t) + bloom * sizeof(elf_address);
	const uint32_t *bucket = within(image, address, buckets * sizeof(uint32_t));
	for (uintptr_t i = 0; bucket != NULL && i < buckets; i++)
		last = bucket[i] > last ? bucket[i] : last;
	if (bucket == NULL || last < first)
		return 0;
	address += buckets * sizeof(uint32_t);
	for (;; last++) {
		const uint32_t *chain = within(image, address + (last - first) * sizeof(uint32_t),
		                               sizeof(uint32_t));
		if (chain == NULL)
			return 0;
		if ((*chain & 1) != 0)
			return last + 1;
	}
}

static bool read_dynamic(struct image *image, const elf_entry *entry, uintptr_t count)
{
	uintptr_t symbols = 0, names = 0, hash = 0, gnu_hash = 0;
	for (; count > 0 && entry->d_tag != DT_NULL; entry++, count--) {
		uintptr_t value = (uintptr_t)entry->d_un.d_val;
		switch (entry->d_tag) {
		case DT_SYMTAB:
			symbols = value;
			break;
		case DT_STRTAB:
			names = value;
			break;
		case DT_STRSZ:
			image->names_size = value;
			break;
		case DT_HASH:
			hash = value;
			break;
		case DT_GNU_HASH:
			gnu_hash = value;
			break;
		default:
			break;
		}
	}
	const hash_word *old = hash == 0 ? NULL : within(image, hash, 2 * sizeof(hash_word));
	image->count = old != NULL     ? (uintptr_t)old[1]
	               : gnu_hash != 0 ? count_by_gnu_hash(image, gnu_hash)
	                               : 0;
	if (image->count > image->size / sizeof(elf_symbol))
		return false;
	image->symbols = within(image, symbols, image->count * sizeof(elf_symbol));
	image->names = within(image, names, image->names_size);
	return image->symbols != NULL && image->names != NULL;
}

static bool read_image(struct image *image, uintptr_t base)
{
	const elf_head *head = (const elf_head *)base;
	if (base == 0 || base % 4096 != 0 || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
	    head->e_ident[EI_CLASS] != ELF_KIND || head->e_phentsize != sizeof(elf_part) ||
	    head->e_phoff > 4096 - sizeof(elf_part) ||
	    head->e_phnum > (4096 - head->e_phoff) / sizeof(elf_part))
		return false;
	const elf_part *part = (const elf_part *)(base + (uintptr_t)head->e_phoff), *dynamic = NULL;
	*image = (struct image){ .start = NULL };
	for (int i = 0; i < head->e_phnum; i++) {
		if (part[i].p_type == PT_LOAD && image->start == NULL) {
			image->start = (const char *)base + part[i].p_offset;
			image->size = (uintptr_t)part[i].p_filesz;
			image->address = (uintptr_t)part[i].p_vaddr;
		} else if (part[i].p_type == PT_DYNAMIC) {
			dynamic = &part[i];
		}
	}
	if (image->start == NULL || dynamic == NULL)
		return false;
	const elf_entry *entries =
		within(image, (uintptr_t)dynamic->p_vaddr, (uintptr_t)dynamic->p_filesz);
	return entries != NULL &&
	       read_dynamic(image, entries, (uintptr_t)dynamic->p_filesz / sizeof(elf_entry));
}

/* A function of that name, or NULL. No vDSO has one name in two versions. */
static clock_function *function_of(const struct image *image, const char *name)
{
	size_t length = strlen(name) + 1;
	for (uintptr_t i = 0; i < image->count; i++) {
		const elf_symbol *symbol = &image->symbols[i];
		if ((symbol->st_info & 0xf) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
		    symbol->st_name >= image->names_size ||
		    length > image->names_size - symbol->st_name ||
		    memcmp(image->names + symbol->st_name, name, length) != 0)
			continue;
		const void *code = within(image, (uintptr_t)symbol->st_value, 1);
		clock_function *function;
		memcpy(&function, &code, sizeof(function));
		return function;
	}
	return NULL;
}

/* ---- reading a clock ------------------------------------------------------------------------ */

#if defined(__LP64__)
#define WIDE_NUMBER SYS_clock_gettime
#if defined(__aarch64__) || defined(__s390x__)
#define WIDE_NAME "__kernel_clock_gettime"
#else
#define WIDE_NAME "__vdso_clock_gettime"
#endif
#else
#define WIDE_NUMBER 403 /* SYS_clock_gettime64, the same on every machine */
#define WIDE_NAME   "__vdso_clock_gettime64"
#define NARROW_NAME "__vdso_clock_gettime"
#endif

static int by_call(int clock, struct moment *ret)
{
	long rc = MDG__RAW(WIDE_NUMBER, clock, ret);
#if !defined(__LP64__) && defined(SYS_clock_gettime)
	if (rc == -ENOSYS || rc == -EPERM) {
		struct {
			long seconds, nanoseconds;
		} narrow = { 0, 0 };
		rc = MDG__RAW(SYS_clock_gettime, clock, &narrow);
		*ret = (struct moment){ narrow.seconds, narrow.nanoseconds };
	}
#endif
	return (int)rc;
}

#if defined(NARROW_NAME)
/* From Linux 3.15 to 5.3, a 32-bit vDSO can give a time only as two longs. */
static clock_function *_Atomic narrow_function;

static int by_narrow(int clock, struct moment *ret)
{
	union {
		struct {
			long seconds, nanoseconds;
		} narrow;
		struct moment room;
	} both = { .room = { 0, 0 } };
	int rc = atomic_load_explicit(&narrow_function, memory_order_relaxed)(clock, &both.room);
	*ret = (struct moment){ both.narrow.seconds, both.narrow.nanoseconds };
	return rc;
}
#endif

static int by_first(int clock, struct moment *ret);
static clock_function *_Atomic read_clock = by_first;

static uintptr_t vdso(void)
{
#if defined(__powerpc__)
	return 0;
#else
	int before = errno; /* "not found" would change it */
	uintptr_t base = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
	errno = before;
	return base;
#endif
}

static clock_function *find(void)
{
	struct image image;
	if (!read_image(&image, vdso()))
		return by_call;
	clock_function *function = function_of(&image, WIDE_NAME);
#if defined(NARROW_NAME)
	if (function == NULL) {
		function = function_of(&image, NARROW_NAME);
		atomic_store_explicit(&narrow_function, function, memory_order_relaxed);
		return function != NULL ? by_narrow : by_call;
	}
#endif
	return function != NULL ? function : by_call;
}

/* The first call. Several threads may make it at once, and each finds the same. Release: publishes
 * narrow_function. */
static int by_first(int clock, struct moment *ret)
{
	clock_function *function = find();
	atomic_store_explicit(&read_clock, function, memory_order_release);
	return function(clock, ret);
}

static struct moment now(int clock)
{
	struct moment moment = { 0, 0 };
	/* Acquire: pairs with by_first. */
	if (atomic_load_explicit(&read_clock, memory_order_acquire)(clock, &moment) != 0)
		(void)by_call(clock, &moment);
	return moment;
}

static uint64_t nanoseconds(int clock)
{
	struct moment moment = now(clock);
	return (uint64_t)moment.seconds * 1000000000u + (uint64_t)moment.nanoseconds;
}

#if defined(__x86_64__) && defined(__LP64__)
/* The vDSO of this machine has a function that reads the seconds alone, with one load. */
typedef long seconds_function(long *ret);

static long seconds_by_clock(long *ret)
{
	long seconds = (long)now(CLOCK_REALTIME_COARSE).seconds;
	if (ret != NULL)
		*ret = seconds;
	return seconds;
}

static long seconds_by_first(long *ret);
static seconds_function *_Atomic read_seconds = seconds_by_first;

/* Several threads may make the first call at once, and each finds the same. */
static long seconds_by_first(long *ret)
{
	struct image image;
	seconds_function *function = NULL;
	if (read_image(&image, vdso()))
		function = (seconds_function *)(void (*)(void))function_of(&image, "__vdso_time");
	if (function == NULL)
		function = seconds_by_clock;
	atomic_store_explicit(&read_seconds, function, memory_order_relaxed);
	return function(ret);
}

int64_t mdg__now_seconds(void)
{
	return atomic_load_explicit(&read_seconds, memory_order_relaxed)(NULL);
}
#else
int64_t mdg__now_seconds(void)
{
	return now(CLOCK_REALTIME_COARSE).seconds;
}
#endif

uint64_t mdg__realtime_coarse_nanoseconds(void)
{
	return nanoseconds(CLOCK_REALTIME_COARSE);
}

uint64_t mdg__realtime_nanoseconds(void)
{
	return nanoseconds(CLOCK_REALTIME);
}

uint64_t mdg__monotonic_nanoseconds(void)
{
	return nanoseconds(CLOCK_MONOTONIC);
}

uint64_t mdg__coarse_nanoseconds(void)
{
	return nanoseconds(CLOCK_MONOTONIC_COARSE);
}

uint64_t mdg__boot_nanoseconds(void)
{
	return nanoseconds(CLOCK_BOOTTIME);
}
