/* SPDX-License-Identifier: MIT */
/*
 * text_test.c - what the tool reads from a person and writes for one: numbers, sizes, modes, keys,
 * escaped text, ages, and JSON, byte by byte. Needs no namespace.
 */
#include <inttypes.h>

#include "base/json.h"
#include "support/check.h"
#include "base/tool.h"

static bool size_is(const char *text, uint64_t wanted)
{
	uint64_t bytes = 7;
	return parse_size(text, &bytes) && bytes == wanted;
}

static bool no_size(const char *text)
{
	uint64_t bytes = 7;
	return !parse_size(text, &bytes) && bytes == 7;
}

static bool seconds_are(const char *text, uint64_t wanted)
{
	uint64_t nanoseconds = 7;
	return parse_seconds(text, &nanoseconds) && nanoseconds == wanted;
}

static bool no_seconds(const char *text)
{
	uint64_t nanoseconds = 7;
	return !parse_seconds(text, &nanoseconds) && nanoseconds == 7;
}

static bool key_is(const char *text, int32_t wanted)
{
	int32_t key = 7;
	return parse_key(text, &key) && key == wanted;
}

static bool no_key(const char *text)
{
	int32_t key = 7;
	return !parse_key(text, &key) && key == 7;
}

static void test_sizes(void)
{
	CHECK(size_is("0", 0));
	CHECK(size_is("4096", 4096));
	CHECK(size_is("4K", 4096));
	CHECK(size_is("4k", 4096));
	CHECK(size_is("64M", (uint64_t)64 << 20));
	CHECK(size_is("3G", (uint64_t)3 << 30));
	CHECK(size_is("2t", (uint64_t)2 << 40));
	CHECK(size_is("18446744073709551615", UINT64_MAX));
	CHECK(no_size("18446744073709551616"));
	CHECK(no_size("18014398509481984K")); /* 2^64 */
	CHECK(size_is("18014398509481983K", UINT64_MAX - 1023));
	CHECK(no_size(""));
	CHECK(no_size("K"));
	CHECK(no_size("4KB"));
	CHECK(no_size("-1"));
	CHECK(no_size("+1"));
	CHECK(no_size(" 1"));
	CHECK(no_size("1 "));
	CHECK(no_size("0x10"));
	CHECK(no_size("1.5G"));
}

static void test_seconds(void)
{
	CHECK(seconds_are("0", 0));
	CHECK(seconds_are("5", UINT64_C(5000000000)));
	CHECK(seconds_are("0.25", 250000000));
	CHECK(seconds_are("1.000000001", 1000000001));
	CHECK(seconds_are("1.0000000019", 1000000001));
	CHECK(seconds_are("1000000000.5", UINT64_C(1000000000500000000)));
	CHECK(no_seconds("1000000001"));
	CHECK(no_seconds(""));
	CHECK(no_seconds("."));
	CHECK(no_seconds(".5"));
	CHECK(no_seconds("5."));
	CHECK(no_seconds("1.2.3"));
	CHECK(no_seconds("-1"));
	CHECK(no_seconds("1s"));
	CHECK(no_seconds(" 1"));
}

static void test_keys(void)
{
	CHECK(key_is("4660", 4660));
	CHECK(key_is("0x1234", 0x1234));
	CHECK(key_is("0XfFfFfFfF", -1));
	CHECK(key_is("-1", -1));
	CHECK(key_is("4294967295", -1));
	CHECK(key_is("-2147483648", INT32_MIN));
	CHECK(key_is("010", 8));
	CHECK(key_is("0", 0));
	CHECK(no_key("4294967296"));
	CHECK(no_key("-2147483649"));
	CHECK(no_key("0x"));
	CHECK(no_key("0xg"));
	CHECK(no_key("08"));
	CHECK(no_key("--1"));
	CHECK(no_key(""));
	CHECK(no_key("12a"));
}

static void test_other_numbers(void)
{
	uint64_t number = 7;
	unsigned mode = 7;
	mdg_id id = 7;

	CHECK(parse_mode("0640", &mode) && mode == 0640);
	CHECK(parse_mode("777", &mode) && mode == 0777);
	CHECK(!parse_mode("1000", &mode) && !parse_mode("8", &mode) && !parse_mode("", &mode));
	CHECK(parse_id("2147483647", &id) && id == INT32_MAX);
	CHECK(!parse_id("2147483648", &id) && !parse_id("-1", &id) && !parse_id("0x1", &id));
	CHECK(parse_number("64", 64, 128, &number) && number == 64);
	CHECK(!parse_number("63", 64, 128, &number) && !parse_number("129", 64, 128, &number));
}

static bool size_shows(uint64_t bytes, const char *wanted)
{
	char room[SHOW_ROOM];
	return strcmp(show_size(room, bytes), wanted) == 0;
}

static bool bytes_show(uint64_t bytes, const char *wanted)
{
	char room[SHOW_ROOM];
	return strcmp(show_bytes(room, bytes), wanted) == 0;
}

static bool age_shows(int64_t now, int64_t then, const char *wanted)
{
	char room[SHOW_ROOM];
	return strcmp(show_age(room, now, then), wanted) == 0;
}

