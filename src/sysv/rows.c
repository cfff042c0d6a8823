/* SPDX-License-Identifier: MIT */
/*
 * rows.c - what stands in /proc/sysvipc: a header, and a row for each object.
 *
 * The formats are those of the kernel on a 64-bit machine, also for 32-bit programs.
 */
#include <stdio.h>
#include <string.h>

#include "madang/msg.h"
#include "madang/sem.h"
#include "platform/sys.h"
#include "sysv/internal.h"
#include "sysv/proc.h"

int mdg__proc_put(int fd, const char *text, size_t length)
{
	int64_t done = 0;
	while (length > 0 && done >= 0) {
		done = mdg__sys_write(fd, text, length);
		if (done == -EINTR)
			done = 0;
		text += done > 0 ? done : 0;
		length -= done > 0 ? (size_t)done : 0;
	}
	return done < 0 ? (int)done : 0;
}

/* Rows that are written together. */
struct page {
	int fd, rc; /* rc: of the writes until now */
	size_t used;
	char text[4096];
};

enum { ROW_MOST = 320 };

static int flush(struct page *page)
{
	if (page->rc == 0)
		page->rc = mdg__proc_put(page->fd, page->text, page->used);
	page->used = 0;
	return page->rc;
}

static void begin(struct page *page, int fd, const char *header)
{
	page->fd = fd;
	page->rc = 0;
	page->used = strlen(header);
	memcpy(page->text, header, page->used);
}

/* Room for one more row. */
static char *row(struct page *page)
{
	if (page->used + ROW_MOST > sizeof page->text)
		(void)flush(page);
	return page->text + page->used;
}

static void add(struct page *page, int length)
{
	page->used += length > 0 ? (size_t)length : 0;
}

static int end(struct page *page, int more)
{
	int rc = flush(page);
	return more < 0 ? more : rc;
}

int mdg__proc_segments(mdg_namespace *ns, int fd)
{
	struct mdg_segment_info info = { .size = sizeof info };
	struct page page;
	uint32_t cursor = 0;
	int more = 0;
	begin(&page, fd,
	      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid"
	      "  cuid  cgid      atime      dtime      ctime                   rss"
	      "                  swap\n");
	while (page.rc == 0 && (more = mdg_segment_next(ns, &cursor, MDG_STAT_RESIDENT, &info)) > 0)
		add(&page,
		    snprintf(row(&page), ROW_MOST,
		             "%10d %10d  %4o %21llu %5u %5u  %5u %5u %5u %5u %5u %10llu %10llu "
		             "%10llu %21llu %21llu\n",
		             info.key, info.id, info.mode, (unsigned long long)info.bytes,
		             (unsigned)info.cpid, (unsigned)info.lpid, info.attached, info.uid,
		             info.gid, info.cuid, info.cgid, (unsigned long long)info.atime,
		             (unsigned long long)info.dtime, (unsigned long long)info.ctime,
		             (unsigned long long)info.resident, 0ull));
	return end(&page, more);
}

int mdg__proc_sets(mdg_namespace *ns, int fd)
{
	struct mdg_semset_info info = { .size = sizeof info };
	struct page page;
	uint32_t cursor = 0;
	int more = 0;
	begin(&page, fd,
	      "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
	      "      ctime\n");
	while (page.rc == 0 && (more = mdg_semset_next(ns, &cursor, &info)) > 0)
		add(&page, snprintf(row(&page), ROW_MOST,
		                    "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n", info.key,
		                    info.id, info.mode, info.count, info.uid, info.gid, info.cuid,
		                    info.cgid, (unsigned long long)info.otime,
		                    (unsigned long long)info.ctime));
	return end(&page, more);
}

int mdg__proc_queues(mdg_namespace *ns, int fd)
{
	struct mdg_msgqueue_info info = { .size = sizeof info };
	struct page page;
	uint32_t cursor = 0;
	int more = 0;
	begin(&page, fd,
	      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid"
	      "  cgid      stime      rtime      ctime\n");
	while (page.rc == 0 && (more = mdg_msgqueue_next(ns, &cursor, &info)) > 0)
		add(&page,
		    snprintf(row(&page), ROW_MOST,
		             "%10d %10d  %4o  %10llu %10llu %5u %5u %5u %5u %5u %5u %10llu %10llu "
		             "%10llu\n",
		             info.key, info.id, info.mode, (unsigned long long)info.bytes,
		             (unsigned long long)info.messages, (unsigned)info.lspid,
		             (unsigned)info.lrpid, info.uid, info.gid, info.cuid, info.cgid,
		             (unsigned long long)info.stime, (unsigned long long)info.rtime,
		             (unsigned long long)info.ctime));
	return end(&page, more);
}
