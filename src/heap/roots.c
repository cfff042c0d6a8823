/* SPDX-License-Identifier: MIT */
/*
 * roots.c - places with names.
 *
 * An entry is found without a lock. Its state counts how often it was given a name. So a reader
 * that finds the same state before and after has read the name and the type of one root. Entries
 * are made, given a maker, and made free under the heap's lock.
 *
 * A root is there from the store of its state on. Who made it is its MAKER, and is to fill its
 * place. The maker is named by its slot and the slot's generation. So if it dies, the others see
 * that, and one of them becomes the maker. There are two ways to stop being the maker: the place is
 * filled, or the root is removed.
 *
 * A root is removed by one store: its place changes from 0 to MDG__PLACE_REMOVED. Nobody can
 * publish there from then on. If the remover dies before it has made the entry free, the next one
 * who has the lock and needs the entry does that.
 *
 * Who waits sets the lowest bit of `changes` and sleeps on that word. A place may also be filled
 * and emptied again meanwhile, and a death wakes nobody. So a sleeper looks again now and then.
 */
#include "heap/guard.h"
#include "heap/held.h"

#include "platform/clock.h"
#include "platform/fence.h"
#include "platform/futex.h"
#include "platform/sized.h"

#define LOOK_AGAIN_NS UINT64_C(5000000)

enum { NAME_WORDS = (MDG_ROOT_NAME_MAX + 1) / 8 };

struct name {
	uint64_t words[NAME_WORDS];
};

/* What is wanted of a root, and what is known of it. */
struct wish {
	struct name name;
	uint64_t type;
	uint32_t version;
	struct mdg__heap_root *root;
	uint32_t state; /* of the entry, when it was found */
};

static bool name_of(const char *text, struct name *ret)
{
	size_t length = text == NULL ? 0 : strnlen(text, MDG_ROOT_NAME_MAX + 1);
	if (length == 0 || length > MDG_ROOT_NAME_MAX)
		return false;
	memset(ret, 0, sizeof *ret);
	memcpy(ret, text, length);
	return true;
}

static uint64_t acquired(const _Atomic uint64_t *field)
{
	return atomic_load_explicit(field, memory_order_acquire);
}

static uint32_t state_of(const struct mdg__heap_root *root)
{
	return atomic_load_explicit(&root->state, memory_order_acquire);
}

/* ---- finding ----------------------------------------------------------------------------- */

/* Copies the name if the entry has one. False: it is free, or changes just now. */
static bool read_name(const struct mdg__heap_root *root, struct name *ret, uint32_t *ret_state)
{
	*ret_state = state_of(root);
	if (MDG__ROOT_STATE(*ret_state) != MDG__ROOT_NAMED)
		return false;
	for (int i = 0; i < NAME_WORDS; i++)
		ret->words[i] = acquired(&root->name[i]);
	return state_of(root) == *ret_state;
}

/* Finds the entry of that name. With the lock held, it is right; without, a root may be overlooked
 * that is made at this moment. */
static bool find(const struct mdg__heap *heap, struct wish *wish)
{
	struct name name;
	for (uint32_t at = 0; at < MDG_ROOTS_MOST; at++) {
		wish->root = &heap->root[at];
		if (read_name(wish->root, &name, &wish->state) &&
		    memcmp(&name, &wish->name, sizeof name) == 0)
			return true;
	}
	return false;
}

bool mdg__root_is_named(const struct mdg__heap *heap, const mdg_ref *place, const char *text,
                        uint32_t *ret_state)
{
	struct name name, wanted;
	uint64_t at = (uint64_t)((uintptr_t)place - (uintptr_t)heap->view.base);
	if (!mdg__is_root(heap, at) || !name_of(text, &wanted))
		return false;
	const struct mdg__heap_root *root =
		&heap->root[(at - heap->parts.roots) / sizeof(struct mdg__heap_root)];
	return read_name(root, &name, ret_state) && memcmp(&name, &wanted, sizeof name) == 0;
}

static bool is_still_there(const struct wish *wish)
{
	return state_of(wish->root) == wish->state &&
	       acquired(&wish->root->place) != MDG__PLACE_REMOVED;
}

