/* SPDX-License-Identifier: MIT */
/*
 * madang/map.h - a dictionary in a shared heap: from keys to values, for all processes.
 *
 *     struct mdg_map_options options = { .size = sizeof options };
 *     mdg_map *map;
 *     int rc = mdg_map_open(&map, heap, "colours", &options);
 *     if (rc == 0)
 *             rc = mdg_map_put(map, "sky", 3, "blue", 4, NULL);
 *
 *     char colour[16];                                  // in any other program
 *     size_t length;
 *     rc = mdg_map_get(map, "sky", 3, colour, sizeof colour, &length, NULL);
 *
 * A MAP lies in a heap (madang/heap.h). It is found by the name of a root, and whoever opens it
 * first makes it. It stays until it is removed, or the heap. Keys and values are bytes. A key has 0
 * to MDG_MAP_KEY_MAX bytes, a value 0 to MDG_MAP_VALUE_MAX. The map copies both. Any number of
 * entries may be in it; it grows and shrinks by itself.
 *
 * READERS take no lock and wait for nobody, not even while the map grows. WRITERS of one key wait
 * for each other. A map has 64 parts, each with a lock of its own, and the key decides which part
 * it is. So two writers of different keys seldom meet. While a part grows, its writers wait;
 * readers, and the other 63 parts, do not.
 *
 * EACH CHANGE IS ONE STORE. A put, a removal, and the growth of a part happen as a whole or not at
 * all, for readers and for a death at any instruction. A reader sees the value from before or the
 * one from after, never a mixture, and a key that is replaced again and again is always found.
 * When a writer is killed, the next one goes on with its part of the map, and no memory is lost.
 * A writer that is stopped, and not killed, keeps other writers of that part waiting. So does
 * whoever is stopped while it cleans up after a killed one.
 *
 * COPY OR LOOK. mdg_map_get copies the value. mdg_map_see gives a pointer to it instead, which is
 * good until the read section ends (mdg_read_begin, mdg_read_end). What it points to never changes:
 * a put makes a new entry, and the old one is freed when no reader can see it. Values are aligned
 * to 8.
 *
 * VERSIONS. Each put gives its entry a version. It is never 0, and in this map no other value of
 * the same key ever has the same version. mdg_map_put_if and mdg_map_remove_if change an entry only
 * if its version is the one that the caller expects. 0 expects that there is no entry. So a value
 * that depends on the one before needs no lock:
 *
 *     do {
 *             rc = mdg_map_get(map, "n", 1, &n, sizeof n, NULL, &version);
 *             if (rc == -ENOENT) {
 *                     n = 0;
 *                     version = 0;
 *             }
 *             n++;
 *             rc = mdg_map_put_if(map, "n", 1, &n, sizeof n, version, NULL);
 *     } while (rc == -ESTALE);
 *
 * REFERENCES. A map that was made with MDG_MAP_REFS has blocks of the heap as values. The caller
 * holds a block (mdg_hold), fills it, and gives it to mdg_map_put_ref. From then on the map has it,
 * and the caller does not hold it any more. The block that was there before goes the other way: the
 * caller of mdg_map_put_ref or mdg_map_take holds it, and decides what becomes of it and of what it
 * refers to. Others may be reading it, so it is given to mdg_retire, not to mdg_free. A death in
 * between leaves the block either in the map or free. The functions with _ref and mdg_map_take are
 * for such maps only, put, remove and intern for the others only (-EINVAL).
 *
 * INTERNING. mdg_map_intern gives a reference to the one copy of some bytes. Equal bytes give equal
 * references, in all processes, so that two of them are compared by comparing numbers.
 *
 * KEYS FROM STRANGERS. Where a key goes depends on a secret of the map: keys of 8 and 16 bytes are
 * multiplied by secret numbers, all others go by SipHash. Nobody who only chooses keys can make the
 * map slow. Who can read the heap can read the secret.
 *
 * ALL WHO SHARE THE HEAP CAN WRITE TO ALL OF IT. A process that scribbles in a map can make others
 * lose entries, see nonsense, or get MDG_BROKEN. It cannot make these functions crash, loop for
 * ever, or read or write outside of the heap. But it can take a lock, and a writer waits while the
 * thread lives that seems to have it. If no such thread exists, the first writer waits for up to 10
 * seconds, and later ones for a tenth of a second. Then they get MDG_BROKEN.
 *
 * ERRORS. Each function returns 0, or a positive number that its comment names, or one negative
 * code. Every function may return
 *   -EINVAL      a wrong argument, or the map has the other kind of values
 *   -EUSERS, -ENOSYS, -EROFS  as the functions of heap.h
 *   -EIDRM       the map was removed: mdg_map_destroy. The handle can only be closed
 *   MDG_BROKEN   the map holds what no call has put there
 * and every function that changes the map also
 *   -ENOMEM, -EDQUOT  there is no memory, or the heap's limit is reached. Nothing has changed
 *   -ENOSPC      the thread holds so many blocks that none can be added: a put needs one, or two
 *                in a map of references, or two when the map grows, besides the caller's own.
 *                If there is no memory at all, a removal in a read section may leave one held
 *   -ENOLCK      the thread holds more than 59 locks: of the 64 that it can have, a call needs up
 *                to 5, and one more for each further heap that the thread uses
 *   -EDEADLK     the thread is in the middle of another change of this part of the map: the caller
 *                is a signal handler
 * errno is never touched. What a function gives back (ret_...) is left alone if it fails, but for
 * the length after -EMSGSIZE.
 *
 * SAFETY. Any thread may make these calls, on one handle at the same time. Signal handlers may not,
 * nor may a child of vfork. A handle stays valid in a forked child. The calls use no malloc, are
 * not cancellation points, start no thread and keep no descriptor. A read section is of the thread
 * that began it.
 */
