/* SPDX-License-Identifier: MIT */
/* See scene.h. */
#include "fuzz/scene.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry/layout.h"
#include "registry/registry.h"

static void die(const char *what, int rc)
{
	fprintf(stderr, "scene: %s: %s\n", what, rc < 0 ? mdg_strerror(rc) : strerror(errno));
	exit(1);
}

/* ---- its people ------------------------------------------------------------ */

static mdg_namespace *enter(const struct scene *scene)
{
	struct mdg_namespace_options options = { .size = sizeof options,
		                                 .segments = 64,
		                                 .processes = 16,
		                                 .flags = scene->shared ? MDG_NS_SHARED : 0 };
	mdg_namespace *ns;
	int rc = mdg_namespace_open(&ns, scene->path, &options);
	if (rc < 0)
		die("open", rc);
	return ns;
}

static void attach(mdg_namespace *ns, mdg_id id)
{
	void *memory;
	int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	if (rc < 0)
		die("attach", rc);
}

static void make_segments(mdg_namespace *ns, struct scene *scene)
{
	static const uint64_t sizes[SCENE_SEGMENTS] = { 4096, 10000, 8192, 4096, 65536, 4096 };
	int rc = 0;
	for (int i = 0; i < SCENE_SEGMENTS && rc == 0; i++) {
		unsigned flags = MDG_CREATE | 0600 | (i == 4 ? MDG_NORESERVE : 0);
		scene->sizes[i] = sizes[i];
		if (i == 2)
			rc = mdg_segment_create(ns, "weather", sizes[i], 0644, 0, &scene->ids[i]);
		else
			rc = mdg_segment_get(ns, i == 3 ? 0 : SCENE_KEY + i, sizes[i], flags,
			                     &scene->ids[i]);
	}
	if (rc < 0)
		die("make a segment", rc);
}

