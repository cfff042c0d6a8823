/* SPDX-License-Identifier: MIT */
/* See objects.h. This file makes the two, and damages them; object_calls.c has the calls. */
#include "fuzz/objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "madang/msg.h"
#include "madang/sem.h"
#include "msgqueue/layout.h"

enum { SEMAPHORES = 20, WAITED_FOR = 99 };

static void die(const char *what, int rc)
{
	fprintf(stderr, "objects: %s: %s\n", what, rc < 0 ? mdg_strerror(rc) : strerror(errno));
	exit(1);
}

static mdg_namespace *enter(const struct objects *objects)
{
	struct mdg_namespace_options options = { .size = sizeof options, .processes = 64 };
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, objects->path, &options);
	if (rc < 0)
		die("open", rc);
	return ns;
}

/* ---- people --------------------------------------------------------------------------- */

static const struct objects *where;

static int op(mdg_namespace *ns, uint16_t number, int16_t change, int16_t flags)
{
	const struct mdg_semset_op one = { number, change, flags };
	return mdg_semset_op(ns, where->of[OBJECT_SET].id, &one, 1, MDG_FOREVER);
}

static void hold(mdg_namespace *ns)
{
	if (op(ns, 0, 2, MDG_SEM_UNDO) != 0 || op(ns, 17, 3, MDG_SEM_UNDO) != 0)
		_exit(1);
	for (;;)
		pause();
}

static void sleep_once(mdg_namespace *ns)
{
	_exit(op(ns, 3, -1, MDG_SEM_UNDO) == 0);
}

static void sleep_with_list(mdg_namespace *ns)
{
	struct mdg_semset_op list[9];
	for (uint16_t i = 0; i < 9; i++)
		list[i] = (struct mdg_semset_op){ i, (int16_t)(i == 5 ? -1 : 1), 0 };
	_exit(mdg_semset_op(ns, where->of[OBJECT_SET].id, list, 9, MDG_FOREVER) == 0);
}

static void receive(mdg_namespace *ns)
{
	char text[16];
	int64_t type;
	size_t length;
	_exit(mdg_msgqueue_receive(ns, where->of[OBJECT_QUEUE].id, WAITED_FOR, text, sizeof text, 0,
	                           MDG_FOREVER, &type, &length) == 0);
}

static void start(struct object *object, void (*f)(mdg_namespace *ns), bool dies)
{
	const struct timespec shortly = { 0, 100000000 };
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		f(enter(where));
	}
	if (pid < 0)
		die("fork", 0);
	nanosleep(&shortly, NULL); /* it sleeps by now, or else there is less to damage */
	kill(pid, dies ? SIGKILL : SIGSTOP);
	if (dies)
		waitpid(pid, NULL, 0);
	else
		object->people[object->count++] = pid;
}

static void make_set(mdg_namespace *ns, mdg_id *ret_id)
{
	int rc = mdg_semset_create(ns, NULL, SEMAPHORES, 0600, 0, ret_id);
	if (rc == 0)
		rc = mdg_semset_set_value(ns, *ret_id, 1, 1); /* now it has a file */
	if (rc < 0)
		die("a set", rc);
}

static void make_queue(mdg_namespace *ns, mdg_id *ret_id)
{
	int rc = mdg_msgqueue_create(ns, NULL, 0600, ret_id);
	if (rc == 0)
		rc = mdg_msgqueue_send(ns, *ret_id, 1, "1", 1, 0);
	if (rc < 0)
		die("a queue", rc);
}

static void fill_queue(mdg_namespace *ns, mdg_id id)
{
	static char text[5000];
	for (int i = 1; i < 6; i++)
		if (mdg_msgqueue_send(ns, id, i, text, (size_t)i * 7 * (size_t)(i * i), 0) < 0)
			die("a message", -ENOMEM);
}

static void make_all(struct objects *objects)
{
	mdg_namespace *ns = enter(objects);
	make_set(ns, &objects->of[OBJECT_SET].id);
	make_set(ns, &objects->of[OBJECT_SET].beside);
	make_queue(ns, &objects->of[OBJECT_QUEUE].id);
	make_queue(ns, &objects->of[OBJECT_QUEUE].beside);
	fill_queue(ns, objects->of[OBJECT_QUEUE].id);
}

/* ---- saving and damaging -------------------------------------------------------------- */

static void find_file(const struct objects *objects, struct object *object)
{
	DIR *files = opendir(objects->path);
	struct dirent *entry;
	char end[24];
	snprintf(end, sizeof end, "-%d", (int)object->id);
	object->path[0] = 0;
	while (files != NULL && (entry = readdir(files)) != NULL) {
		size_t length = strlen(entry->d_name), behind = strlen(end);
		bool is_set = strncmp(entry->d_name, "sem", 3) == 0;
		bool is_queue = strncmp(entry->d_name, "msg", 3) == 0;
		if ((object == &objects->of[OBJECT_SET] ? is_set : is_queue) && length > behind &&
		    strcmp(entry->d_name + length - behind, end) == 0)
			snprintf(object->path, sizeof object->path, "%s/%s", objects->path,
			         entry->d_name);
	}
	if (files != NULL)
		closedir(files);
	if (object->path[0] == 0)
		die("no file of it", -ENOENT);
}

