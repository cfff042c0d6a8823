/* SPDX-License-Identifier: MIT */
/*
 * Without /proc or /sys: chroots and small containers. Everything works, the counts
 * after kill -9 included; only the lock on the process slot tells who lives.
 */
#include "badinput/place.h"

#include <signal.h>

static mdg_namespace *ns;

/* Hides /proc, in mounts of this process's own. */
static bool hide_proc(void)
{
	if (!own_mounts())
		return false;
	if (umount2("/proc", MNT_DETACH) != 0 && errno != EINVAL &&
	    mount("none", "/proc", "tmpfs", 0, NULL) != 0)
		return false;
	return access("/proc/self", F_OK) != 0;
}

static void *attach(mdg_id id)
{
	void *memory = NULL;
	CHECK_CODE(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	return memory;
}

/* ---- what children do --------------------------------------------------------- */

struct child {
	pid_t pid;
	int say, wait;
};

/* A process of its own that attaches twice, and stays. */
static struct child start_attacher(mdg_id id)
{
	int say[2] = { -1, -1 }, wait[2] = { -1, -1 };
	char byte = 'x';
	if (!CHECK(pipe(say) == 0 && pipe(wait) == 0))
		_exit(1);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(say[0]);
		close(wait[1]);
		(void)attach(id);
		(void)attach(id);
		byte = check_failures == 0 ? 'a' : 'x';
		(void)!write(say[1], &byte, 1);
		(void)!read(wait[0], &byte, 1);
		_exit(0);
	}
	close(say[1]);
	close(wait[0]);
	CHECK(read(say[0], &byte, 1) == 1 && byte == 'a');
	return (struct child){ pid, say[0], wait[1] };
}

static void end(struct child *child, int signal)
{
	int status;
	if (signal != 0)
		CHECK(kill(child->pid, signal) == 0);
	close(child->wait);
	CHECK(waitpid(child->pid, &status, 0) == child->pid);
	close(child->say);
}

/* ---- the cases ------------------------------------------------------------------ */

static void counts(void)
{
	mdg_id id;
	CHECK_CODE(0, mdg_segment_create(ns, "counted", 8192, 0600, 0, &id));
	char *memory = attach(id);
	strcpy(memory, "mine");
	CHECK(attached_to(ns, id) == 1);
	struct child first = start_attacher(id), second = start_attacher(id);
	CHECK(attached_to(ns, id) == 1 + 2 * (1 + 2)); /* inherited one, attached two */
	end(&first, SIGKILL);
	CHECK(attached_to(ns, id) == 4);
	end(&second, 0);
	CHECK(attached_to(ns, id) == 1);
	CHECK(strcmp(memory, "mine") == 0);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK(attached_to(ns, id) == 0);
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

/* Removed while attached: others attach by id, and it goes with the last. */
static void removal(void)
{
	mdg_id id;
	char name[64];
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 8192, 0600, 0, &id));
	snprintf(name, sizeof name, "ns/%s", data_file_name(in_place("ns"), id));
	char *memory = attach(id);
	strcpy(memory, "removed");
	CHECK_CODE(0, mdg_segment_remove(ns, id));
	struct child other = start_attacher(id);
	char *again = attach(id);
	CHECK(again != NULL && strcmp(again, "removed") == 0);
	CHECK(attached_to(ns, id) == 5);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_detach(ns, again));
	CHECK(attached_to(ns, id) == 3);
	end(&other, SIGKILL);
	struct mdg_segment_info info = { .size = sizeof info };
	CHECK_CODE(-EINVAL, mdg_segment_stat(ns, id, MDG_STAT_ANY, &info));
	CHECK(access(in_place(name), F_OK) != 0);
}

static void run_exec(void *unused)
{
	(void)unused;
	execl("/bin/true", "true", (char *)NULL);
	CHECK(false);
}

static void exec_detaches(void)
{
	mdg_id id;
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 8192, 0600, 0, &id));
	void *memory = attach(id);
	CHECK(in_child(run_exec, NULL));
	CHECK(attached_to(ns, id) == 1);
	CHECK_CODE(0, mdg_segment_detach(ns, memory));
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

static void all_of_it(void)
{
	struct mdg_namespace_info info = { .size = sizeof info };
	check_works(ns);
	counts();
	removal();
	exec_detaches();
	CHECK_CODE(0, mdg_namespace_info(ns, MDG_INFO_RESIDENT, &info));
	CHECK(info.segments_used == 0 && info.processes_used == 1);
	CHECK_CODE(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, NULL, NULL));
	CHECK_CODE(0, mdg_namespace_check(ns, 0, NULL, NULL));
}

static void from_the_start(void *unused)
{
	(void)unused;
	CHECK(hide_proc());
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	if (check_failures == 0)
		all_of_it();
}

/* /proc goes away under a process that is at work already. */
static void later(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	if (check_failures == 0)
		check_works(ns);
	CHECK(hide_proc());
	all_of_it();
}

/* Some with, some without: an attached process outside is counted inside. */
static void mixed(void *unused)
{
	mdg_id id;
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK_CODE(0, mdg_segment_create(ns, NULL, 8192, 0600, 0, &id));
	struct child with = start_attacher(id);
	CHECK(hide_proc());
	CHECK(attached_to(ns, id) == 2);
	struct child without = start_attacher(id);
	CHECK(attached_to(ns, id) == 4);
	end(&with, SIGKILL);
	CHECK(attached_to(ns, id) == 2);
	end(&without, SIGKILL);
	CHECK(attached_to(ns, id) == 0);
	CHECK_CODE(0, mdg_segment_remove(ns, id));
}

static bool hide(const char *path)
{
	return mount("none", path, "tmpfs", MS_RDONLY, NULL) == 0;
}

/* Nothing tells which sizes of huge pages there are. The usual ones are none to be had, and others
 * are no sizes. */
static void huge_pages(void)
{
	const unsigned usual = 21u << 26, unheard_of = 13u << 26;
	mdg_id id = -1;
	int rc = mdg_segment_create(ns, NULL, 5000, 0600, MDG_HUGEPAGES, &id);
	CHECK(rc == -ENOMEM || rc == 0);
	rc = mdg_segment_create(ns, NULL, 5000, 0600, MDG_HUGEPAGES | usual, &id);
	CHECK(rc == -ENOMEM || rc == 0 || sysconf(_SC_PAGESIZE) != 4096);
	CHECK_CODE(-EINVAL,
	           mdg_segment_create(ns, NULL, 5000, 0600, MDG_HUGEPAGES | unheard_of, &id));
}

static void without_sizes(void *unused)
{
	(void)unused;
	CHECK_CODE(0, open_new(in_place("ns"), &ns));
	CHECK(own_mounts() && hide("/sys"));
	huge_pages();
	CHECK(hide("/proc"));
	huge_pages();
}

int main(void)
{
	need_own_mounts();
	place_make();
	CHECK(in_child(from_the_start, NULL));
	CHECK(in_child(later, NULL));
	CHECK(in_child(mixed, NULL));
	CHECK(in_child(without_sizes, NULL));
	return test_result();
}