static void test_figures(void)
{
	CHECK(size_shows(0, "0"));
	CHECK(size_shows(1023, "1023"));
	CHECK(size_shows(1024, "1.0K"));
	CHECK(size_shows(4096, "4.0K"));
	CHECK(size_shows(10239, "9.9K"));
	CHECK(size_shows(10240, "10K"));
	CHECK(size_shows(((uint64_t)1 << 20) - 1, "1023K"));
	CHECK(size_shows((uint64_t)64 << 20, "64M"));
	CHECK(size_shows(UINT64_MAX, "15E"));
	CHECK(bytes_show(0, "0 bytes") && bytes_show(1, "1 byte") &&
	      bytes_show(1023, "1023 bytes"));
	CHECK(bytes_show(4096, "4.0K"));
	CHECK(age_shows(1000, 1000, "0s"));
	CHECK(age_shows(1000, 2000, "0s")); /* a clock that was set back */
	CHECK(age_shows(1000, 0, "-"));
	CHECK(age_shows(1059, 1000, "59s"));
	CHECK(age_shows(1060, 1000, "1m"));
	CHECK(age_shows(1000 + 3600, 1000, "1h"));
	CHECK(age_shows(1000 + 3 * 86400, 1000, "3d"));
}

static bool text_shows(const char *text, const char *wanted)
{
	char room[256];
	return strcmp(show_text(room, sizeof room, text), wanted) == 0;
}

static void test_text(void)
{
	char small[6];

	CHECK(text_shows("plain", "plain"));
	CHECK(text_shows("\xeb\xa7\x88\xeb\x8b\xb9", "\xeb\xa7\x88\xeb\x8b\xb9")); /* 마당 */
	CHECK(text_shows("\x1b[31m", "\\x1b[31m"));
	CHECK(text_shows("a\\b", "a\\x5cb"));
	CHECK(text_shows("\x7f\xc2\x9b", "\\x7f\\xc2\\x9b")); /* DEL; CSI as C1 */
	CHECK(text_shows("\xff\xfe", "\\xff\\xfe"));
	CHECK(text_shows("\xed\xa0\x80", "\\xed\\xa0\\x80"));          /* a surrogate */
	CHECK(text_shows("\xc0\xaf", "\\xc0\\xaf"));                   /* overlong */
	CHECK(text_shows("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80")); /* beyond Unicode */
	CHECK(text_shows("\xe2\x82", "\\xe2\\x82"));                   /* cut off */
	CHECK(text_shows("a\xe2\x80\xae"
	                 "b",
	                 "a\\u{202e}b")); /* turns the text after it */
	CHECK(text_shows("\xe2\x80\x8b\xd8\x9c", "\\u{200b}\\u{61c}")); /* cannot be seen */
	CHECK(strcmp(show_text(small, sizeof small, "ab\ncd"), "ab") ==
	      0);                                           /* never half an escape */
	CHECK(show_width("\xeb\xa7\x88\xeb\x8b\xb9") == 4); /* Hangul is wide */
	CHECK(show_width("caf\xc3\xa9") == 4);
	CHECK(show_width("cafe\xcc\x81") == 4); /* an accent of its own */
	CHECK(show_width("abc") == 3);
}

/* What `write` puts out, in a buffer of its own. */
static char *json_text(void (*write)(struct json *json))
{
	static char text[8192];
	struct json json;
	FILE *file = tmpfile();

	if (file == NULL)
		return strcpy(text, "no temporary file");
	json_begin(&json, file);
	write(&json);
	json_end(&json);
	rewind(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void write_empty(struct json *json)
{
	json_open(json, NULL, '{');
	json_close(json, '}');
}

static void write_nested(struct json *json)
{
	json_open(json, NULL, '{');
	json_signed(json, "low", INT64_MIN);
	json_unsigned(json, "high", UINT64_MAX);
	json_open(json, "list", '[');
	json_bool(json, NULL, true);
	json_null(json, NULL);
	json_open(json, NULL, '[');
	json_close(json, ']');
	json_close(json, ']');
	json_close(json, '}');
}

static void write_strings(struct json *json)
{
	json_open(json, NULL, '[');
	json_string(json, NULL, "");
	json_string(json, NULL, "a\"b\\c/d");
	json_string(json, NULL, "\b\f\n\r\t\x01\x1f\x7f");
	json_string(json, NULL, "\xeb\xa7\x88");
	json_string(json, NULL, "\xc2\x85\xc2\xa0");
	json_string(json, NULL, "x\xffy\xe2\x82");
	json_string(json, NULL, "\xed\xa0\x80");
	json_close(json, ']');
}

static void write_every_byte(struct json *json)
{
	char byte[2] = "";

	json_open(json, NULL, '[');
	for (int c = 1; c < 256; c++) {
		byte[0] = (char)c;
		json_string(json, NULL, byte);
	}
	json_close(json, ']');
}

static void test_json(void)
{
	CHECK(strcmp(json_text(write_empty), "{}\n") == 0);
	CHECK(strcmp(json_text(write_nested),
	             "{\n  \"low\": -9223372036854775808,\n  \"high\": 18446744073709551615,\n"
	             "  \"list\": [\n    true,\n    null,\n    []\n  ]\n}\n") == 0);
	CHECK(strcmp(json_text(write_strings),
	             "[\n  \"\",\n  \"a\\\"b\\\\c/d\",\n"
	             "  \"\\u0008\\u000c\\u000a\\u000d\\u0009\\u0001\\u001f\\u007f\",\n"
	             "  \"\xeb\xa7\x88\",\n  \"\\u0085\xc2\xa0\",\n"
	             "  \"x\\ufffdy\\ufffd\\ufffd\",\n  \"\\ufffd\\ufffd\\ufffd\"\n]\n") == 0);
	/* Nothing that a terminal or a parser trips over, whatever goes in. */
	bool clean = true;
	for (const char *p = json_text(write_every_byte); *p != '\0'; p++)
		clean = clean && (*p == '\n' || (*p >= 0x20 && *p < 0x7f));
	CHECK(clean);
}

int main(void)
{
	test_sizes();
	test_seconds();
	test_keys();
	test_other_numbers();
	test_figures();
	test_text();
	test_json();
	return test_result();
}