#ifndef MADANG_MAP_H
#define MADANG_MAP_H

#include <madang/base.h>
#include <madang/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- opening ------------------------------------------------------------------------------- */

typedef struct mdg_map mdg_map; /* opaque, process-local */

#define MDG_MAP_REFS     0x1u /* values are blocks of the heap */
#define MDG_MAP_EXISTING 0x2u /* do not make it: -ENOENT */

/* The type of a root that has a map, as mdg_root_next shows it. */
#define MDG_MAP_TYPE UINT64_C(0x70616d676e616d)

#define MDG_MAP_KEY_MAX   65536u      /* bytes */
#define MDG_MAP_VALUE_MAX 0x40000000u /* bytes: 1 GiB */

/* Zero in a field means the default. */
struct mdg_map_options {
	uint32_t size;     /* sizeof(struct mdg_map_options) */
	uint32_t flags;    /* MDG_MAP_* */
	uint64_t deadline; /* how long to wait for another process that is just making the map;
	                      default: MDG_FOREVER */
	uint64_t expect;   /* how many entries there will be: the map begins large enough. Only the
	                      maker's counts */
};

/* Opens the map that the root `name` has, and makes it if there is none. A map is opened as often
 * as one likes; each time gives a handle. `options` may be NULL.
 * Returns 0, or
 *   -ENOENT             MDG_MAP_EXISTING, and there is none
 *   MDG_UNLIKE_FLAGS    the map exists with the other kind of values
 *   MDG_UNLIKE_TYPE     the root is not a map
 *   MDG_UNLIKE_VERSION  another version of Madang made it
 *   -ETIMEDOUT          see `deadline`
 *   or another error of mdg_root */
MDG_API int mdg_map_open(mdg_map **ret_map, mdg_heap *heap, const char *name,
                         const struct mdg_map_options *options);

/* Gives the handle back, before mdg_heap_close. The map stays. NULL does nothing. */
MDG_API void mdg_map_close(mdg_map *map);

/* ---- looking ------------------------------------------------------------------------------- */

/* Copies the value of a key. In a map of references, the value is the reference (mdg_ref, 8 bytes)
 * and also the version. `ret_length` and `ret_version` may be NULL.
 * Returns 0, or
 *   -ENOENT    there is no such key
 *   -EMSGSIZE  the value has more bytes than `room`: *ret_length says how many. It is not copied */
MDG_API int mdg_map_get(mdg_map *map, const void *key, size_t key_length, void *value, size_t room,
                        size_t *ret_length, uint64_t *ret_version);

/* An entry of a map, where it lies. The pointers are good until the read section ends. */
struct mdg_map_entry {
	uint32_t size;       /* sizeof(struct mdg_map_entry), set by the caller */
	uint32_t key_length; /* bytes of the key */
	uint64_t length;     /* bytes of the value. Of a block: that it really has */
	uint64_t version;    /* in a map of references: the reference */
	mdg_ref ref;         /* of the value */
	const void *key;     /* it has no NUL at its end */
	const void *value;
};

/* Shows the entry of a key. 0, -ENOENT, or -EPERM: the thread is not in a read section. */
MDG_API int mdg_map_see(mdg_map *map, const void *key, size_t key_length,
                        struct mdg_map_entry *ret_entry);

