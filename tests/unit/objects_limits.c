/* SPDX-License-Identifier: MIT */
/*
 * objects_limits.c - the limits of semaphores and messages: their values, what is refused beyond
 * them, and that they can be set as sysctls are.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "segment/hostcalls.h"
#include "segment/internal.h"
#include "segment/objects.h"

#define SETS   MDG__SEMAPHORE_SETS
#define QUEUES MDG__MESSAGE_QUEUES

static mdg_namespace *ns;

static int get(enum mdg__class class, uint64_t amount, mdg_id *ret_id)
{
	struct mdg__object_order order = { .mode = 0600, .field = { amount } };
	return mdg__object_get(ns, class, &order, ret_id);
}

static void set(enum mdg__setting setting, const char *text)
{
	int fd = mdg__host_setting_open(ns, setting, O_WRONLY);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(fd >= 0 && close(fd) == 0);
}

static void reads(enum mdg__setting setting, const char *expected)
{
	char text[MDG__SETTING_ROOM];
	int length = mdg__host_setting_text(ns, setting, text);
	if (!CHECK(length == (int)strlen(expected) && strcmp(text, expected) == 0))
		fprintf(stderr, "it reads '%s', not '%s'\n", text, expected);
}

static void usual(void)
{
	CHECK(mdg__object_limit(ns, MDG__SEMMSL) == 32000);
	CHECK(mdg__object_limit(ns, MDG__SEMMNS) == 1024000000);
	CHECK(mdg__object_limit(ns, MDG__SEMOPM) == 500);
	CHECK(mdg__object_limit(ns, MDG__SEMMNI) == 32000);
	CHECK(mdg__object_limit(ns, MDG__MSGMAX) == 8192);
	CHECK(mdg__object_limit(ns, MDG__MSGMNB) == 16384);
	CHECK(mdg__object_limit(ns, MDG__MSGMNI) == 32000);
	reads(MDG__SET_SEM, "32000\t1024000000\t500\t32000\n");
	reads(MDG__SET_MSGMAX, "8192\n");
	reads(MDG__SET_MSGMNB, "16384\n");
	reads(MDG__SET_MSGMNI, "32000\n");
	reads(MDG__SEM_NEXT_ID, "-1\n");
	reads(MDG__MSG_NEXT_ID, "-1\n");
}

static void written(void)
{
	set(MDG__SET_SEM, "100 200\t50  60\n");
	reads(MDG__SET_SEM, "100\t200\t50\t60\n");
	CHECK(mdg__object_limit(ns, MDG__SEMMSL) == 100);
	CHECK(mdg__object_limit(ns, MDG__SEMMNI) == 60);
	set(MDG__SET_SEM, "101"); /* the others stay */
	reads(MDG__SET_SEM, "101\t200\t50\t60\n");
	set(MDG__SET_SEM, "1 2 3 40000\n"); /* more sets than there are ids */
	set(MDG__SET_SEM, "1 x\n");
	set(MDG__SET_SEM, "-5\n");
	set(MDG__SET_SEM, "nothing\n");
	reads(MDG__SET_SEM, "1\t200\t50\t60\n"); /* of "1 x" the first */
	set(MDG__SET_MSGMAX, "0x10\n");
	set(MDG__SET_MSGMNB, "0");
	set(MDG__SET_MSGMNI, "40000\n");
	CHECK(mdg__object_limit(ns, MDG__MSGMAX) == 16);
	CHECK(mdg__object_limit(ns, MDG__MSGMNB) == 0);
	CHECK(mdg__object_limit(ns, MDG__MSGMNI) == 32000);
}

static void refused(void)
{
	mdg_id id[3], more;
	struct mdg__object_totals totals;
	set(MDG__SET_SEM, "100 10 50 3\n");
	CHECK_RC(0, get(SETS, 4, &id[0]));
	CHECK_RC(0, get(SETS, 6, &id[1]));
	CHECK_RC(-ENOSPC, get(SETS, 1, &more));
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id[0]));
	CHECK_RC(-ENOSPC, get(SETS, 5, &more));
	CHECK_RC(0, get(SETS, 1, &id[0]));
	CHECK_RC(0, get(SETS, 1, &id[2]));
	CHECK_RC(0, mdg__object_totals(ns, SETS, &totals));
	CHECK(totals.used == 3 && totals.total == 8);
	CHECK_RC(-ENOSPC, get(SETS, 1, &more));
	set(MDG__SET_MSGMNI, "1");
	CHECK_RC(0, get(QUEUES, 1 << 30, &more));
	CHECK_RC(-ENOSPC, get(QUEUES, 1, &more));
	CHECK_RC(0, mdg__object_rmid(ns, QUEUES, more));
	for (int i = 0; i < 3; i++)
		CHECK_RC(0, mdg__object_rmid(ns, SETS, id[i]));
	CHECK_RC(0, mdg__object_totals(ns, SETS, &totals));
	CHECK(totals.used == 0 && totals.total == 0 && totals.highest == -1);
	CHECK(unit_is_sound(ns));
}

static void next_id(void)
{
	mdg_id id, wish;
	char text[32];
	CHECK_RC(0, get(QUEUES, 1, &wish));
	CHECK_RC(0, mdg__object_rmid(ns, QUEUES, wish));
	wish += 5 * 32768 + 7;
	snprintf(text, sizeof text, "%d\n", wish);
	set(MDG__MSG_NEXT_ID, text);
	reads(MDG__MSG_NEXT_ID, text);
	CHECK_RC(0, get(SETS, 1, &id)); /* the other class's has nothing to do with it */
	CHECK(id != wish);
	CHECK_RC(0, mdg__object_rmid(ns, SETS, id));
	CHECK_RC(0, get(QUEUES, 1, &id));
	CHECK(id == wish);
	CHECK_RC(0, mdg__object_rmid(ns, QUEUES, id));
	reads(MDG__MSG_NEXT_ID, "-1\n");
	reads(MDG__SEM_NEXT_ID, "-1\n");
}

int main(void)
{
	struct mdg_namespace_options options = unit_options(0);
	ns = unit_open("limits", &options);
	usual();
	written();
	refused();
	next_id();
	return test_result();
}