/* 0, or how it differs from what is wanted. */
static int compare(const struct wish *wish)
{
	if (acquired(&wish->root->type) != wish->type)
		return MDG_UNLIKE_TYPE;
	/* Acquire: the state is read after this. */
	uint32_t version = atomic_load_explicit(&wish->root->version, memory_order_acquire);
	return version != wish->version ? MDG_UNLIKE_VERSION : 0;
}

/* ---- making and removing ----------------------------------------------------------------- */

/* [lock] The entry is free from here on. */
static void make_free(struct mdg__heap_root *root)
{
	uint32_t state = MDG__LOAD(root->state);
	/* Release: whoever finds the state of a later life finds nothing of this one. */
	atomic_store_explicit(&root->state, state + 1, memory_order_release);
	mdg__root_wake(root);
}

/* [lock] Gives a free entry the name. Who is to fill it is not said yet. */
static int make(const struct mdg__heap *heap, struct wish *wish)
{
	struct mdg__heap_root *root = NULL;
	for (uint32_t at = 0; at < MDG_ROOTS_MOST && root == NULL; at++)
		if (MDG__ROOT_STATE(MDG__LOAD(heap->root[at].state)) == MDG__ROOT_FREE)
			root = &heap->root[at];
	if (root == NULL)
		return -ENOSPC;
	for (int i = 0; i < NAME_WORDS; i++)
		MDG__STORE(root->name[i], wish->name.words[i]);
	MDG__STORE(root->type, wish->type);
	MDG__STORE(root->version, wish->version);
	MDG__STORE(root->maker, 0);
	MDG__STORE(root->place, 0);
	wish->root = root;
	wish->state = MDG__LOAD(root->state) + 1;
	/* Release: pairs with the acquire of whoever reads the name. */
	atomic_store_explicit(&root->state, wish->state, memory_order_release);
	return 0;
}

/* [lock] Finds the root, or makes it. */
static int find_or_make(const struct mdg__heap *heap, struct wish *wish)
{
	if (find(heap, wish)) {
		if (MDG__LOAD(wish->root->place) != MDG__PLACE_REMOVED)
			return compare(wish);
		make_free(wish->root); /* its remover died */
	}
	return make(heap, wish);
}

/* ---- the maker --------------------------------------------------------------------------- */

static bool lives(const struct mdg__heap *heap, uint64_t maker)
{
	return mdg__heap_slot_lives(heap, (uint32_t)maker, (uint32_t)(maker >> 32));
}

static uint64_t myself(const struct mdg__heap_own *own)
{
	return MDG__MAKER(MDG__LOAD(own->slot1), MDG__LOAD(own->slot->generation));
}

/* Whether somebody else who lives is to fill the place. */
static bool is_being_filled(const struct mdg__heap *heap, const struct mdg__heap_own *own,
                            const struct mdg__heap_root *root)
{
	uint64_t maker = acquired(&root->maker);
	return maker != 0 && (own == NULL || maker != myself(own)) && lives(heap, maker);
}

/* [lock] The caller becomes the maker if the place is empty and nobody is. -EAGAIN: somebody is. */
static int become_maker(const struct mdg__heap *heap, const struct mdg__heap_own *own,
                        const struct wish *wish)
{
	struct mdg__heap_root *root = wish->root;
	if (acquired(&root->place) != 0)
		return -EAGAIN;
	if (is_being_filled(heap, own, root))
		return -EAGAIN;
	atomic_store_explicit(&root->maker, myself(own), memory_order_release);
	/* Who has filled the place meanwhile has perhaps not seen that there is a maker. */
	mdg__fence(memory_order_seq_cst);
	/* Read once: it may be filled and emptied again at any moment. */
	if (acquired(&root->place) == 0)
		return MDG_ROOT_NEW;
	atomic_store_explicit(&root->maker, 0, memory_order_release);
	return -EAGAIN;
}

/* Makes the root if there is none, and the caller its maker if there is none. -EAGAIN: look again.
 * [no operation of the thread is under way] */
