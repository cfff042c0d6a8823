/* SPDX-License-Identifier: MIT */
/*
 * words_test.c - names as tokens, heartbeats, and shapes: what other hosts say is read strictly.
 * And lines of the log: no value can leave its place.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/token.h"
#include "link/shape.h"
#include "support/check.h"
#include "watch/heard.h"

#define INSTANCE "0123456789abcdef0123456789abcdef"
#define HEAD     "madang-bridge 1 " INSTANCE

static void test_tokens(void)
{
	char token[TOKEN_ROOM], name[64], every[256], longest[64];

	CHECK(token_make(token, sizeof token, "news-1_A") == 0 && strcmp(token, "news-1_A") == 0);
	CHECK(token_make(token, sizeof token, "a.b *>\n") == 0);
	CHECK(strcmp(token, "a=2eb=20=2a=3e=0a") == 0);
	CHECK(token_make(token, sizeof token, "") != 0);
	memset(longest, '\xff', 63);
	longest[63] = '\0';
	CHECK(token_make(token, sizeof token, longest) == 0);
	CHECK(token_name(name, sizeof name, token, strlen(token)) == 0 && !strcmp(name, longest));
	CHECK(token_make(token, sizeof token - 1, longest) != 0);
	for (int i = 1; i < 256; i++) {
		every[0] = (char)i;
		every[1] = '\0';
		CHECK(token_make(token, sizeof token, every) == 0);
		CHECK(!strpbrk(token, ".*> \t\r\n\\/%"));
		CHECK(token_name(name, sizeof name, token, strlen(token)) == 0);
		CHECK(strcmp(name, every) == 0);
	}
	/* Only what token_make writes: else two tokens would mean one name. */
	CHECK(token_name(name, sizeof name, "=41", 3) != 0);
	CHECK(token_name(name, sizeof name, "=2E", 3) != 0);
	CHECK(token_name(name, sizeof name, "=00", 3) != 0);
	CHECK(token_name(name, sizeof name, "a=2", 3) != 0);
	CHECK(token_name(name, sizeof name, "a.b", 3) != 0);
	CHECK(token_name(name, sizeof name, "", 0) != 0);
	CHECK(token_name(name, 3, "abc", 3) != 0);
}

static bool hears(const char *text)
{
	struct heard heard;
	size_t length = strlen(text);
	char *copy = malloc(length ? length : 1); /* without a NUL behind it */
	bool ok;

	CHECK(copy != NULL);
	for (size_t i = 0; i < length; i++)
		copy[i] = text[i];
	ok = heard_parse(&heard, copy, length);
	free(copy);
	if (ok)
		free(heard.channels);
	return ok;
}

static void test_heartbeats(void)
{
	static const char text[] = HEAD "\nnews 3 1 2 3 77\na=2eb 1 0 0 0 18446744073709551615\n";
	static const char taken[] = HEAD " taken " INSTANCE " 77\n";
	struct heard heard;

	CHECK(heard_parse(&heard, text, strlen(text)));
	CHECK(strcmp(heard.instance, INSTANCE) == 0 && heard.word == HEARD_CHANNELS &&
	      heard.count == 2);
	CHECK(strcmp(heard.channels[0].token, "news") == 0 && heard.channels[0].kind == MDG_TOPIC);
	CHECK(heard.channels[0].talkers == 1 && heard.channels[0].listeners == 2);
	CHECK(heard.channels[0].directions == 3 && heard.channels[0].position == 77);
	CHECK(heard.channels[1].position == UINT64_MAX);
	free(heard.channels);
	CHECK(heard_parse(&heard, HEAD " bye\n", strlen(HEAD " bye\n")));
	CHECK(heard.word == HEARD_BYE);
	CHECK(heard_parse(&heard, HEAD " alive\n", strlen(HEAD " alive\n")));
	CHECK(heard.word == HEARD_ALIVE);
	CHECK(heard_parse(&heard, taken, strlen(taken)) && heard.word == HEARD_TAKEN);
	CHECK(strcmp(heard.other, INSTANCE) == 0 && heard.age == 77);
	CHECK(!hears(HEAD " taken\n"));
	CHECK(!hears(HEAD " taken " INSTANCE "\n"));
	CHECK(!hears(HEAD " taken " INSTANCE " -1\n"));
	CHECK(!hears(HEAD " taken " INSTANCE " 1 2\n"));
	CHECK(!hears(HEAD " taken " INSTANCE "0 1\n"));
	CHECK(!hears(HEAD " alive 1\n"));
	CHECK(!hears(HEAD " alive\nnews 3 1 2 3 77\n"));
	CHECK(hears(HEAD "\n"));
	CHECK(!hears(""));
	CHECK(!hears("\n"));
	CHECK(!hears(HEAD));
	CHECK(!hears("madang-bridge 2 " INSTANCE "\n"));
	CHECK(!hears("madang-bridge 1 0123\n"));
	CHECK(!hears(HEAD " hello\n"));
	CHECK(!hears(HEAD " bye x\n"));
	CHECK(!hears(HEAD "\nnews 3 1 2 3\n"));
	CHECK(!hears(HEAD "\nnews 3 1 2 3 77 1\n"));
	CHECK(!hears(HEAD "\nnews 5 1 2 3 77\n"));
	CHECK(!hears(HEAD "\nnews 0 1 2 3 77\n"));
	CHECK(!hears(HEAD "\nnews 3 241 2 3 77\n"));
	CHECK(!hears(HEAD "\nnews 3 1 2 4 77\n"));
	CHECK(!hears(HEAD "\nnews 3 -1 2 3 77\n"));
	CHECK(!hears(HEAD "\nnews 3 1 2 3 18446744073709551616\n"));
	CHECK(!hears(HEAD "\nne.ws 3 1 2 3 77\n"));
	CHECK(!hears(HEAD "\n 3 1 2 3 77\n"));
	CHECK(!hears(HEAD "\nnews  3 1 2 3 77\n"));
	CHECK(!hears(HEAD "\nnews 3 1 2 3 77\nrest"));
	CHECK(!hears(HEAD "\n\n"));
}

