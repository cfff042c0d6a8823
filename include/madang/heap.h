/* SPDX-License-Identifier: MIT */
/*
 * madang/heap.h - malloc in memory that processes share.
 *
 *     struct node { mdg_ref left, right; int key; };
 *
 *     struct mdg_heap_options options = { .size = sizeof options };
 *     mdg_heap *heap;
 *     int rc = mdg_heap_open(&heap, ns, "trees", &options);
 *     mdg_ref *root;                                    // a place that everybody finds by name
 *     if (rc == 0)
 *             rc = mdg_root(heap, "tree", 0x74726565, 1, &root, MDG_FOREVER);
 *     if (rc == MDG_ROOT_NEW) {                         // we are the first: fill it
 *             struct node *node = mdg_hold(heap, sizeof *node);
 *             *node = (struct node){ .key = 42 };
 *             rc = mdg_publish(heap, node, root, 0);    // now everybody sees it
 *     }
 *     struct node *node = mdg_at(heap, *root);          // in any other program
 *
 * A HEAP has a name in a namespace. It lies in a segment of the same name: the segment's
 * permissions are the heap's, and the heap outlives those who use it until it is removed. Whoever
 * opens it first makes it. Processes that are related by fork, and processes that are not, use it
 * at the same time, each with any number of threads. A block that one of them has allocated may be
 * used, resized and freed by any other.
 *
 * A HOME ADDRESS SHARES DATA, NOT CODE. And WHO MAY WRITE TO A HEAP CAN GIVE ONE BLOCK TO TWO
 * CALLERS. These are the two limits to know first. They are explained below.
 *
 * REFERENCES. Each process has the heap at an address of its own. So what lies in the heap and
 * points into the heap is a reference (mdg_ref): the distance in bytes from the beginning of the
 * heap. It is the same in all processes, whether they are of 32 or 64 bits. 0 is none. mdg_at and
 * mdg_ref_of translate, in a few instructions.
 *
 * HOME. A heap that was made with MDG_HEAP_HOME lies at the same address in every process that
 * opens it so. There, plain pointers into the heap may lie in the heap. That is true of data only:
 * programs that were started apart have their functions and their static variables at addresses
 * of their own. A library that puts the address of one of its functions or static variables into
 * its objects cannot share these objects between such programs. After fork it can.
 *
 * MEMORY. A heap is made with a `maximum`, and takes that much of each process's addresses. It
 * takes memory as it grows, at first as much again as it has, and then 1 MiB at once. Growing moves
 * nothing, and all processes see it at once. If there is no memory, mdg_alloc returns NULL. An
 * access to a block that was given out never raises SIGBUS, with the one exception that somebody
 * has made the file shorter. Pieces of 1 MiB that are wholly free go back to the system, but for
 * `keep` bytes.
 *
 * DEATH. A process or thread may be killed at any instruction. The heap stays whole, nobody waits
 * for the dead, and no block is given out twice. This is what becomes of its blocks:
 *   - A block from mdg_alloc stays allocated, since others may use it. If the dead thread had not
 *     told anybody where it is, it is lost. `madang heap --leaks` lists such blocks.
 *   - A block from mdg_hold is HELD by its thread until the thread publishes, keeps or frees it.
 *     If the thread dies before, the block is free again. If it dies while it publishes, the block
 *     is either published or free. So a program that holds and publishes loses nothing at all.
 * What the dead held is given back by those who need memory next, or by mdg_heap_sweep.
 *
 * PLACES. mdg_publish, mdg_take and mdg_swap change a PLACE: a word of 8 bytes, aligned to 8, in a
 * block or in a root. It contains a reference (or, in a HOME heap and with the functions _ptr, a
 * pointer), or 0. While a thread takes a block out of a place, the place contains for a moment an
 * odd number. mdg_at gives NULL for that, as for 0. If the thread is killed at that moment, later
 * calls find the place empty. Who unlinks a block that others hold, publish or take at the same
 * time must use mdg_take or mdg_swap too, or must be the only one (a lock). A thread that was
 * killed while it published counts as one of them until it is swept. So if the lock says that its
 * owner has died, call mdg_heap_sweep before you unlink a block by an ordinary store. If somebody
 * scribbles an odd number in a place, it is taken for nobody's, and the calls say MDG_BROKEN.
 *
 * READERS WITHOUT LOCKS enclose what they read in mdg_read_begin and mdg_read_end. A block that was
 * taken out of its place is given to mdg_retire instead of mdg_free. It is freed when no reader is
 * inside who may have seen it. A dead reader holds nothing up. A stopped one does.
 *
 * WHAT IS FOUND. mdg_free finds an address where no block begins, one of another heap, and a block
 * that is free already, unless it was given out again. Writes behind the end of a block, and into a
 * block that is free, are found in a checked heap only.
 *
 * CHECKED HEAPS. In a heap that was made with MDG_HEAP_CHECKED, what lies behind a block is looked
 * at when the block is freed, resized, published or kept, and by mdg_heap_check. A block that is
 * free is full of bytes 0xA5, and is not given out again at once. When it is, and by
 * mdg_heap_check, it is looked at whether somebody has written to it. What is found never stops the
 * program. A block that was overrun or written to is SET ASIDE when it is freed or would be given
 * out: it stays allocated, nobody has it, and it keeps what is in it. mdg_heap_check names it, and
 * frees it if it is to repair.
 *
 * ALL WHO SHARE THE HEAP CAN WRITE TO ALL OF IT. A process that scribbles in it can give a block to
 * two callers, and can change what others have written. It cannot make these functions crash, loop
 * for ever, or read or write outside of the heap. But it can take the heap's lock. Who needs the
 * lock waits while its owner lives, also for a thread that is stopped with it (SIGSTOP). If the
 * lock says that a thread has it which does not exist, the first call waits for up to 10 seconds,
 * and all say MDG_BROKEN then. Allocation and freeing need the lock when they need or give back 64
 * KiB.
 *
 * ERRORS. A function that returns int returns 0 or a positive number that its comment names, or one
 * negative code. A function that returns a pointer returns NULL, and mdg_heap_why says why:
 *   -ENOMEM      there is no memory, or the size is larger than any block can be
 *   -EDQUOT      the heap's limit is reached
 *   -EUSERS      all thread slots of the heap are taken by living threads
 *   -EINVAL      the block is none of this heap
 *   -EROFS       the heap was opened with MDG_HEAP_RDONLY
 *   -EBADF       the program has closed the heap
 *   -ENOSYS      the kernel has no robust lists (get_robust_list(2))
 *   -ENOLCK      the thread holds so many locks of <madang/sync.h> that it cannot have a slot
 *   -EBUSY       the caller is a signal handler that has interrupted an operation of
 *                <madang/sync.h>, and it needs a slot
 *   MDG_BROKEN   the heap's memory holds what no call has put there
 * errno is never touched.
 *
 * SAFETY. Any thread may make these calls, on one handle at the same time. mdg_alloc, mdg_free,
 * mdg_hold and the other calls on blocks may be made in signal handlers, also if the handler
 * interrupted such a call. The rest may not, and none may be made in a child of vfork. A handler
 * that interrupted such a call has to return to it. If it leaves by longjmp, the thread uses one
 * slot more from then on, and is slower in this heap. If it forks, its child must not return:
 * parent and child would both get the block that the call was about to give out. A handle stays
 * valid in a forked child, also if the child changes its user, as a file descriptor does. Blocks
 * that the parent's thread holds stay the parent's. The calls use no malloc, are not cancellation
 * points, start no thread, raise no signal, and keep no descriptor.
 */