static int ask_for_it(struct mdg__heap *heap, struct wish *wish)
{
	mdg__sigmask mask;
	int rc = 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc == -EROFS ? -ENOENT : rc;
	rc = mdg__heap_lock(heap, &mask);
	if (rc == 0) {
		rc = find_or_make(heap, wish);
		if (rc == 0)
			rc = become_maker(heap, own, wish);
		mdg__heap_unlock(heap, &mask);
	}
	mdg__own_end(own);
	return rc;
}

/* ---- waiting ----------------------------------------------------------------------------- */

/* What the caller is to do about a root that was found: 0: its place contains something; -EAGAIN:
 * somebody is filling it; MDG_ROOT_NEW: nobody is; -ENOENT: it is not there any more; MDG_BROKEN:
 * its place contains what no call has put there. */
static int look(const struct mdg__heap *heap, const struct mdg__heap_own *own,
                const struct wish *wish)
{
	uint64_t place = acquired(&wish->root->place);
	bool filled = place != 0 && (place & 1) == 0;
	int unlike = compare(wish);
	bool busy = place != 0 || is_being_filled(heap, own, wish->root);
	if (!is_still_there(wish))
		return -ENOENT;
	if (unlike != 0)
		return unlike;
	if (mdg__place_is_nonsense(heap, &wish->root->place, place))
		return MDG_BROKEN;
	return filled ? 0 : busy ? -EAGAIN : MDG_ROOT_NEW;
}

/* Sleeps until something may have changed, at most for a while. -ETIMEDOUT: until the deadline. */
static int wait_a_while(struct mdg__heap *heap, const struct mdg__heap_own *own,
                        const struct wish *wish, uint64_t deadline)
{
	struct mdg__heap_root *root = wish->root;
	uint64_t now = mdg__monotonic_nanoseconds(), next = now + LOOK_AGAIN_NS;
	uint32_t seen = MDG__LOAD(root->changes);
	if (deadline == 0)
		return -EAGAIN;
	if (now >= deadline)
		return -ETIMEDOUT;
	/* In a heap that is read only this fails; then there is no bit, and nobody wakes. */
	if ((heap->flags & MDG_HEAP_RDONLY) == 0) {
		while ((seen & 1) == 0 &&
		       !atomic_compare_exchange_weak(&root->changes, &seen, seen | 1))
			;
		seen |= 1;
		mdg__fence(memory_order_seq_cst);
		if (look(heap, own, wish) != -EAGAIN)
			return 0;
	}
	(void)mdg__sys_futex_wait_until(&root->changes, seen, next < deadline ? next : deadline,
	                                UINT32_MAX);
	return 0;
}

/* A place from which somebody takes a block while it is looked at has the taker's mark. If that one
 * is dead, its sweeper settles what becomes of the block. */
static void help(struct mdg__heap *heap, const struct wish *wish)
{
	int rc;
	if ((acquired(&wish->root->place) & 1) == 0)
		return;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return;
	(void)mdg__sweep_some(heap, heap->slots);
	mdg__own_end(own);
}

/* Who the caller is: whom the others would have to wait for. NULL: nobody, it only reads. */
static int who_am_i(struct mdg__heap *heap, struct mdg__heap_own **ret)
{
	int rc = 0;
	*ret = NULL;
	if ((heap->flags & MDG_HEAP_RDONLY) != 0)
		return 0;
	*ret = mdg__own_begin(heap, &rc);
	if (*ret == NULL)
		return rc;
	mdg__own_end(*ret);
	return 0;
}

/* ---- the calls --------------------------------------------------------------------------- */

int mdg_root(mdg_heap *view, const char *text, uint64_t type, uint32_t version, mdg_ref **ret_place,
             uint64_t deadline)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct mdg__heap_own *own;
	struct wish wish = { .type = type, .version = version };
	if (!name_of(text, &wish.name))
		return -EINVAL;
	int rc = who_am_i(heap, &own);
	while (rc == 0) {
		int found = find(heap, &wish) ? look(heap, own, &wish) : -ENOENT;
		if (found == MDG_ROOT_NEW && own == NULL)
			found = -EAGAIN; /* this one may not fill it */
		if (found == -ENOENT || found == MDG_ROOT_NEW)
			found = ask_for_it(heap, &wish);
		if (found >= 0)
			*ret_place = (mdg_ref *)(uintptr_t)&wish.root->place;
		if (found != -EAGAIN)
			return found;
		help(heap, &wish);
		rc = wait_a_while(heap, own, &wish, deadline);
	}
	return rc;
}

