/* SPDX-License-Identifier: MIT */
/*
 * open.c - finding or making a heap, and the way in and out.
 *
 * A heap is a segment. Entering one has four steps: attach the segment (place.c), wait until its
 * head is right or make it (head.c), take over its shape from the head (shape.c), and enter the
 * handle in the list of this process (handle.c). A thread takes a slot when it first allocates or
 * frees.
 */
#include "heap/opening.h"

#include "platform/sized.h"
#include "platform/sys.h"

enum { TRIES = 16, NAP_NS = 200000 };
#define TOGETHER_NS UINT64_C(2000000000) /* how long one open waits for others */

/* Bytes of struct mdg_heap_options in the first release. */
#define FIRST_OPTIONS 48u

/* ---- the segment --------------------------------------------------------------------------- */

/* 1: made; 0: found. */
static int segment_get(mdg_namespace *ns, const char *name, const struct mdg_heap_options *options,
                       const struct mdg__heap_shape *wanted, mdg_id *ret_id)
{
	bool existing = (options->flags & (MDG_HEAP_EXISTING | MDG_HEAP_RDONLY)) != 0;
	unsigned mode = options->mode != 0 ? options->mode : 0600;
	for (int i = 0; i < TRIES; i++) {
		int rc = existing ? -EEXIST
		                  : mdg__segment_create(ns, name, wanted->parts.end, mode,
		                                        MDG_NORESERVE, MDG__KIND_HEAP, 0, ret_id);
		if (rc == 0)
			return 1;
		if (rc != -EEXIST || (options->flags & MDG_HEAP_EXCL) != 0)
			return rc;
		rc = mdg_segment_open(ns, name, 0, 0, ret_id);
		if (rc != -ENOENT || existing)
			return rc; /* else removed between the two */
	}
	return -ENOENT;
}

/* Its length in bytes. MDG_NOT_HEAP: it is something else. */
static int segment_look(mdg_namespace *ns, mdg_id id, uint64_t *ret_size)
{
	struct mdg__entry entry;
	int rc = mdg__entry_read(ns, id, false, &entry);
	if (rc < 0)
		return rc;
	*ret_size = entry.size;
	bool is_heap = entry.kind == MDG__KIND_HEAP && entry.size >= sizeof(struct mdg__heap_head);
	return is_heap ? 0 : MDG_NOT_HEAP;
}

/* ---- entering ------------------------------------------------------------------------------ */

/* A call of mdg_heap_open. */
struct opening {
	mdg_namespace *ns;
	const struct mdg_heap_options *options;
	struct mdg__heap_shape wanted; /* if it is to be made */
	mdg_id id;
	uint64_t size;
};

static int attach(const struct opening *opening, struct mdg__heap *heap, uint64_t home)
{
	void *memory;
	bool readonly = (opening->options->flags & MDG_HEAP_RDONLY) != 0;
	int rc = mdg__heap_attach(opening->ns, opening->id, opening->size, home, readonly, &memory);
	if (rc < 0)
		return rc;
	heap->view.base = memory;
	heap->head = memory;
	heap->flags = opening->options->flags & MDG_HEAP_RDONLY;
	return 0;
}

static void detach(struct mdg__heap *heap)
{
	mdg__segment_let_go(heap->ns, heap->view.base);
	heap->view.base = NULL;
	heap->head = NULL;
}

/* Attaches a new heap, or one that its maker has left, and makes its head. */
static int make(struct opening *opening, struct mdg__heap *heap)
{
	struct mdg__heap_shape *wanted = &opening->wanted;
	int rc;
	if ((wanted->flags & MDG_HEAP_HOME) != 0 && wanted->home == 0) {
		void *memory;
		rc = mdg__heap_attach_home(opening->ns, opening->id, opening->size, &wanted->home,
		                           &memory);
		if (rc == 0) {
			heap->view.base = memory;
			heap->head = memory;
		}
	} else {
		rc = attach(opening, heap, wanted->home);
	}
	return rc < 0 ? rc : mdg__heap_head_make(heap, wanted, opening->size);
}