static void be_holder(struct scene *scene, int say, int lifeline)
{
	mdg_namespace *ns = enter(scene);
	char byte;
	make_segments(ns, scene);
	for (int i = 0; i < 4; i++)
		attach(ns, scene->ids[i]);
	attach(ns, scene->ids[1]);
	int rc = mdg_segment_remove(ns, scene->ids[3]);
	if (rc < 0)
		die("remove", rc);
	if (write(say, scene, sizeof *scene) != (ssize_t)sizeof *scene)
		_exit(1);
	while (read(lifeline, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void start_holder(struct scene *scene)
{
	int say[2], life[2];
	if (pipe(say) < 0 || pipe(life) < 0)
		die("pipe", 0);
	scene->holder = fork();
	if (scene->holder < 0)
		die("fork", 0);
	if (scene->holder == 0) {
		close(life[1]);
		be_holder(scene, say[1], life[0]);
	}
	close(say[1]);
	close(life[0]);
	scene->lifeline = life[1];
	fcntl(scene->lifeline, F_SETFD, FD_CLOEXEC);
	struct scene told;
	if (read(say[0], &told, sizeof told) != (ssize_t)sizeof told)
		die("the holder", 0);
	memcpy(scene->ids, told.ids, sizeof told.ids);
	memcpy(scene->sizes, told.sizes, sizeof told.sizes);
	close(say[0]);
}

static void let_one_die(const struct scene *scene)
{
	pid_t pid = fork();
	if (pid == 0) {
		close(scene->lifeline);
		mdg_namespace *ns = enter(scene);
		for (int i = 0; i < 3; i++)
			attach(ns, scene->ids[i]);
		raise(SIGKILL);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		die("the one to die", 0);
}

/* ---- saving and restoring ---------------------------------------------------- */

static bool is_data(const char *name)
{
	return strncmp(name, "seg-", 4) == 0;
}

static void for_each_file(const char *directory, void (*act)(const struct scene *, const char *),
                          const struct scene *scene)
{
	DIR *files = opendir(directory);
	struct dirent *entry;
	while (files != NULL && (entry = readdir(files)) != NULL)
		if (is_data(entry->d_name))
			act(scene, entry->d_name);
	if (files != NULL)
		closedir(files);
}

static void link_between(const char *from, const char *to, const char *name)
{
	char old[560], new[560];
	snprintf(old, sizeof old, "%s/%s", from, name);
	snprintf(new, sizeof new, "%s/%s", to, name);
	if (link(old, new) < 0 && errno != EEXIST && errno != ENOENT)
		die(new, 0);
}

static void save_one(const struct scene *scene, const char *name)
{
	link_between(scene->path, scene->saved, name);
}

static uint64_t aligned(uint64_t at)
{
	return (at + MDG__TABLE_ALIGN - 1) / MDG__TABLE_ALIGN * MDG__TABLE_ALIGN;
}

/* Where the tables are: registry/open.c. */
static struct mdg__process *processes_of(unsigned char *registry)
{
	const struct mdg__head *head = (void *)registry;
	uint64_t at = aligned(MDG__TABLE_ALIGN +
	                      ((uint64_t)head->capacity[MDG__SEGMENTS] + 63) / 64 * 8u);
	return (void *)(registry + aligned(at + (uint64_t)head->bucket_count[MDG__SEGMENTS] * 4u));
}

static struct mdg__segment *segment_of(unsigned char *registry, mdg_id id)
{
	const struct mdg__head *head = (void *)registry;
	struct mdg__process *processes = processes_of(registry);
	uint64_t at = (uint64_t)((unsigned char *)(processes + head->process_capacity) - registry);
	return (struct mdg__segment *)(void *)(registry + aligned(at)) + id % (mdg_id)MDG__IDS;
}

/* Between users a file with two names is not believed: there it is made anew. */
static void make_again(const struct scene *scene, const char *name)
{
	char saved[560], path[560];
	struct stat was, status;
	snprintf(saved, sizeof saved, "%s/%s", scene->saved, name);
	snprintf(path, sizeof path, "%s/%s", scene->path, name);
	unlink(path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return; /* a caller was quicker, led by what was scribbled */
	if (fd < 0 || stat(saved, &was) < 0 || ftruncate(fd, was.st_size) < 0 ||
	    fstat(fd, &status) < 0)
		die(path, 0);
	close(fd);
	mdg_id id = (mdg_id)strtol(strrchr(name, '-') + 1, NULL, 10);
	segment_of(scene->map, id)->inode = segment_of(scene->image, id)->inode = status.st_ino;
}

static void put_back_one(const struct scene *scene, const char *name)
{
	if (scene->shared)
		make_again(scene, name);
	else
		link_between(scene->saved, scene->path, name);
}

/* Away with what is not the saved file of that name. */
static void clear_one(const struct scene *scene, const char *name)
{
	char saved[560], path[560];
	struct stat there, was;
	snprintf(saved, sizeof saved, "%s/%s", scene->saved, name);
	snprintf(path, sizeof path, "%s/%s", scene->path, name);
	if (stat(saved, &was) < 0 || lstat(path, &there) < 0 || there.st_ino != was.st_ino)
		unlink(path);
}

/* The last segment becomes one whose making the dead process did not end. */
static void cut_off(struct scene *scene)
{
	struct mdg__process *processes = processes_of(scene->map);
	struct mdg__segment *segment = segment_of(scene->map, scene->ids[5]);
	segment->tag = (segment->tag & ~UINT32_C(0xff)) | MDG__BUSY;
	segment->worker = 2; /* slot 1: the second to come */
	segment->worker_generation = processes[1].tag >> 8;
	processes[1].working = 1;
}

static void save(struct scene *scene)
{
	char path[300];
	struct stat status;
	snprintf(path, sizeof path, "%s/registry", scene->path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		die(path, 0);
	scene->size = (size_t)status.st_size;
	void *map = mmap(NULL, scene->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	scene->image = malloc(scene->size);
	close(fd);
	if (map == MAP_FAILED || scene->image == NULL)
		die(path, 0);
	scene->map = map;
	cut_off(scene);
	memcpy(scene->image, scene->map, scene->size);
	if (mkdir(scene->saved, 0700) < 0)
		die(scene->saved, 0);
	for_each_file(scene->path, save_one, scene);
}

void scene_restore(const struct scene *scene)
{
	memcpy(scene->map, scene->image, scene->size);
	/* A registry that claims to be shared opens it. */
	if (chmod(scene->path, scene->shared ? 01777 : 0700) < 0)
		die(scene->path, 0);
	for_each_file(scene->path, clear_one, scene);
	for_each_file(scene->saved, put_back_one, scene);
}

/* ---- making and removing ------------------------------------------------------- */

void scene_make(struct scene *scene, bool shared)
{
	const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	memset(scene, 0, sizeof *scene);
	scene->shared = shared;
	snprintf(scene->directory, sizeof scene->directory, "%s/madang-fuzz-XXXXXX",
	         base != NULL ? base : "/tmp");
	if (mkdtemp(scene->directory) == NULL)
		die(scene->directory, 0);
	snprintf(scene->path, sizeof scene->path, "%s/ns", scene->directory);
	snprintf(scene->saved, sizeof scene->saved, "%s/saved", scene->directory);
	start_holder(scene);
	let_one_die(scene);
	save(scene);
}

static void remove_flat(const char *directory)
{
	char path[560];
	DIR *files = opendir(directory);
	struct dirent *entry;
	while (files != NULL && (entry = readdir(files)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (files != NULL)
		closedir(files);
	rmdir(directory);
}

void scene_remove(struct scene *scene)
{
	close(scene->lifeline);
	while (waitpid(scene->holder, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(scene->map, scene->size);
	free(scene->image);
	remove_flat(scene->path);
	remove_flat(scene->saved);
	rmdir(scene->directory);
}