#ifndef MADANG_HEAP_H
#define MADANG_HEAP_H

#include <madang/base.h>
#include <madang/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- handles and references ------------------------------------------------ */

typedef uint64_t mdg_ref; /* bytes from the beginning of the heap; 0: none */

/* What this process knows of a heap. All its threads use the same one. The two fields are for
 * mdg_at and mdg_ref_of, and are not to be changed. */
typedef struct mdg_heap {
	unsigned char *base; /* where this process has the heap */
	uint64_t extent;     /* bytes from there that may be referred to */
} mdg_heap;

/* The address of what `ref` refers to. NULL: 0, an odd number, or one behind the end. */
static inline void *mdg_at(const mdg_heap *heap, mdg_ref ref)
{
	return ref == 0 || (ref & 1) != 0 || ref >= heap->extent ? NULL : heap->base + (size_t)ref;
}

/* The reference to an address in the heap. 0: NULL, or an address outside. */
static inline mdg_ref mdg_ref_of(const mdg_heap *heap, const void *address)
{
	uint64_t ref = (uint64_t)((uintptr_t)address - (uintptr_t)heap->base);
	return address == NULL || (uintptr_t)address < (uintptr_t)heap->base || ref >= heap->extent
	               ? 0
	               : ref;
}

/* ---- opening ----------------------------------------------------------------- */

