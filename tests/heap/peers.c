/* SPDX-License-Identifier: MIT */
/*
 * peers.c - programs that were built unlike (32 and 64 bits, other C libraries) on one heap.
 *
 *     peers PEER          PEER is such a program, which is started as
 *     peers make          makes the heap and its board,
 *     peers work SEED     changes what is in the places until it is killed,
 *     peers sweep         sweeps, and says whether all places are whole,
 *     peers fill          is to fill a root, and waits to be killed, or
 *     peers home          goes on with a chain of pointers in a heap that has a home
 *
 * After each kill, the bitmaps have exactly the blocks that the places refer to.
 */
#include "heap/heap.h"

#include <signal.h>
#include <sys/prctl.h>

enum { PLACES = 96, READ_PLACES = 32, KILLS = 40, LINKS = 30, JOURNAL = 256 };
enum { TYPE = 0x626f6172, VERSION = 3 };

struct node {
	uint32_t size, number;
	unsigned char bytes[];
};

/* Blocks of the first READ_PLACES places are read by others, and are retired. The two of the pair
 * have the same number: a transaction changes both. */
static struct board {
	mdg_ref place[PLACES], pair[2], txn;
	_Atomic uint32_t steps; /* of peers */
} * board;

static mdg_heap *heap;

/* ---- one step ------------------------------------------------------------------------------ */

static size_t some_size(uint64_t *state)
{
	uint32_t kind = next_random(state) % 100;
	if (kind < 80)
		return 1 + next_random(state) % 300;
	return 1 + next_random(state) % (kind < 95 ? 8000 : kind < 99 ? 100000 : 300000);
}

static bool is_whole(const struct node *node)
{
	return node->size > 0 && node->size <= 300000 &&
	       mdg_usable_size(heap, node) >= node->size + sizeof *node &&
	       stamped(node->bytes, node->size, node->number);
}

static void let_go(struct node *node, uint32_t at)
{
	if (node == NULL)
		return;
	CHECK(is_whole(node));
	CHECK(at < READ_PLACES ? mdg_retire(heap, node) == 0 : mdg_free(heap, node) == 0);
}

static struct node *fill(struct node *node, size_t size, uint32_t number)
{
	if (!CHECK(node != NULL))
		exit(1);
	node->size = (uint32_t)size;
	node->number = number;
	stamp(node->bytes, size, number);
	return node;
}

static void put(uint32_t at, uint64_t *state)
{
	size_t size = some_size(state);
	struct node *node = fill(mdg_hold(heap, sizeof *node + size), size, next_random(state));
	void *old = NULL;
	int rc = mdg_swap(heap, node, &board->place[at], &old);
	CHECK(rc == 0 || rc == -EAGAIN); /* another one takes it at this moment, or died so */
	let_go(rc == 0 ? old : node, at);
}

static void resize(uint32_t at, uint64_t *state)
{
	struct node *node = mdg_take(heap, &board->place[at]);
	if (node == NULL)
		return;
	CHECK(is_whole(node));
	size_t size = some_size(state), least = size < node->size ? size : node->size;
	unsigned char last = node->bytes[0];
	node = mdg_realloc(heap, node, sizeof *node + size);
	if (!CHECK(node != NULL && least > 0 && node->bytes[0] == last))
		return;
	fill(node, size, next_random(state));
	if (mdg_publish(heap, node, &board->place[at], 0) != 0)
		let_go(node, at);
}

static void read_one(uint32_t at)
{
	CHECK(mdg_read_begin(heap) == 0);
	struct node *node = mdg_at(heap, __atomic_load_n(&board->place[at], __ATOMIC_ACQUIRE));
	CHECK(node == NULL || is_whole(node));
	CHECK(mdg_read_end(heap) == 0);
}

static bool is_pair(void)
{
	struct node *one = mdg_at(heap, board->pair[0]), *two = mdg_at(heap, board->pair[1]);
	if (one == NULL || two == NULL)
		return one == two;
	return is_whole(one) && is_whole(two) && one->number == two->number;
}

static bool begin(mdg_txn_run *run)
{
	void *txn = mdg_at(heap, board->txn);
	int rc = mdg_txn_begin(run, txn, JOURNAL, heap->base, (size_t)heap->extent);
	return CHECK(rc == 0 || rc == MDG_OWNER_DIED);
}

static void change_pair(uint64_t *state)
{
	mdg_txn_run run;
	uint32_t number = next_random(state);
	if (!begin(&run))
		return;
	CHECK(is_pair());
	for (int i = 0; i < 2; i++) {
		size_t size = 1 + next_random(state) % 2000;
		void *old = mdg_at(heap, board->pair[i]);
		struct node *node = mdg_txn_hold(heap, &run, sizeof *node + size);
		mdg_ref ref = mdg_ref_of(heap, fill(node, size, number));
		CHECK(mdg_txn_write(&run, &board->pair[i], &ref, sizeof ref) == 0);
		CHECK(mdg_txn_free(heap, &run, old) == 0);
	}
	CHECK(mdg_txn_commit(&run) == 0);
}