static void test_shapes(void)
{
	struct mdg_channel_options o;

	CHECK(shape_parse(&o, "kind=topic full=overwrite capacity=65536 peers=32"));
	CHECK(o.kind == MDG_TOPIC && o.full == MDG_FULL_OVERWRITE && o.capacity == 65536);
	CHECK(o.peers == 32 && o.mode == 0 && o.flags == 0);
	CHECK(shape_parse(&o, "kind=call full=wait capacity=64 peers=2"));
	CHECK(!shape_parse(&o, "kind=stream full=overwrite capacity=65536 peers=32"));
	CHECK(!shape_parse(&o, "kind=other full=wait capacity=65536 peers=32"));
	CHECK(!shape_parse(&o, "kind=topic full=never capacity=65536 peers=32"));
	CHECK(!shape_parse(&o, "kind=topic full=wait capacity=0 peers=32"));
	CHECK(!shape_parse(&o, "kind=topic full=wait capacity=1073741825 peers=32"));
	CHECK(!shape_parse(&o, "kind=topic full=wait capacity=65536 peers=1"));
	CHECK(!shape_parse(&o, "kind=topic full=wait capacity=65536 peers=241"));
	CHECK(!shape_parse(&o, "kind=topic full=wait capacity=65536 peers=32x"));
	CHECK(!shape_parse(&o, "kind=topic full=wait capacity=65536"));
	CHECK(!shape_parse(&o, ""));
}

/* What a line of the log says behind its time. */
static void check_line(const char *event, bool numbers, const char *value, const char *is)
{
	int ends[2] = { -1, -1 }, error = dup(STDERR_FILENO);
	char line[512];
	ssize_t length;

	CHECK(error >= 0 && pipe(ends) == 0);
	CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	if (numbers)
		log_event(LOG_ERROR, event, "channel=\"%s\" bytes=%" PRIu64 " code=%d of=%zu",
		          value, UINT64_MAX, -7, (size_t)8);
	else
		log_event(LOG_ERROR, event, "why=\"%s\"", value);
	CHECK(dup2(error, STDERR_FILENO) == STDERR_FILENO);
	length = read(ends[0], line, sizeof line - 1);
	CHECK(length > 25);
	line[length > 0 ? length : 0] = '\0';
	CHECK(strcmp(line + 25, is) == 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(error);
}

static void test_log(void)
{
	check_line("numbers", true, "news",
	           "error numbers channel=\"news\" bytes=18446744073709551615 code=-7 of=8\n");
	/* A value ends where it should, whatever is in it. */
	check_line("told", false, "a\" code=\"1", "error told why=\"a\\\" code=\\\"1\"\n");
	check_line("told", false, "back\\", "error told why=\"back\\\\\"\n");
	check_line("told", false, "a\nb\x1b%s", "error told why=\"a\\x0ab\\x1b%s\"\n");
	check_line("told", false, "", "error told why=\"\"\n");
}

int main(void)
{
	test_log();
	test_tokens();
	test_heartbeats();
	test_shapes();
	return test_result();
}