/* The head's page has memory after this. A read of a page that has none may raise SIGBUS. */
static int look_at_head(struct mdg__heap *heap)
{
	bool readonly = (heap->flags & MDG_HEAP_RDONLY) != 0;
	return readonly ? mdg__heap_promise_read(heap, 0, sizeof *heap->head)
	                : mdg__heap_promise(heap, 0, sizeof *heap->head);
}

/* Attaches a heap that exists. */
static int find(struct opening *opening, struct mdg__heap *heap, struct mdg__heap_shape *ret)
{
	int rc = attach(opening, heap, 0);
	if (rc == 0)
		rc = look_at_head(heap);
	if (rc == 0)
		rc = mdg__heap_head_await(heap);
	if (rc == 1) {
		detach(heap);
		rc = make(opening, heap);
	}
	if (rc == 0)
		rc = mdg__heap_shape_read(heap->head, opening->size, ret);
	if (rc == 0)
		rc = mdg__heap_shape_compare(opening->options, ret);
	if (rc == 0 && (opening->options->flags & MDG_HEAP_HOME) != 0 &&
	    (uintptr_t)heap->view.base != ret->home) {
		detach(heap);
		rc = attach(opening, heap, ret->home);
	}
	return rc;
}

static int enter(struct opening *opening, bool made, struct mdg__heap **ret)
{
	struct mdg__heap_shape shape;
	struct mdg__heap *heap = mdg__heap_handle_make(opening->ns, opening->id);
	if (heap == NULL)
		return -ENOMEM;
	int rc = made ? make(opening, heap) : find(opening, heap, &shape);
	if (rc == 0 && made)
		rc = mdg__heap_shape_read(heap->head, opening->size, &shape);
	if (rc < 0) {
		mdg__heap_handle_drop(heap);
		return rc;
	}
	mdg__heap_handle_shape(heap, &shape);
	(void)mdg__units_high(heap);
	*ret = mdg__heap_handle_enter(heap);
	return 0;
}

static void nap(void)
{
	_Atomic uint32_t nobody = 0;
	(void)mdg__sys_futex_wait(&nobody, 0, false, NAP_NS);
}

/* A heap that this process has open already. 1: it has not. */
static int enter_again(struct opening *opening, struct mdg__heap **ret)
{
	struct mdg__heap_shape shape;
	struct mdg__heap *heap =
		mdg__heap_handle_find(opening->ns, opening->id, opening->options->flags);
	if (heap == NULL)
		return 1;
	shape = (struct mdg__heap_shape){ .capacity = heap->capacity,
		                          .flags = heap->flags,
		                          .home = MDG__LOAD(heap->head->home) };
	int rc = mdg__heap_shape_compare(opening->options, &shape);
	if (rc < 0)
		mdg__heap_handle_put(heap);
	else
		*ret = heap;
	return rc;
}

/* Enters a heap that this call has made. */
static int enter_made(struct opening *opening, struct mdg__heap **ret)
{
	(void)mdg__heap_entering(1);
	int rc = enter(opening, true, ret);
	(void)mdg__heap_entering(-1);
	return rc;
}

/* Enters a heap that exists, and that this process has not open. Another thread may open it at the
 * same time. Then it lies at its home already, and the other one's handle does. That one may take a
 * moment until it is in the list, or may close the heap again. */
static int enter_found(struct opening *opening, struct mdg__heap **ret)
{
	uint64_t give_up = mdg__monotonic_nanoseconds() + TOGETHER_NS;
	for (int alone = 0;;) {
		(void)mdg__heap_entering(1);
		int rc = enter(opening, false, ret);
		uint32_t others = mdg__heap_entering(-1);
		if (rc != MDG_HOME_TAKEN)
			return rc;
		rc = enter_again(opening, ret);
		if (rc != 1)
			return rc;
		if ((others == 0 && ++alone == TRIES) || mdg__monotonic_nanoseconds() >= give_up)
			return MDG_HOME_TAKEN;
		if (others != 0)
			nap();
	}
}