static void step(uint64_t *state)
{
	uint32_t at = next_random(state) % PLACES, what = next_random(state) % 64;
	if (what < 24)
		put(at, state);
	else if (what < 40)
		let_go(mdg_take(heap, &board->place[at]), at);
	else if (what < 58 && at < READ_PLACES)
		read_one(at);
	else if (what < 58)
		resize(at, state);
	else if (what < 62)
		change_pair(state);
	else
		CHECK(mdg_heap_sweep(heap) >= 0);
}

/* ---- what the programs share --------------------------------------------------------------- */

/* Each of them opens the heap, whoever has made it. */
static void enter(uint32_t flags)
{
	struct mdg_heap_options options = { .size = sizeof options,
		                            .maximum = 64 << 20,
		                            .flags = flags };
	mdg_ref *root = NULL;
	enter_namespace();
	heap = heap_open("peers", &options);
	int rc = mdg_root(heap, "board", TYPE, VERSION, &root, MDG_FOREVER);
	if (rc == MDG_ROOT_NEW) {
		board = mdg_hold(heap, sizeof *board);
		memset(board, 0, sizeof *board);
		void *txn = mdg_alloc_aligned(heap, 64, MDG_TXN_SIZE(JOURNAL));
		memset(txn, 0, MDG_TXN_SIZE(JOURNAL));
		board->txn = mdg_ref_of(heap, txn);
		CHECK(mdg_publish(heap, board, root, 0) == 0);
	}
	CHECK(rc >= 0 && (board = mdg_at(heap, *root)) != NULL);
}

static void leave(void)
{
	mdg_heap_close(heap);
	mdg_namespace_close(ns);
}

static void check_places(void)
{
	for (uint32_t at = 0; at < PLACES; at++) {
		struct node *node = mdg_at(heap, board->place[at]);
		CHECK(board->place[at] == 0 || (node != NULL && is_whole(node)));
	}
}

static int work(uint64_t seed)
{
	uint64_t state = seed;
	enter(MDG_HEAP_EXISTING);
	while (check_failures == 0) {
		step(&state);
		atomic_fetch_add(&board->steps, 1);
	}
	return 1;
}

static int sweep(void)
{
	enter(MDG_HEAP_EXISTING);
	CHECK(mdg_heap_sweep(heap) >= 0);
	check_places();
	leave();
	return test_result();
}

static int make(void)
{
	enter(MDG_HEAP_EXCL);
	leave();
	return test_result();
}

/* ---- the peers ----------------------------------------------------------------------------- */