/* [lock] After -EBUSY, *ret_found is what the place contains, if it is not empty. */
static int remove_root(const struct mdg__heap *heap, const struct mdg__heap_own *own,
                       struct wish *wish, uint64_t *ret_found)
{
	*ret_found = 0;
	if (!find(heap, wish))
		return -ENOENT;
	if (MDG__LOAD(wish->root->place) == MDG__PLACE_REMOVED) {
		make_free(wish->root);
		return -ENOENT;
	}
	if (is_being_filled(heap, own, wish->root) ||
	    !atomic_compare_exchange_strong(&wish->root->place, ret_found, MDG__PLACE_REMOVED))
		return -EBUSY;
	make_free(wish->root);
	return 0;
}

int mdg_root_remove(mdg_heap *view, const char *text)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	struct wish wish = { .root = NULL };
	mdg__sigmask mask;
	int rc = 0, rounds = 0;
	if (!name_of(text, &wish.name))
		return -EINVAL;
	uint64_t found = 0;
	struct mdg__heap_own *own = mdg__own_begin(heap, &rc);
	if (own == NULL)
		return rc;
	do { /* again, if somebody died who was emptying the place */
		rc = mdg__heap_lock(heap, &mask);
		if (rc < 0)
			break;
		rc = remove_root(heap, own, &wish, &found);
		mdg__heap_unlock(heap, &mask);
	} while (rc == -EBUSY && mdg__taker_settle(heap, &wish.root->place, found, &rounds));
	if (rc == -EBUSY && mdg__place_is_nonsense(heap, &wish.root->place, found))
		rc = MDG_BROKEN; /* it would be so for ever */
	mdg__own_end(own);
	return rc;
}

/* ---- looking ----------------------------------------------------------------------------- */

/* What the place refers to: a reference in any case. 0: nothing. */
static uint64_t referred(const struct mdg__heap *heap, uint64_t content)
{
	uint64_t home = MDG__LOAD(heap->head->home);
	if ((content & 1) != 0)
		return 0;
	if (home != 0 && content >= home && content - home < heap->parts.end)
		content -= home; /* a pointer */
	return content < heap->parts.end ? content : 0;
}

static void describe(struct mdg__heap *heap, const struct mdg__heap_root *root,
                     struct mdg_root_info *ret)
{
	struct mdg__block block;
	uint64_t maker = acquired(&root->maker), content = acquired(&root->place);
	ret->version = MDG__LOAD(root->version);
	ret->type = acquired(&root->type);
	ret->place = (uint64_t)((uintptr_t)&root->place - (uintptr_t)heap->view.base);
	ret->ref = referred(heap, content);
	if (ret->ref != 0 && mdg__block_find(heap, ret->ref, &block) == 0 &&
	    !mdg__block_is_free(heap, &block))
		ret->bytes = mdg__usable(heap, &block);
	if (content == 0 && lives(heap, maker))
		ret->maker = MDG__LOAD(heap->slot[(uint32_t)maker - 1].pid);
}

int mdg_root_next(mdg_heap *view, uint32_t *cursor, struct mdg_root_info *ret_info)
{
	struct mdg__heap *heap = mdg__heap_of(view);
	if (!mdg__sized_is_valid(ret_info->size) || mdg__is_closed(heap))
		return mdg__is_closed(heap) ? -EBADF : -EINVAL;
	while (*cursor < MDG_ROOTS_MOST) {
		struct mdg__heap_root *root = &heap->root[(*cursor)++];
		struct mdg_root_info own = { 0 };
		struct name name;
		uint32_t state;
		if (!read_name(root, &name, &state))
			continue;
		memcpy(own.name, &name, sizeof name);
		own.name[sizeof own.name - 1] = '\0';
		describe(heap, root, &own);
		if (state_of(root) != state || acquired(&root->place) == MDG__PLACE_REMOVED)
			continue;
		mdg__sized_give(ret_info, &own, sizeof own);
		return 1;
	}
	return 0;
}