#define MDG_HEAP_EXISTING 0x1u /* do not make it: -ENOENT */
#define MDG_HEAP_EXCL     0x2u /* make it: -EEXIST */
#define MDG_HEAP_HOME     0x4u /* the same address in all processes that open it so */
#define MDG_HEAP_RDONLY   0x8u /* only look: no call that changes the heap works */
/* Each block knows who has allocated it, when, and with which tag: 8 bytes more a block. */
#define MDG_HEAP_LABELS 0x10u
/* The heap finds writes behind the end of a block, and into a block that is free. It has labels as
 * well, each block has 16 bytes more, and allocation and freeing take longer. See CHECKED HEAPS. */
#define MDG_HEAP_CHECKED 0x20u

#define MDG_HEAP_MAXIMUM_LEAST 0x100000u                /* 1 MiB */
#define MDG_HEAP_MAXIMUM_MOST  UINT64_C(0x100000000000) /* 16 TiB */
#define MDG_HEAP_MAXIMUM_DEFAULT                                                                   \
	UINT64_C(0x1000000000)                        /* 64 GiB; 256 MiB if a program of 32 bits
                                                            makes the heap */
#define MDG_HEAP_MAXIMUM_32      UINT64_C(0x40000000) /* 1 GiB: what 32 bits can open */
#define MDG_HEAP_THREADS_DEFAULT 1024u
#define MDG_HEAP_THREADS_MOST    16384u
#define MDG_HEAP_KEEP_DEFAULT    UINT64_C(0x4000000) /* 64 MiB */

/* Zero in a field means: as the heap has it; and if the heap is made, the default. */
struct mdg_heap_options {
	uint32_t size;    /* sizeof(struct mdg_heap_options) */
	uint32_t flags;   /* MDG_HEAP_*. LABELS and CHECKED are the maker's; HOME too, see below */
	uint64_t maximum; /* bytes of blocks that the heap can ever have, rounded up to 1 MiB */
	uint64_t limit;   /* bytes of memory that it may take now; default: the maximum. Only the
	                     maker's counts; mdg_heap_limit changes it */
	uint64_t keep;    /* bytes of wholly free pieces that stay; likewise */
	uint64_t address; /* HOME: where. Default: chosen by Madang when the heap is made. For
	                     programs of 32 bits it has to be below 4 GiB */
	uint32_t mode;    /* permission bits of the segment; default 0600 */
	uint32_t threads; /* most threads of all processes at one time, 8 to 16384. A slot takes
	                     512 bytes from its first use on */
};