static pid_t start(const char *program, const char *what, unsigned seed)
{
	char number[12];
	snprintf(number, sizeof number, "%u", seed);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, what, number, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static bool ends_well(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void end(pid_t pid)
{
	int status = -1;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* True: a peer has made `more` steps since it had made `before`. */
static bool goes_on(pid_t pid, uint32_t before, uint32_t more)
{
	int status;
	while (atomic_load(&board->steps) - before < more) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return false;
		usleep(100);
	}
	return true;
}

/* Nobody else uses the heap. What this program has retired is free after a sweep or two. */
static void check_all(void)
{
	uint64_t filled = 0;
	struct found found = { 0 };
	mdg_txn_run run;
	if (begin(&run)) /* what a dead one has committed is carried out */
		CHECK(mdg_txn_commit(&run) == 0 && is_pair());
	for (int i = 0; i < 20 && (i == 0 || found.live != filled); i++) {
		CHECK(mdg_heap_sweep(heap) >= 0);
		(void)mdg_heap_trim(heap, UINT64_MAX); /* who gets a dead one's lock counts */
		filled = 2;                            /* the board, the transaction */
		filled += board->pair[0] != 0 ? 2 : 0;
		for (uint32_t at = 0; at < PLACES; at++)
			filled += board->place[at] != 0;
		found = look(heap);
	}
	if (!CHECK(found.live == filled && found.wrong == 0))
		fprintf(stderr, "%llu blocks are live, %llu are wanted\n",
		        (unsigned long long)found.live, (unsigned long long)filled);
	CHECK(mdg_heap_check(heap, 0, NULL, NULL) == 0);
	check_places();
}

/* Kills at any moment. A program of either kind sweeps what one of either kind has left. */
static void kills(const char *peer)
{
	uint64_t state = (uint64_t)getpid();
	for (unsigned i = 0; i < KILLS && check_failures == 0; i++) {
		uint32_t before = atomic_load(&board->steps);
		pid_t other = start(peer, "work", 2 * i + 1);
		pid_t same = start("/proc/self/exe", "work", 2 * i + 2);
		CHECK(goes_on(other, before, 1 + next_random(&state) % 500));
		for (uint32_t more = next_random(&state) % 1000; more > 0; more--)
			step(&state);
		end(other);
		end(same);
		if (i % 2 == 1)
			CHECK(ends_well(start(peer, "sweep", 0)));
		check_all();
	}
}

/* ---- a root, and a home -------------------------------------------------------------------- */

static int fill_root(void)
{
	mdg_ref *root;
	enter(MDG_HEAP_EXISTING);
	int rc = mdg_root(heap, "filled", 7, 1, &root, 0);
	if (!CHECK(rc == MDG_ROOT_NEW && mdg_hold(heap, 100) != NULL))
		return 1;
	atomic_fetch_add(&board->steps, 1);
	for (;;)
		pause();
}

/* It dies, and whoever waits for it is woken and asked. */
static void root(const char *peer)
{
	mdg_ref *place;
	uint32_t before = atomic_load(&board->steps);
	pid_t filler = start(peer, "fill", 0);
	CHECK(goes_on(filler, before, 1));
	CHECK(mdg_root(heap, "filled", 8, 1, &place, 0) == MDG_UNLIKE_TYPE);
	CHECK(mdg_root(heap, "filled", 7, 1, &place, 0) == -EAGAIN);
	pid_t killer = fork();
	if (killer == 0) {
		usleep(50000);
		kill(filler, SIGKILL);
		_exit(0);
	}
	CHECK(mdg_root(heap, "filled", 7, 1, &place, mdg_deadline(UINT64_C(20000000000))) ==
	      MDG_ROOT_NEW);
	CHECK(ends_well(killer));
	end(filler);
	CHECK(mdg_root_remove(heap, "filled") == 0);
	check_all();
}

/* Pointers of both kinds lie in a word of 8 bytes. */
union pointer {
	void *address;
	uint64_t word;
};

struct link {
	union pointer next;
	uint32_t number;
};

static void lengthen(void)
{
	union pointer *first = (void *)&board->place[0];
	struct link *seen = first->address;
	uint32_t number = seen == NULL ? 0 : seen->number;
	for (uint32_t i = 1; i <= LINKS; i++) {
		struct link *link = mdg_hold(heap, sizeof *link);
		link->next.word = (uintptr_t)seen;
		link->number = number + i;
		CHECK(mdg_publish_ptr(heap, link, &first->address, seen) == 0);
		seen = link;
	}
	for (; seen != NULL; seen = seen->next.address) {
		CHECK(seen->number > 0 && (seen->next.word >> 32) == 0);
		number = seen->number;
	}
	CHECK(number == 1);
}

enum { HOME = 0x20000000 }; /* free in programs of every kind */

static void open_home(void)
{
	struct mdg_heap_options options = {
		.size = sizeof options, .maximum = 4 << 20, .flags = MDG_HEAP_HOME, .address = HOME
	};
	mdg_ref *place = NULL;
	heap = heap_open("home", &options);
	CHECK((uintptr_t)heap->base == HOME);
	int rc = mdg_root(heap, "board", TYPE, VERSION, &place, MDG_FOREVER);
	if (rc == MDG_ROOT_NEW) {
		board = mdg_hold(heap, sizeof *board);
		memset(board, 0, sizeof *board);
		CHECK(mdg_publish(heap, board, place, 0) == 0);
	}
	CHECK(rc >= 0 && (board = mdg_at(heap, *place)) != NULL);
}

static int go_on_at_home(void)
{
	enter_namespace();
	open_home();
	lengthen();
	leave();
	return test_result();
}

static void home(const char *peer)
{
	open_home();
	for (uint32_t i = 0; i < 5; i++) {
		lengthen();
		CHECK(ends_well(start(peer, "home", 0)));
		CHECK(((struct link *)(uintptr_t)board->place[0])->number == (2 * i + 2) * LINKS);
	}
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "home") == 0);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void on_heap(const char *peer, bool theirs, uint32_t flags)
{
	if (theirs)
		CHECK(ends_well(start(peer, "make", 0)));
	enter(flags | (theirs ? MDG_HEAP_EXISTING : MDG_HEAP_EXCL));
	kills(peer);
	root(peer);
	mdg_heap_close(heap);
	CHECK(mdg_heap_remove(ns, "peers") == 0);
	mdg_namespace_close(ns);
}

int main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "";
	if (strcmp(what, "make") == 0)
		return make();
	if (strcmp(what, "work") == 0)
		return work(strtoul(argv[2], NULL, 10));
	if (strcmp(what, "sweep") == 0)
		return sweep();
	if (strcmp(what, "fill") == 0)
		return fill_root();
	if (strcmp(what, "home") == 0)
		return go_on_at_home();
	if (argc != 2)
		return 2;
	on_heap(argv[1], true, 0);
	on_heap(argv[1], false, MDG_HEAP_LABELS);
	on_heap(argv[1], false, MDG_HEAP_CHECKED);
	enter_namespace();
	home(argv[1]);
	mdg_namespace_close(ns);
	return test_result();
}