static void save(const struct objects *objects, struct object *object)
{
	struct stat status;
	find_file(objects, object);
	int fd = open(object->path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		die(object->path, 0);
	object->size = (uint32_t)status.st_size;
	object->image = malloc(object->size);
	if (object->image == NULL || pread(fd, object->image, object->size, 0) < 0)
		die(object->path, 0);
	close(fd);
}

static void write_zeros(int fd, off_t from, off_t to)
{
	static const char zeros[65536];
	for (off_t left = to - from; left > 0;) {
		ssize_t done = pwrite(fd, zeros, left < 65536 ? (size_t)left : 65536, to - left);
		if (done <= 0)
			die("write", 0);
		left -= done;
	}
}

void object_damage(struct objects *objects, enum object_kind kind, const struct mutation *mutation,
                   uint32_t length)
{
	struct object *object = &objects->of[kind];
	struct stat status;
	unsigned char *bytes = malloc(object->size);
	int fd = open(object->path, O_RDWR | O_CLOEXEC);
	if (bytes == NULL || fd < 0 || fstat(fd, &status) < 0)
		die(object->path, 0);
	memcpy(bytes, object->image, object->size);
	mutation_apply(mutation, bytes);
	if (pwrite(fd, bytes, object->size, 0) != (ssize_t)object->size)
		die("write", 0);
	free(bytes);
	write_zeros(fd, object->size, status.st_size);
	if (length != 0 && ftruncate(fd, length) < 0)
		die("cut", 0);
	close(fd);
}

/* Near the head most of the time, and values that are indexes, counts or processes. */
void object_draw(const struct objects *objects, enum object_kind kind, struct dice *dice,
                 struct mutation *ret)
{
	static const uint32_t edges[] = {
		0,         1,     2,     3,     255,   256,     257,     1023,      1024,
		1025,      32767, 32768, 65535, 65536, 1 << 20, 1 << 26, INT32_MAX, UINT32_MAX - 1,
		UINT32_MAX
	};
	const struct object *object = &objects->of[kind];
	uint32_t head = kind == OBJECT_SET ? 4608 : 12288, count = 1 + roll_below(dice, 8);
	head = head < object->size ? head : object->size;
	bool forges_lock = one_in(dice, 256);
	if (one_in(dice, 8))
		count = EDITS_MAX;
	for (ret->count = 0; ret->count < count;) {
		struct edit *edit = &ret->edits[ret->count++];
		uint32_t reach = one_in(dice, 4) ? object->size : one_in(dice, 3) ? head : 512;
		edit->width = one_in(dice, 8) ? 8 : 4;
		edit->offset = roll_below(dice, reach / 4 - 2) * 4;
		uint32_t kind_of = roll_below(dice, 5);
		edit->value = kind_of == 0   ? roll(dice)
		              : kind_of == 1 ? roll_below(dice, 40)
		              : kind_of == 2 ? edges[roll_below(dice, sizeof edges / 4)]
		              : kind_of == 3
		                      ? (uint32_t)object->people[roll_below(dice, object->count)]
		                      : roll_below(dice, object->size / 64);
		/* A forged lock of a queue costs each call two seconds, so it is rare. It is never
		 * one of the people: they are stopped, and so would a holder be. */
		if (kind == OBJECT_QUEUE && edit->offset < sizeof(struct mdg__owned) &&
		    (kind_of == 3 || !forges_lock))
			ret->count--;
	}
}

/* ---- making and removing -------------------------------------------------------------- */

static void make_in_child(struct objects *objects)
{
	int say[2];
	if (pipe(say) < 0)
		die("pipe", 0);
	pid_t pid = fork();
	if (pid == 0) {
		make_all(objects);
		_exit(write(say[1], objects, sizeof *objects) != (ssize_t)sizeof *objects);
	}
	close(say[1]);
	if (pid < 0 || read(say[0], objects, sizeof *objects) != (ssize_t)sizeof *objects)
		die("making", 0);
	close(say[0]);
	waitpid(pid, NULL, 0);
}

void objects_begin(struct objects *objects)
{
	const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	memset(objects, 0, sizeof *objects);
	snprintf(objects->directory, sizeof objects->directory, "%s/madang-fuzz-XXXXXX",
	         base != NULL ? base : "/tmp");
	if (mkdtemp(objects->directory) == NULL)
		die(objects->directory, 0);
	snprintf(objects->path, sizeof objects->path, "%s/ns", objects->directory);
}

void objects_make(struct objects *objects)
{
	objects_begin(objects);
	fflush(NULL);
	make_in_child(objects);
	where = objects;
	struct object *set = &objects->of[OBJECT_SET], *queue = &objects->of[OBJECT_QUEUE];
	start(set, hold, true);
	start(set, hold, false);
	start(set, sleep_with_list, false);
	start(set, sleep_once, true);
	start(set, sleep_once, false);
	start(queue, receive, true);
	start(queue, receive, false);
	start(queue, receive, false);
	save(objects, set);
	save(objects, queue);
}

void objects_remove(struct objects *objects)
{
	char path[900];
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		struct object *object = &objects->of[kind];
		for (unsigned i = 0; i < object->count; i++) {
			kill(object->people[i], SIGKILL);
			waitpid(object->people[i], NULL, 0);
		}
		free(object->image);
	}
	DIR *files = opendir(objects->path);
	struct dirent *entry;
	while (files != NULL && (entry = readdir(files)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", objects->path, entry->d_name);
		(void)unlink(path);
	}
	if (files != NULL)
		closedir(files);
	(void)rmdir(objects->path);
	(void)rmdir(objects->directory);
}

void object_again(struct objects *objects, enum object_kind kind, mdg_namespace *ns)
{
	struct object *object = &objects->of[kind];
	if (kind == OBJECT_SET)
		make_set(ns, &object->id);
	else
		make_queue(ns, &object->id);
	find_file(objects, object);
	if (truncate(object->path, object->size) < 0)
		die("length", 0);
}
