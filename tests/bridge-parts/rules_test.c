/* SPDX-License-Identifier: MIT */
/*
 * rules_test.c - the bridge's rules: which channels fit which patterns, which rule decides, what is
 * wrong in which line and column, and that a file with a mistake leaves the old rules in force.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/pattern.h"
#include "rules/rules.h"
#include "support/check.h"

static void patterns(void)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} table[] = {
		{ "news", "news", true },
		{ "news", "new", false },
		{ "news", "newsy", false },
		{ "news", "News", false },
		{ "*", "", true },
		{ "*", "a.b c\xff", true },
		{ "a*", "a", true },
		{ "a*", "ba", false },
		{ "*a", "aba", true },
		{ "*a", "ab", false },
		{ "a*b*c", "a--b-b-c", true },
		{ "a*b*c", "acb", false },
		{ "?", "x", true },
		{ "?", "", false },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "\\*", "*", true },
		{ "\\*", "x", false },
		{ "\\?x", "?x", true },
		{ "\\\\", "\\", true },
		{ "a\\", "a\\", true },
		{ "**a**", "bab", true },
		{ "*.*.x", "a.b.c.x", true },
		{ "*ab", "aab", true },
		{ "secret.*", "secret", false },
		{ "secret.*", "secret.", true },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (!CHECK(pattern_fits(table[i].pattern, table[i].name) == table[i].fits))
			fprintf(stderr, "  '%s' and '%s'\n", table[i].pattern, table[i].name);
	/* One that makes a naive matcher take years. */
	struct timespec before, after;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (int i = 0; i < 1000; i++)
		CHECK(!pattern_fits(
			"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	CHECK(after.tv_sec - before.tv_sec < 5);
	char name[] = "a\\*b\\\\";
	CHECK(!pattern_is_pattern(name) && pattern_is_pattern("a\\\\*"));
	pattern_to_name(name);
	CHECK(strcmp(name, "a*b\\") == 0);
}

static struct rules *parse(const char *text)
{
	struct rules *rules = NULL;
	struct rules_words words;

	if (!CHECK(rules_parse(&rules, "rules", text, strlen(text), &words) == 0))
		fprintf(stderr, "  %s\n", words.wrong);
	return rules;
}

static void first_decides(void)
{
	struct rules *rules = parse("# all but secrets\n\n"
	                            "deny both secret.*\t# never\n"
	                            "allow out secret.public\n" /* too late */
	                            "  allow\tout  news\r\n"
	                            "deny in \"two words\"\n"
	                            "allow both \"two*\"\n"
	                            "allow in a#b\n"
	                            "allow in \\*exact\n"
	                            "allow in \"\\\"q\"");

	CHECK(rules_count(rules) == 8);
	CHECK(!rules_allow(rules, "secret.public", BRIDGE_OUT));
	CHECK(rules_allow(rules, "news", BRIDGE_OUT) && !rules_allow(rules, "news", BRIDGE_IN));
	CHECK(rules_allow(rules, "two words", BRIDGE_OUT));
	CHECK(!rules_allow(rules, "two words", BRIDGE_IN));
	CHECK(rules_allow(rules, "two", BRIDGE_IN) && rules_allow(rules, "a#b", BRIDGE_IN));
	CHECK(rules_allow(rules, "*exact", BRIDGE_IN) && !rules_allow(rules, "exact", BRIDGE_IN));
	CHECK(rules_allow(rules, "\"q", BRIDGE_IN));
	CHECK(!rules_allow(rules, "other", BRIDGE_OUT));
	static const char *const names[] = { "secret.public", "news", "a#b", "*exact", "\"q" };
	size_t cursor = 0;
	for (size_t i = 0; i < 5; i++) {
		const char *name = rules_next_name(rules, &cursor);
		CHECK(name != NULL && strcmp(name, names[i]) == 0);
	}
	CHECK(rules_next_name(rules, &cursor) == NULL);
	rules_free(rules);
	rules_free(parse(""));
	rules_free(parse("#"));
}

/* Each mistake, and where it is. */
static void mistakes(void)
{
	static const struct {
		const char *text, *wrong;
	} table[] = {
		{ "alow out news", "R:1:1: a rule begins with 'allow' or 'deny', not with 'alow'" },
		{ "\n\n  allow  up news",
		  "R:3:10: a direction is 'out', 'in' or 'both', not 'up'" },
		{ "allow", "R:1:6: the direction is missing: 'out', 'in' or 'both'" },
		{ "allow out # all", "R:1:16: the pattern is missing; '*' means all channels" },
		{ "allow out \"\"", "R:1:11: the pattern is empty" },
		{ "allow out two words", "R:1:15: the rule is complete before 'words'" },
		{ "allow out \"two\nallow in x",
		  "R:1:11: the quotation mark is not closed in this line" },
		{ "allow out \"two\"words",
		  "R:1:16: after a quotation mark there has to be a blank" },
		{ "\033[2J out x", "R:1:1: a rule begins with 'allow' or 'deny', not with '?[2J'" },
		{ "allow out 0123456789012345678901234567890123456789012345678901234567890123",
		  "R:1:11: no channel fits: a name has at most 63 bytes" },
	};
	struct rules *rules = NULL;
	struct rules_words words;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		CHECK(rules_parse(&rules, "R", table[i].text, strlen(table[i].text), &words) == 1);
		if (!CHECK(strcmp(words.wrong, table[i].wrong) == 0))
			fprintf(stderr, "  %s\n", words.wrong);
	}
	CHECK(rules_parse(&rules, "R", "allow\0out", 9, &words) == 1);
	CHECK(strstr(words.wrong, "R:1:6: a zero byte") != NULL);
	char text[400] = "allow out ";
	memset(text + 10, 'x', 300);
	CHECK(rules_parse(&rules, "R", text, 310, &words) == 1);
	CHECK(strstr(words.wrong, "R:1:11: this word is too long") != NULL);
	CHECK(rules == NULL);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void options_and_file(void)
{
	char path[] = "/tmp/madang-rules-XXXXXX";
	const char *const channels[] = { "news", "prices.*" };
	struct rules_source source = { channels, 2, 1u << BRIDGE_IN, path };
	struct rules_words words;
	struct rules *rules = NULL, *old;
	int fd = mkstemp(path);

	CHECK(fd >= 0 && close(fd) == 0);
	write_file(path, "deny both *\n");
	CHECK(rules_make(&rules, &source, &words) == 0 && rules_count(rules) == 3);
	CHECK(rules_allow(rules, "news", BRIDGE_IN) && !rules_allow(rules, "news", BRIDGE_OUT));
	CHECK(rules_allow(rules, "prices.x", BRIDGE_IN) && !rules_allow(rules, "x", BRIDGE_IN));
	old = rules;
	write_file(path, "deny both *\nallow nothing\n");
	CHECK(rules_make(&rules, &source, &words) == 1 && rules == old);
	CHECK(strstr(words.wrong, ":2:7: a direction is") != NULL && words.advice[0] != '\0');
	CHECK(rules_allow(rules, "news", BRIDGE_IN));
	CHECK(unlink(path) == 0);
	CHECK(rules_make(&rules, &source, &words) == 1 && rules == old);
	CHECK(strstr(words.wrong, "No such file") != NULL);
	source.file = "/";
	CHECK(rules_make(&rules, &source, &words) == 1 && rules == old);
	source.file = "/dev/zero";
	CHECK(rules_make(&rules, &source, &words) == 1 && rules == old);
	CHECK(strstr(words.wrong, "larger than 1 MiB") != NULL);
	rules_free(rules);
	CHECK(rules_directions("both") == 3 && rules_directions("inn") == 0);
}

int main(void)
{
	patterns();
	first_decides();
	mistakes();
	options_and_file();
	return test_result();
}
