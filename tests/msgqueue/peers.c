/* SPDX-License-Identifier: MIT */
/*
 * peers.c - programs that were built unlike (32 and 64 bits, other C libraries) on one queue.
 *
 *     peers PEER                   PEER is such a program, which is started as
 *     peers serve FIGURES MEMORY   and sends back what it receives; the two are descriptors
 */
#include <sys/syscall.h>

#include "msgqueue/queue.h"

static void *mapped(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

/* The pointer in it is each process's own, so what is shared is mapped beside it. */
static struct world *world;
static struct world own;

static int reach(struct mdg__queue *queue, uint64_t bytes)
{
	queue->context = world;
	return world_reach(queue, bytes);
}

static void punch(struct mdg__queue *queue, uint64_t from)
{
	(void)queue;
	atomic_store(&world->kept, from);
	CHECK(madvise(own.memory + from, (size_t)(WORLD_BYTES - from), MADV_REMOVE) == 0);
}

static const struct mdg__queue_memory memory = {
	.reach = reach, .punch = punch, .promise = world_promise, .may = world_may
};

static struct mdg__queue queue_here(void)
{
	return (struct mdg__queue){ .base = own.memory,
		                    .length = 32768,
		                    .fields = world->fields,
		                    .pid = getpid(),
		                    .memory = &memory,
		                    .context = world };
}

static int send_text(int64_t type, const char *text, size_t size)
{
	struct mdg__queue queue = queue_here();
	return mdg__queue_send(&queue, type, text, size, FAR);
}

static char text[TEXT_MOST];

static int receive_text(int64_t wanted, uint64_t *ret_length, uint64_t deadline)
{
	struct mdg__queue queue = queue_here();
	int64_t type;
	return mdg__queue_receive(&queue, wanted, 0, text, sizeof(text), deadline, &type,
	                          ret_length);
}

static int serve(void)
{
	uint64_t length;
	for (;;)
		if (receive_text(1, &length, FAR) != 0 || send_text(2, text, (size_t)length) != 0)
			return 1;
}

static pid_t start_peer(const char *program, int figures, int bytes)
{
	char first[12], second[12];
	snprintf(first, sizeof(first), "%d", figures);
	snprintf(second, sizeof(second), "%d", bytes);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, "serve", first, second, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void exchange(uint32_t size)
{
	uint64_t length = 0;
	char *sent = malloc(size + 1);
	for (uint32_t i = 0; i < size; i++)
		sent[i] = (char)(i * 7 + size);
	CHECK(send_text(1, sent, size) == 0);
	CHECK(receive_text(2, &length, FAR) == 0 && length == size &&
	      memcmp(text, sent, size) == 0);
	free(sent);
}

static int make_file(size_t size)
{
	int fd = (int)syscall(SYS_memfd_create, "peers", 0);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		SKIP("no memfd");
	return fd;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		world = mapped(atoi(argv[2]), sizeof(*world));
		own.memory = mapped(atoi(argv[3]), WORLD_BYTES);
		return serve();
	}
	if (argc != 2)
		return 2;
	int figures = make_file(sizeof(*world) + 64), bytes = make_file(WORLD_BYTES);
	world = mapped(figures, sizeof(*world));
	own.memory = mapped(bytes, WORLD_BYTES);
	world_begin(world, 300000);
	pid_t pid = start_peer(argv[1], figures, bytes);
	for (uint32_t size = 0; size < 100000 && check_failures == 0;
	     size += size < 200 ? 1 : size / 5)
		exchange(size);
	/* Kills at any moment: it answers, or the question is still there. */
	for (int i = 0; i < 100 && check_failures == 0; i++) {
		uint64_t length;
		CHECK(send_text(1, "question", 8) == 0);
		pause_us((uint32_t)i * 3);
		killed(pid);
		struct mdg__queue queue = queue_here();
		struct mdg__queue_figures now;
		CHECK(mdg__queue_look(&queue, &now) == 0 && now.qnum <= 1 && now.claims == 0);
		while (receive_text(0, &length, 0) == 0)
			;
		pid = start_peer(argv[1], figures, bytes);
		exchange(700);
	}
	killed(pid);
	return test_result();
}