/* Opens the heap `name`, and makes it if there is none. A heap that is opened twice in one process
 * gives the same handle; close it as often as it was opened.
 * With MDG_HEAP_HOME, the heap must have been made so, and lies at its home address. Without, a
 * HOME heap lies anywhere, and only references may be used.
 * Returns 0, or
 *   -ENOENT            MDG_HEAP_EXISTING or MDG_HEAP_RDONLY, and there is none
 *   -EEXIST            MDG_HEAP_EXCL, and there is one
 *   -EINVAL            `name`, or an option that can never be meant
 *   MDG_NOT_HEAP       the segment of that name is not a heap
 *   MDG_HOME_TAKEN     something else lies at the home address in this process: mdg_heap_home
 *                      says what
 *   MDG_UNLIKE_MAXIMUM the heap has another maximum,
 *   MDG_UNLIKE_FLAGS   was made without the HOME, LABELS or CHECKED that is asked for,
 *   MDG_UNLIKE_HOME    or has another home address than `address`
 *   MDG_VERSION_UNLIKE an incompatible version or machine made it
 *   MDG_BROKEN         it is damaged: mdg_heap_check
 *   or an error of mdg_segment_create and mdg_segment_attach: -EACCES, -ENOMEM, -ENOSPC, ... */
MDG_API int mdg_heap_open(mdg_heap **ret_heap, mdg_namespace *ns, const char *name,
                          const struct mdg_heap_options *options);

/* What lies at the home address of a heap, in this process. */
struct mdg_heap_home_info {
	uint32_t size;          /* sizeof(struct mdg_heap_home_info), set by the caller */
	uint32_t unused;        /* 0 */
	uint64_t address;       /* the home address, */
	uint64_t length;        /* and the bytes that the heap needs there */
	uint64_t taken_address; /* the first mapping that lies there, in part or whole; 0: none */
	uint64_t taken_length;  /* its bytes */
	char taken_by[256];     /* its name in /proc/self/maps: a path, "[heap]", "[stack]". "":
	                           memory without a name, as from malloc. It may be cut */
};

/* Says why mdg_heap_open returns MDG_HOME_TAKEN: what lies where this heap has its home. If there
 * is no such heap, it is the place of the one that these options would make. The heap itself lies
 * there if it is open at its home. Another thread may map or unmap memory meanwhile.
 * Returns 0, or
 *   -ENOENT          there is no such heap, and `options` give no address
 *   MDG_UNLIKE_FLAGS the heap has no home address
 *   -ENOSYS          there is no /proc
 *   or an error of mdg_heap_open */
MDG_API int mdg_heap_home(mdg_namespace *ns, const char *name,
                          const struct mdg_heap_options *options,
                          struct mdg_heap_home_info *ret_info);

/* Takes one mdg_heap_open back. After the last one no thread of this process may use the handle, or
 * a pointer into the heap. What the calling thread holds is given back as if it had died. Blocks
 * stay. NULL is allowed, and does nothing.
 * A call with a handle that is closed says -EBADF, if not more than 15 other heaps were closed
 * since. The heap stays attached, and can be used by a thread of this process that has used it
 * before, until such threads have ended. */
MDG_API void mdg_heap_close(mdg_heap *heap);

/* Removes the heap `name`. Those who have it open go on with it, and its memory is free when the
 * last of them has closed it or ended. Returns 0, or -ENOENT, MDG_NOT_HEAP, or an error of
 * mdg_segment_remove. */
MDG_API int mdg_heap_remove(mdg_namespace *ns, const char *name);

/* Sets the limit: bytes of memory that the heap may take, rounded down to 64 KiB. What it has above
 * the limit already, it keeps. Returns 0, or -EINVAL: above the maximum; -EROFS. */
MDG_API int mdg_heap_limit(mdg_heap *heap, uint64_t limit);

/* Why the last call of this thread on this heap that returned NULL did so: a negative code; 0: none
 * did. */
MDG_API int mdg_heap_why(const mdg_heap *heap);

/* ---- blocks ------------------------------------------------------------------- */

/* A block of at least `size` bytes, aligned to 16. Its content is undefined. A size of 0 gives a
 * block of the least size. NULL: mdg_heap_why. */
MDG_API void *mdg_alloc(mdg_heap *heap, size_t size);

/* A block for `count` things of `size` bytes, all zeros. NULL also if the product overflows. */
MDG_API void *mdg_alloc_zeroed(mdg_heap *heap, size_t count, size_t size);

#define MDG_ALIGNMENT_MOST 65536u

/* As mdg_alloc, aligned to `alignment`: a power of two up to MDG_ALIGNMENT_MOST, else -EINVAL. */
MDG_API void *mdg_alloc_aligned(mdg_heap *heap, size_t alignment, size_t size);

