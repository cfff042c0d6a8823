/* SPDX-License-Identifier: MIT */
/*
 * uv.c - libuv on a shared heap: its loop, a timer, a file system call and a thread of its pool.
 */
#include "on_heap.h"

#include <uv.h>

/* manual: begin libuv */
static void *uv_alloc(size_t size)
{
	return mdg_alloc(heap, size);
}
static void *uv_again(void *block, size_t size)
{
	return mdg_realloc(heap, block, size);
}
static void *uv_zeroed(size_t count, size_t size)
{
	return mdg_alloc_zeroed(heap, count, size);
}
static void uv_give(void *block)
{
	mdg_free(heap, block);
}
/* before any other call: uv_replace_allocator(uv_alloc, uv_again, uv_zeroed, uv_give); */
/* manual: end */

static int ticks, files, worked;

static void on_timer(uv_timer_t *timer)
{
	if (++ticks == 3)
		uv_close((uv_handle_t *)timer, NULL);
}

static void on_scan(uv_fs_t *request)
{
	uv_dirent_t entry;

	while (uv_fs_scandir_next(request, &entry) == 0)
		files++;
	uv_fs_req_cleanup(request);
}

/* Of the pool's thread. */
static void work(uv_work_t *request)
{
	void *block = uv_alloc(5000);

	CHECK(block != NULL);
	request->data = block;
}

static void after_work(uv_work_t *request, int status)
{
	CHECK(status == 0);
	CHECK(mdg_free(heap, request->data) == 0);
	worked++;
}

int main(void)
{
	uint64_t blocks;
	uv_timer_t timer;
	uv_fs_t scan;
	uv_work_t task;
	uv_loop_t loop;

	heap_enter("uv", 0);
	blocks = heap_blocks();
	CHECK(uv_replace_allocator(uv_alloc, uv_again, uv_zeroed, uv_give) == 0);
	CHECK(uv_loop_init(&loop) == 0);
	CHECK(heap_blocks() > blocks);
	CHECK(uv_timer_init(&loop, &timer) == 0 && uv_timer_start(&timer, on_timer, 1, 1) == 0);
	CHECK(uv_fs_scandir(&loop, &scan, "/proc/self", 0, on_scan) == 0);
	CHECK(uv_queue_work(&loop, &task, work, after_work) == 0);
	CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
	CHECK(ticks == 3 && files > 10 && worked == 1);
	CHECK(uv_loop_close(&loop) == 0);
	CHECK(heap_whole());
	return test_result();
}
