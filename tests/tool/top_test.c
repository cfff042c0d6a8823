/* SPDX-License-Identifier: MIT */
/*
 * top_test.c - how `madang top` fits columns into a width, cuts text and draws bars.
 */
#include "support/check.h"

#include "top/top.h"

static const struct top_table *const tables[] = { &top_segments, &top_processes, &top_locks,
	                                          &top_channels, &top_sets,      &top_queues };
enum { TABLES = sizeof tables / sizeof tables[0] };

static int sum(const struct top_table *table, const int width[TOP_COLUMNS])
{
	int all = 0, columns = 0;

	for (int i = 0; i < table->count; i++) {
		all += width[i];
		columns += width[i] > 0;
	}
	return all + (columns - 1) * TOP_GAP;
}

/* At each width, with text of any length, a row fits; and titles are never cut where all fits. */
static void rows_fit(const struct top_table *table)
{
	CHECK(table->count <= TOP_COLUMNS);
	for (int width = 38; width < 300; width++)
		for (int text = 1; text < 400; text += 57) {
			int wanted[TOP_COLUMNS], layout[TOP_COLUMNS];
			for (int i = 0; i < TOP_COLUMNS; i++)
				wanted[i] = text;
			top_layout(table, wanted, width, layout);
			CHECK(layout[0] > 0);
			CHECK(sum(table, layout) <= width);
			for (int i = 0; i < table->count && width >= 78; i++)
				CHECK(layout[i] == 0 ||
				      layout[i] >= (int)show_width(table->columns[i].title));
		}
}

/* A wider screen shows all that a narrower one does, and at last everything. */
static void more_room_shows_more(const struct top_table *table)
{
	int wanted[TOP_COLUMNS], before[TOP_COLUMNS] = { 0 }, layout[TOP_COLUMNS];

	for (int i = 0; i < TOP_COLUMNS; i++)
		wanted[i] = 20;
	for (int width = 38; width < 200; width++) {
		top_layout(table, wanted, width, layout);
		for (int i = 0; i < table->count; i++)
			CHECK(before[i] == 0 || layout[i] > 0);
		memcpy(before, layout, sizeof before);
	}
	for (int i = 0; i < table->count; i++)
		CHECK(layout[i] > 0);
}

static void check_clip(const char *text, int width, bool utf8, const char *expected)
{
	char room[64];
	int used = top_clip(room, sizeof room, text, width, utf8);

	CHECK(strcmp(room, expected) == 0);
	CHECK(used <= width);
}

static void text_is_cut_with_a_mark(void)
{
	check_clip("weather", 7, true, "weather");
	check_clip("weather", 6, true, "weath\xe2\x80\xa6");
	check_clip("weather", 6, false, "weath~");
	check_clip("weather", 1, true, "\xe2\x80\xa6");
	check_clip("weather", 0, true, "");
	check_clip("", 5, true, "");
	/* Wide characters are not halved, and without UTF-8 each of their columns is one. */
	check_clip("\xe4\xb8\xad\xe4\xb8\xad", 4, true, "\xe4\xb8\xad\xe4\xb8\xad");
	check_clip("\xe4\xb8\xad\xe4\xb8\xad", 3, true, "\xe4\xb8\xad\xe2\x80\xa6");
	check_clip("\xe4\xb8\xad\xe4\xb8\xad", 2, true, "\xe2\x80\xa6");
	check_clip("\xe4\xb8\xad\xce\xb2", 3, false, "???");
	/* A room that is too small is not left. */
	char room[8];
	(void)top_clip(room, sizeof room, "0123456789", 10, true);
	CHECK(strlen(room) < sizeof room);
}

static void bars_are_as_long_as_they_should(void)
{
	static const double parts[] = { 0, 0.001, 0.25, 0.5, 0.999, 1 };
	char room[256];

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		for (int width = 1; width < 40; width++) {
			top_draw_bar(room, sizeof room, parts[i], width, true);
			CHECK(show_width(room) == (size_t)width);
			top_draw_bar(room, sizeof room, parts[i], width, false);
			CHECK(strlen(room) == (size_t)width);
		}
	top_draw_bar(room, sizeof room, 0.5, 4, false);
	CHECK(strcmp(room, "##..") == 0);
	top_draw_bar(room, sizeof room, 1, 4, false);
	CHECK(strcmp(room, "####") == 0);
	top_draw_bar(room, sizeof room, 0.001, 2, true);
	CHECK(strcmp(room, "\xe2\x96\x8f\xe2\x94\x80") == 0);
}

static void check_count(double number, const char *expected)
{
	char room[SHOW_ROOM];

	CHECK(strcmp(top_show_count(room, number), expected) == 0);
	CHECK(strlen(room) <= 6);
}

static void counts_are_short(void)
{
	check_count(0, "0");
	check_count(-3, "0");
	check_count(0.5, "0.5");
	check_count(7, "7");
	check_count(9.97, "10");
	check_count(9999, "9999");
	check_count(10000, "10.0k");
	check_count(99999, "99.9k");
	check_count(100000, "100k");
	check_count(999999, "999k");
	check_count(1e6, "1.0M");
	check_count(43.21e6, "43.2M");
	check_count(1.8e19, "18.0E");
}

/* A queue that is full is an alarm. The ring of a topic is full as soon as it was used for long. */
static void only_a_full_queue_alarms(void)
{
	struct channels_entry entry = { .info = { .used = 91, .room = 100 } };
	struct top_look look = { .now.channels = { .entries = &entry, .count = 1 } };
	struct top_cell cell;
	int fill = top_column_find(&top_channels, "FILL");

	entry.info.kind = MDG_QUEUE;
	top_channels.cell(&look, 0, fill, &cell);
	CHECK(cell.style == TOP_BAD);
	entry.info.kind = MDG_TOPIC;
	top_channels.cell(&look, 0, fill, &cell);
	CHECK(cell.style == TOP_PLAIN);
	CHECK(strcmp(cell.text, "91%") == 0);
}

int main(void)
{
	for (int i = 0; i < TABLES; i++) {
		rows_fit(tables[i]);
		more_room_shows_more(tables[i]);
	}
	text_is_cut_with_a_mark();
	bars_are_as_long_as_they_should();
	counts_are_short();
	only_a_full_queue_alarms();
	return test_result();
}