/* Where a walk is. Zeros before the first call. */
struct mdg_map_cursor {
	uint64_t mdg_private[2];
};

/* Shows the next entry. 1, 0 at the end, or -EPERM: the thread is not in a read section. An entry
 * that is in the map from the beginning of the walk to its end is shown exactly once, whatever is
 * changed meanwhile, and also if the map grows. One that is put or removed meanwhile is shown or
 * not. The order has no meaning. A walk may go through several read sections, so that a long walk
 * does not keep memory from being freed. */
MDG_API int mdg_map_next(mdg_map *map, struct mdg_map_cursor *cursor,
                         struct mdg_map_entry *ret_entry);

/* How many entries there are. The number is not exact while others change the map, and after a
 * writer was killed, until the next one comes to the same part of the map. */
MDG_API uint64_t mdg_map_count(mdg_map *map);

/* ---- changing: values that are bytes ------------------------------------------------------- */

/* Puts a value for a key; the one before is replaced. `ret_version` may be NULL. */
MDG_API int mdg_map_put(mdg_map *map, const void *key, size_t key_length, const void *value,
                        size_t length, uint64_t *ret_version);

/* The same if the entry's version is `expected`; 0: if there is no entry. -ESTALE: it is not. */
MDG_API int mdg_map_put_if(mdg_map *map, const void *key, size_t key_length, const void *value,
                           size_t length, uint64_t expected, uint64_t *ret_version);

/* Removes an entry. 0 or -ENOENT. */
MDG_API int mdg_map_remove(mdg_map *map, const void *key, size_t key_length);

/* The same if its version is `expected`. 0, -ENOENT or -ESTALE. */
MDG_API int mdg_map_remove_if(mdg_map *map, const void *key, size_t key_length, uint64_t expected);

/* Finds or makes the one copy of these bytes, a key with an empty value. *ret_ref refers to the
 * bytes themselves, aligned to 8. It is good until the key is put or removed. */
MDG_API int mdg_map_intern(mdg_map *map, const void *bytes, size_t length, mdg_ref *ret_ref);

/* ---- changing: values that are blocks ------------------------------------------------------ */

/* Gives the map a block that the caller holds. *ret_old is the block that the key had before, which
 * the caller holds now; NULL: there was none. On an error the caller still holds `block`.
 * Returns 0, or -EPERM: the caller does not hold the block. */
MDG_API int mdg_map_put_ref(mdg_map *map, const void *key, size_t key_length, void *block,
                            void **ret_old);

/* The same if the key has the block `expected`; 0: if it has none. -ESTALE: it has not. A reference
 * may come again when its block was freed. It cannot while the caller stays in the read section in
 * which it got `expected`, if blocks are given to mdg_retire. */
MDG_API int mdg_map_put_ref_if(mdg_map *map, const void *key, size_t key_length, void *block,
                               mdg_ref expected, void **ret_old);

/* Removes the entry. *ret_block is its block, which the caller holds now. 0 or -ENOENT. */
MDG_API int mdg_map_take(mdg_map *map, const void *key, size_t key_length, void **ret_block);

/* The same if the key has the block `expected`. 0, -ENOENT or -ESTALE. */
MDG_API int mdg_map_take_if(mdg_map *map, const void *key, size_t key_length, mdg_ref expected,
                            void **ret_block);

/* ---- all of it ----------------------------------------------------------------------------- */

/* Removes all entries, one after the other. What is put meanwhile may stay. In a map of references
 * it retires the blocks; what they refer to stays allocated. */
MDG_API int mdg_map_clear(mdg_map *map);

/* Removes the map that the root `name` has, with all its entries, and the root. The memory is given
 * back when no reader is inside who may see it. Whoever has the map open gets -EIDRM from then on.
 * In a map of references it retires the blocks, as mdg_map_clear does. If the caller is killed, the
 * map is gone for all others, or whole; and the next mdg_map_open or mdg_map_destroy of this name
 * gives back what is left of it. The same is true if this call fails on the way.
 * Returns 0, or
 *   -ENOENT             there is none
 *   MDG_UNLIKE_TYPE     the root is not a map
 *   MDG_UNLIKE_VERSION  another version of Madang made it
 *   MDG_BROKEN          its head is damaged, so that nobody knows what belongs to it; or its
 *                       root contains an odd number that no call has put there; or a thread seems
 *                       to have a lock in it that does not exist */
MDG_API int mdg_map_destroy(mdg_heap *heap, const char *name);

#ifdef __cplusplus
}
#endif

#endif
