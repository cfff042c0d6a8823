/* SPDX-License-Identifier: MIT */
/*
 * text.c - mdg__format and mdg__parse_number beside the C library's functions, mdg__hash, and the
 * text of every code in mdg_strerror.
 */
#include "unit.h"

#include <inttypes.h>

#include "platform/text.h"

static void format_like_printf(void)
{
	static const uint32_t numbers[] = { 0,         1,     9,         10,
		                            4095,      65536, INT32_MAX, UINT32_C(1) << 31,
		                            UINT32_MAX };
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char ours[100], theirs[100];
		uint32_t n = numbers[i];
		for (size_t room = 1; room <= sizeof ours; room++) {
			memset(ours, '#', sizeof ours);
			bool whole =
				mdg__format(ours, room, "<%s|%d|%u|%x>", "text", (int32_t)n, n, n);
			int length =
				snprintf(theirs, room, "<%s|%" PRId32 "|%" PRIu32 "|%08" PRIx32 ">",
			                 "text", (int32_t)n, n, n);
			CHECK(strcmp(ours, theirs) == 0);
			CHECK(whole == ((size_t)length < room));
			CHECK(room == sizeof ours || ours[room] == '#');
		}
	}
	char text[8];
	CHECK(mdg__format(text, sizeof text, "%s", "") && text[0] == '\0');
	CHECK(mdg__format(text, sizeof text, "%s%s", "", "abc") && strcmp(text, "abc") == 0);
}

static bool parses(const char *text, unsigned base, uint64_t wanted, const char *rest)
{
	uint64_t value = 99;
	const char *at = text;
	return mdg__parse_number(&at, base, &value) && value == wanted && strcmp(at, rest) == 0;
}

static void numbers(void)
{
	CHECK(parses("0", 10, 0, ""));
	CHECK(parses("0042 rest", 10, 42, " rest"));
	CHECK(parses("18446744073709551615", 10, UINT64_MAX, ""));
	CHECK(parses("7fffffffffffffff-8", 16, INT64_MAX, "-8"));
	CHECK(parses("12a", 10, 12, "a"));
	CHECK(parses("12ag", 16, 0x12a, "g"));
	static const char *const none[] = { "", " 1", "-1", "+1", "x1", "g" };
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		uint64_t value;
		const char *at = none[i];
		CHECK(!mdg__parse_number(&at, 16, &value) && at == none[i]);
	}
}

static void hash(void)
{
	/* The published values of FNV-1a. */
	CHECK(mdg__hash("", 0) == UINT64_C(0xcbf29ce484222325));
	CHECK(mdg__hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	CHECK(mdg__hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void sentences(void)
{
	static const int own[] = { MDG_DAMAGED,   MDG_NOT_REGISTRY, MDG_VERSION_UNLIKE,
		                   MDG_TRUNCATED, MDG_NS_SYMLINK,   MDG_NS_NOT_DIR,
		                   MDG_NS_OWNER,  MDG_NS_WRITABLE,  MDG_NS_GONE,
		                   MDG_NO_SLOT,   MDG_OWNER_DIED,   MDG_BROKEN };
	static const int named[] = { 0,       -ENOENT,       -EEXIST, -EACCES,  -EPERM,
		                     -EINVAL, -ENOMEM,       -ENOSPC, -EMFILE,  -ENFILE,
		                     -EIDRM,  -ENAMETOOLONG, -EROFS,  -ENOTDIR, -ENOSYS };
	const char *unknown = mdg_strerror(1), *other = mdg_strerror(-134 - 1000);
	errno = 4242;
	for (int code = -12000; code <= 12000; code++) {
		const char *text = mdg_strerror(code);
		CHECK(text != NULL && *text != '\0' && text[strlen(text) - 1] != '.');
		CHECK(text == mdg_strerror(code));
	}
	CHECK(errno == 4242);
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		CHECK(strcmp(mdg_strerror(own[i]), unknown) != 0);
		CHECK(own[i] == -10001 - (int)i);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(mdg_strerror(own[i]), mdg_strerror(own[j])) != 0);
	}
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
		CHECK(strcmp(mdg_strerror(named[i]), unknown) != 0 &&
		      strcmp(mdg_strerror(named[i]), other) != 0);
	CHECK(strcmp(mdg_strerror(-4096), unknown) == 0 &&
	      strcmp(mdg_strerror(-10099), unknown) == 0);
	char version[32];
	snprintf(version, sizeof version, "%d.%d.%d", MDG_VERSION_MAJOR, MDG_VERSION_MINOR,
	         MDG_VERSION_PATCH);
	CHECK(strcmp(mdg_version(), version) == 0);
}

int main(void)
{
	format_like_printf();
	numbers();
	hash();
	sentences();
	return test_result();
}
