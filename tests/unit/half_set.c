/* SPDX-License-Identifier: MIT */
/*
 * half_set.c - in a shared namespace the data file has the owner, group and mode
 * of its segment: also after a change that was cut off between the two, once the
 * check has mended it. (Changes by two at once: tests/crash, set-shared-both.)
 */
#include "unit.h"

#include <sys/stat.h>

#include "support/datafile.h"

enum { FRIEND = 12345 };

static mdg_namespace *ns;
static mdg_id id;
static char path[UNIT_PATH + 32];

static struct stat file(void)
{
	struct stat status = { 0 };
	CHECK(stat(path, &status) == 0);
	return status;
}

static int note(const struct mdg_finding *finding, void *context)
{
	CHECK(finding->kind == MDG_FOUND_HALF_SET && finding->id == id);
	*(unsigned *)context += 1;
	return 0;
}

/* Found, left alone, mended, and gone. */
static void find_and_mend(const char *what)
{
	unsigned found = 0, mended = 0, left = 0;
	CHECK_RC(1, mdg_namespace_check(ns, 0, note, &found));
	CHECK_RC(0, mdg_namespace_check(ns, MDG_CHECK_REPAIR, note, &mended));
	CHECK_RC(0, mdg_namespace_check(ns, 0, note, &left));
	if (found != 1 || mended != 1 || left != 0) {
		fprintf(stderr, "%s: found %u times, mended %u, then found %u times\n", what, found,
		        mended, left);
		check_failures++;
	}
}

static void cut_off_after_the_file(void)
{
	struct mdg_segment_info info = unit_stat(ns, id);
	CHECK(chmod(path, 0600) == 0);
	find_and_mend("mode");
	CHECK((file().st_mode & 0777) == 0640);
	if (geteuid() != 0)
		return;
	CHECK(chown(path, geteuid(), FRIEND) == 0);
	find_and_mend("group");
	CHECK(file().st_gid == info.gid && unit_stat(ns, id).gid == info.gid);
	/* Given away: the creator keeps an owner's rights by an access control list. */
	CHECK_RC(0, mdg_segment_set(ns, id, FRIEND, FRIEND, 0640));
	CHECK_RC(0, mdg_namespace_check(ns, 0, NULL, NULL));
	CHECK(file().st_uid == FRIEND);
	CHECK(chown(path, geteuid(), FRIEND) == 0); /* the creator's: nobody else's can be */
	find_and_mend("owner");
	CHECK(file().st_uid == FRIEND && file().st_gid == FRIEND);
	CHECK(chmod(path, 0600) == 0); /* takes the creator's and the group's rights away */
	find_and_mend("list");
	CHECK_RC(0, mdg_segment_set(ns, id, info.uid, info.gid, 0640));
	CHECK_RC(0, mdg_namespace_check(ns, 0, NULL, NULL));
	CHECK(file().st_uid == info.uid && (file().st_mode & 0777) == 0640);
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(MDG_NS_SHARED);
	char directory[UNIT_PATH];
	ns = unit_open("half-set", &options);
	CHECK_RC(0, mdg_segment_create(ns, NULL, 4096, 0640, 0, &id));
	unit_path(directory, "half-set");
	snprintf(path, sizeof path, "%s/%s", directory, data_file_name(directory, id));
	CHECK((file().st_mode & 0777) == 0640);
	cut_off_after_the_file();
	return test_result();
}