/* Makes a block larger or smaller, if need be by copying it. NULL: `block` is as it was. With a
 * `block` of NULL it is mdg_alloc. Size 0 gives a block of the least size, and does not free. A
 * held block stays held. While it is copied the thread holds the copy too, so -ENOSPC from
 * mdg_heap_why: it holds MDG_HELD_MOST. MDG_OVERRUN: the block of a checked heap was overrun. */
MDG_API void *mdg_realloc(mdg_heap *heap, void *block, size_t size);

/* Frees a block that any thread of any process has allocated. NULL is allowed, and does nothing.
 * Returns 0, or
 *   -EINVAL          no block of this heap begins there
 *   MDG_FREED_TWICE  the block is free already
 *   -EBUSY           another thread holds it
 *   MDG_OVERRUN      in a checked heap: somebody has written behind its end. It is set aside. So it
 *                    is not free, and is nobody's any more
 *   -EROFS, -EUSERS, -ENOSYS, MDG_BROKEN */
MDG_API int mdg_free(mdg_heap *heap, void *block);

/* The bytes that the block really has: at least those that were asked for. 0: no block begins
 * there, or it is free. In a checked heap, exactly those that were asked for. 0 also if the block
 * is set aside, or if what lies behind it is damaged. */
MDG_API size_t mdg_usable_size(mdg_heap *heap, const void *block);

#define MDG_TAG_MOST 0xfffffu /* a tag has 20 bits */

/* The tag that blocks of this thread get from now on, in a heap with labels. Returns the one
 * before; at first it is 0. */
MDG_API uint32_t mdg_alloc_tag(mdg_heap *heap, uint32_t tag);

/* ---- exact under kill -9 -------------------------------------------------------- */

#define MDG_HELD_MOST 8 /* blocks that one thread can hold at once */

/* As mdg_alloc, and the calling thread holds the block. NULL also with -ENOSPC: it holds
 * MDG_HELD_MOST already. */
MDG_API void *mdg_hold(mdg_heap *heap, size_t size);

/* Stores the reference to a held block in *place, if that contains `expected`. From then on the
 * block is not held. Whatever the program has written to the block before is seen by whoever reads
 * the reference (release). What was in the place before is not freed: see mdg_swap.
 * Returns 0, or
 *   -EAGAIN  the place contains something else; the block is still held. If that is odd,
 *            somebody takes it, or no call has put it there: mdg_take tells
 *   -EINVAL  the place is not in the heap, or not aligned
 *   -EPERM   this thread does not hold the block
 *   MDG_OVERRUN  in a checked heap: somebody has written behind its end; it is still held */
MDG_API int mdg_publish(mdg_heap *heap, void *block, mdg_ref *place, mdg_ref expected);

/* The same for a place that contains a pointer. A pointer of 32 bits is followed by 4 zeros: a
 * place always has 8 bytes. -EINVAL if the heap is not at its home address. */
MDG_API int mdg_publish_ptr(mdg_heap *heap, void *block, void **place, void *expected);

/* The block is live without a place: from here on it is as one from mdg_alloc. 0, -EPERM or
 * MDG_OVERRUN. */
MDG_API int mdg_keep(mdg_heap *heap, void *block);

/* Takes the block out of the place, which then contains 0, and holds it. NULL: the place contains
 * 0, or somebody else takes it at this moment, or mdg_heap_why says why: -ENOSPC; -EINVAL;
 * MDG_BROKEN: the place contains an odd number that no call has put there. */
MDG_API void *mdg_take(mdg_heap *heap, mdg_ref *place);
MDG_API void *mdg_take_ptr(mdg_heap *heap, void **place);

/* Publishes the held `block` in the place, and takes what was there, in one step. *ret_old is the
 * old block, which is held instead; NULL: there was none. 0, -EAGAIN: somebody takes it at this
 * moment; MDG_BROKEN: as mdg_take; -EINVAL, -EPERM, MDG_OVERRUN. */