static int try_open(struct opening *opening, const char *name, struct mdg__heap **ret)
{
	int made = segment_get(opening->ns, name, opening->options, &opening->wanted, &opening->id);
	if (made < 0)
		return made;
	int rc = segment_look(opening->ns, opening->id, &opening->size);
	if (rc == 0 && made == 0)
		rc = enter_again(opening, ret);
	else if (rc == 0)
		rc = 1;
	if (rc == 1)
		rc = made != 0 ? enter_made(opening, ret) : enter_found(opening, ret);
	if (rc < 0 && made != 0)
		(void)mdg_segment_remove(opening->ns, opening->id);
	return rc;
}

int mdg__heap_options_take(const struct mdg_heap_options *given, struct mdg_heap_options *ret)
{
	*ret = (struct mdg_heap_options){ .size = sizeof *ret };
	int rc = given == NULL ? 0 : mdg__sized_take(ret, sizeof *ret, FIRST_OPTIONS, given);
	return rc < 0 ? rc : mdg__heap_options_check(ret);
}

int mdg_heap_open(mdg_heap **ret_heap, mdg_namespace *ns, const char *name,
                  const struct mdg_heap_options *given)
{
	struct mdg_heap_options own;
	struct mdg__heap *heap = NULL;
	int rc = mdg__heap_options_take(given, &own);
	if (rc < 0 || name == NULL)
		return rc < 0 ? rc : -EINVAL;
	struct opening opening = { .ns = ns, .options = &own };
	mdg__heap_shape_of(&own, &opening.wanted);
	rc = -EAGAIN;
	/* One that is removed while we come in is another one a moment later. */
	for (int i = 0; i < TRIES && (rc == -EIDRM || rc == -EAGAIN); i++) {
		rc = try_open(&opening, name, &heap);
		if (rc == -EINVAL && (own.flags & MDG_HEAP_EXCL) == 0) {
			mdg_id id; /* the name, or gone since it was found? */
			if (mdg_segment_open(ns, name, 0, 0, &id) == -ENOENT)
				rc = -EAGAIN;
		}
	}
	if (rc < 0)
		return rc == -EAGAIN ? -EINVAL : rc;
	*ret_heap = &heap->view;
	return 0;
}

int mdg__heap_shape_find(mdg_namespace *ns, const char *name, struct mdg__heap_shape *ret)
{
	const struct mdg_heap_options look = { .size = sizeof look, .flags = MDG_HEAP_RDONLY };
	struct opening opening = { .ns = ns, .options = &look };
	int rc = mdg_segment_open(ns, name, 0, 0, &opening.id);
	if (rc == 0)
		rc = segment_look(ns, opening.id, &opening.size);
	if (rc < 0)
		return rc;
	struct mdg__heap *heap = mdg__heap_handle_make(ns, opening.id);
	if (heap == NULL)
		return -ENOMEM;
	rc = find(&opening, heap, ret);
	mdg__heap_handle_drop(heap);
	return rc;
}

/* ---- leaving ------------------------------------------------------------------------------- */

void mdg_heap_close(mdg_heap *heap)
{
	if (heap != NULL)
		mdg__heap_handle_put(mdg__heap_of(heap));
}

int mdg_heap_remove(mdg_namespace *ns, const char *name)
{
	mdg_id id;
	uint64_t size;
	if (name == NULL)
		return -EINVAL;
	int rc = mdg_segment_open(ns, name, 0, 0, &id);
	if (rc == 0)
		rc = segment_look(ns, id, &size);
	return rc < 0 ? rc : mdg_segment_remove(ns, id);
}