MDG_API int mdg_swap(mdg_heap *heap, void *block, mdg_ref *place, void **ret_old);

/* ---- with a transaction ----------------------------------------------------------- */

/* Several blocks and words change as one, whenever a thread dies. The transaction is an mdg_txn of
 * <madang/sync.h> that lies in the heap: zero bytes, aligned to 64, MDG_TXN_SIZE(journal) of them.
 * Its data may be the whole heap, although it lies in there itself:
 *
 *     mdg_txn_run run;
 *     rc = mdg_txn_begin(&run, txn, 4096, heap->base, heap->extent);
 *     if (rc == 0 || rc == MDG_OWNER_DIED) {
 *             struct node *node = mdg_txn_hold(heap, &run, sizeof *node);
 *             if (node == NULL)
 *                     return mdg_txn_cancel(&run);
 *             *node = (struct node){ .next = old->next, .key = 42 };   // instead of `old`
 *             mdg_ref ref = mdg_ref_of(heap, node);
 *             rc = mdg_txn_write(&run, &before->next, &ref, sizeof ref);
 *             if (rc == 0)
 *                     rc = mdg_txn_free(heap, &run, old);
 *             rc = rc == 0 ? mdg_txn_commit(&run) : mdg_txn_cancel(&run);
 *     }
 *
 * A block from mdg_txn_hold is live if and only if the transaction commits. Otherwise it is free
 * again. A block that was given to mdg_txn_free is freed if and only if the transaction commits.
 * The store that commits the writes decides that too. It does not matter who dies when: the next
 * owner finds all or nothing, and what is to be free becomes free. Nothing is lost.
 *
 * A new block is filled by ordinary stores, or by mdg_txn_write. It is not to be published, kept or
 * resized. The transaction must end before the heap is closed. Each of the two calls takes one of
 * the MDG_HELD_MOST hands of the thread until the transaction ends. Who reads such words without
 * beginning the transaction may see half a commit, and blocks that are free.
 *
 * If an owner dies after it has committed, what it frees stays allocated until the next one begins
 * the transaction, because its journal has to be carried out first. So before you free the memory
 * of the transaction itself, begin it once more, end it, and call mdg_heap_sweep. */

/* A new block, for as long as the transaction runs. NULL: mdg_heap_why, and also
 *   -EPERM   the transaction is not running, or not this thread's
 *   -EINVAL  it does not lie in this heap
 *   -EBUSY   it has blocks of another handle or, in a signal handler, of the interrupted thread
 *   -ENOSPC  the thread holds MDG_HELD_MOST blocks */
MDG_API void *mdg_txn_hold(mdg_heap *heap, mdg_txn_run *run, size_t size);

/* Frees a block when the transaction commits. NULL is allowed, and does nothing. Returns 0, or
 *   -EPERM, -ENOSPC  as above
 *   -EINVAL          as above; or no block of this heap begins there, or the transaction lies in it
 *   MDG_FREED_TWICE  the block is free, or will be
 *   -EBUSY           a thread holds the block otherwise, perhaps this one; or as above
 *   MDG_OVERRUN      of a checked heap: somebody has written behind the end of the block
 *   -ENOMEM, -EROFS, -EUSERS, -ENOSYS, MDG_BROKEN */
MDG_API int mdg_txn_free(mdg_heap *heap, mdg_txn_run *run, void *block);

/* ---- roots ------------------------------------------------------------------------ */

#define MDG_ROOTS_MOST    64
#define MDG_ROOT_NAME_MAX 47u /* bytes, without the final NUL */
#define MDG_ROOT_NEW      1   /* mdg_root: this caller is to fill it */

/* Finds or makes a place with a name. `type` is what the program says it is, for example a hash of
 * the name of a structure; `version` is that of its layout. *ret_place is the place.
 * The first caller gets MDG_ROOT_NEW. It fills a block and publishes it in the place. Others wait
 * for that until the deadline. If the first one dies before, the next one is asked. If it cannot
 * fill the place, it removes the root: mdg_root_remove. When the block has been taken out of the
 * place again, the next caller is asked once more.
 * The place may also be filled in a transaction, by mdg_txn_hold and mdg_txn_write. Nothing wakes
 * the others then: they look again every 5 milliseconds. Only mdg_take empties it.
 * If the place contains an odd number that no call has put there, this is MDG_BROKEN at once. It is
 * so until mdg_heap_check mends the root, which makes it empty.
 * Returns 0: the place contains a reference; MDG_ROOT_NEW; or
 *   -EAGAIN              the deadline is 0, and another thread is filling it
 *   -ETIMEDOUT           so it is at the deadline
 *   -ENOENT              there is none, and the heap was opened with MDG_HEAP_RDONLY
 *   -ENOSPC              there are MDG_ROOTS_MOST roots
 *   -EINVAL              the name
 *   MDG_UNLIKE_TYPE, MDG_UNLIKE_VERSION  the root has another type or version
 *   -EUSERS, -ENOSYS, MDG_BROKEN */
MDG_API int mdg_root(mdg_heap *heap, const char *name, uint64_t type, uint32_t version,
                     mdg_ref **ret_place, uint64_t deadline);

/* Removes a root. Nobody may use its place any more. Returns 0, or
 *   -ENOENT  there is none
 *   -EBUSY   its place does not contain 0 (mdg_take), or another thread is filling it
 *   -EINVAL  the name
 *   MDG_BROKEN  its place contains an odd number that no call has put there: mdg_heap_check
 *   -EROFS, -EUSERS, -ENOSYS */
MDG_API int mdg_root_remove(mdg_heap *heap, const char *name);

struct mdg_root_info {
	uint32_t size; /* sizeof(struct mdg_root_info), set by the caller */
	uint32_t version;
	uint64_t type;
	mdg_ref place;  /* where the place is */
	mdg_ref ref;    /* what it contains */
	uint64_t bytes; /* of the block that it refers to; 0: it is none */
	int32_t maker;  /* process that is filling it; 0: nobody */
	uint32_t reserved;
	char name[MDG_ROOT_NAME_MAX + 1];
};

/* Walks over the roots. *cursor is 0 before the first call. 1, 0 at the end, or -EINVAL. */
MDG_API int mdg_root_next(mdg_heap *heap, uint32_t *cursor, struct mdg_root_info *ret_info);

/* ---- readers without locks --------------------------------------------------------- */

/* Begins and ends a read section of this thread. They may be nested. What the thread reads in the
 * heap in between is not freed by mdg_retire meanwhile. A forked child is in no section. 0, or
 * -EUSERS, -ENOSYS, -EROFS, -EPERM: none was begun. */
MDG_API int mdg_read_begin(mdg_heap *heap);
MDG_API int mdg_read_end(mdg_heap *heap);

/* Frees a held block when every read section that is open now has ended. From here on it is not
 * held. It is freed by a later call of this thread: of mdg_retire, when many blocks wait or large
 * ones, or of mdg_heap_sweep or mdg_heap_close. What a dead thread has retired is freed by those
 * who sweep it. 0, or -EPERM: not held; -ENOMEM; MDG_OVERRUN. */
MDG_API int mdg_retire(mdg_heap *heap, void *block);

/* ---- care ----------------------------------------------------------------------------- */

/* Gives back what dead threads held, and makes their slots free. Returns how many there were, or
 * -EROFS. A slot that waits for readers counts when they have ended. */
MDG_API int mdg_heap_sweep(mdg_heap *heap);

/* Gives free memory beyond `keep` bytes back to the system. Returns 0 or a negative code. */
MDG_API int mdg_heap_trim(mdg_heap *heap, uint64_t keep);

#define MDG_HEAP_CLASSES 48

struct mdg_heap_class {
	uint32_t block;  /* bytes of a block */
	uint32_t slabs;  /* of this class */
	uint64_t blocks; /* that all slabs have */
	uint64_t live;   /* of these */
};

struct mdg_heap_info {
	uint32_t size;  /* sizeof(struct mdg_heap_info), set by the caller */
	uint32_t flags; /* MDG_HEAP_HOME, LABELS, CHECKED */
	uint64_t maximum, limit, keep;
	uint64_t home;      /* address; 0: none */
	uint64_t committed; /* bytes of memory that the heap has, without its tables */
	uint64_t tables;    /* bytes of memory of its tables; without labels of free units */
	uint64_t live;      /* bytes of blocks that are allocated */
	uint64_t blocks;    /* how many these are */
	uint32_t threads;   /* slots that living threads have */
	uint32_t threads_max;
	uint32_t dead; /* slots of dead threads that are not swept yet */
	uint32_t roots;
	uint64_t retired; /* blocks that wait for readers */
	struct mdg_heap_class classes[MDG_HEAP_CLASSES];
	uint64_t spans; /* blocks larger than those of the last class */
	uint64_t span_bytes;
};

/* Counts what is in the heap. It looks at every bitmap, takes no lock, and is not a snapshot. 0 or
 * -EINVAL. */
MDG_API int mdg_heap_stat(mdg_heap *heap, struct mdg_heap_info *ret_info);

/* A thread that has a slot. */
struct mdg_heap_user_info {
	uint32_t size; /* sizeof(struct mdg_heap_user_info), set by the caller */
	int32_t pid;   /* of its process, as it numbers itself */
	int32_t tid;   /* 0: it is dead */
	uint32_t slabs;
	uint64_t blocks, bytes; /* live ones, in slabs that it owns */
	uint32_t held;          /* blocks in its hands */
	uint32_t reading;       /* 1: in a read section */
	uint64_t retired;       /* blocks that wait for readers */
	uint64_t reserved[3];
};
MDG_API int mdg_heap_next_user(mdg_heap *heap, uint32_t *cursor,
                               struct mdg_heap_user_info *ret_info);

/* A block that is allocated. */
struct mdg_block_info {
	uint32_t size; /* sizeof(struct mdg_block_info), set by the caller */
	uint32_t held; /* 1: a thread holds it */
	mdg_ref ref;
	uint64_t bytes; /* that it really has. In a checked heap: that were asked for; 0 if the
	                   block is set aside, or nobody knows */
	int32_t pid;    /* who has allocated it, as far as labels tell; 0: not known */
	uint32_t alive; /* 1: that thread lives; 0 also without labels */
	uint32_t tag;
	uint32_t reserved;
	int64_t time; /* when: seconds since 1970, exact to a minute; 0 without labels */
};

/* Walks over all blocks. *cursor is 0 before the first call. 1, 0 at the end, or -EINVAL. */
MDG_API int mdg_heap_next(mdg_heap *heap, uint64_t *cursor, struct mdg_block_info *ret_info);

enum mdg_heap_found {
	MDG_HEAP_FOUND_TABLE = 1, /* a table contradicts itself */
	MDG_HEAP_FOUND_DEAD,      /* a dead thread is not swept yet */
	MDG_HEAP_FOUND_LOCK,      /* the lock was held by a dead thread */
	MDG_HEAP_FOUND_ROOT,      /* a root refers to no block, or contains nonsense */
	MDG_HEAP_FOUND_OVERRUN,   /* somebody has written behind the end of a block */
	MDG_HEAP_FOUND_AFTER_FREE /* somebody has written to a block that was free */
};

struct mdg_heap_finding {
	uint32_t size;     /* bytes that the library filled in */
	uint32_t kind;     /* enum mdg_heap_found */
	uint32_t repaired; /* 1: this call has mended it */
	uint32_t reserved;
	mdg_ref ref;    /* 0: none */
	char text[160]; /* a sentence in English; ends with NUL */
};

/* Checks every invariant. Calls `found`, unless it is NULL, for each finding, until it returns
 * something other than 0. `flags` is 0 or MDG_CHECK_REPAIR. Returns the number of findings that
 * remain, or a negative code. */
MDG_API int mdg_heap_check(mdg_heap *heap, unsigned flags,
                           int (*found)(const struct mdg_heap_finding *finding, void *context),
                           void *context);

#ifdef __cplusplus
}
#endif

#endif
