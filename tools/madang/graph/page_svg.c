/* SPDX-License-Identifier: MIT */
/*
 * page_svg.c - the picture as one file of SVG: heading, circles of waits, picture, legend, tables.
 *
 * SVG does not lay text out. So everything has its place, which is counted from the top, and the
 * columns of a table are as wide as its longest cells in a font of fixed width. The tables are
 * therefore gone through twice: to measure, and to write. Long tables are cut with a word; the
 * page in HTML has all rows.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "graph/picture.h"

enum { MARGIN = 20, LINE = 18, MOST_ROWS = 100, MOST_COLUMNS = 12, LONGEST_CELL = 40 };
#define LETTER 7.3 /* columns of the font, in units of the drawing */

struct layout {
	FILE *out; /* NULL: only measure */
	double y, width;
	size_t table, rows; /* the table at hand, and its row */
	const char *const *titles;
	size_t columns[8][MOST_COLUMNS]; /* widths, of each table */
};

static void put_text(struct layout *layout, double x, const char *attributes, const char *text)
{
	double end = x + LETTER * (double)show_width(text) + MARGIN;

	layout->width = end > layout->width ? end : layout->width;
	if (layout->out == NULL)
		return;
	fprintf(layout->out, "<text x=\"%.1f\" y=\"%.1f\"%s%s>", x, layout->y,
	        attributes[0] != '\0' ? " " : "", attributes);
	put_xml(layout->out, text);
	fputs("</text>\n", layout->out);
}

/* ---- tables ----------------------------------------------------------- */

static void put_cells(struct layout *layout, const char *const *cells, size_t columns,
                      const char *attributes)
{
	size_t *widths = layout->columns[layout->table];
	char text[TEXT_ROOM];
	double x = MARGIN;

	for (size_t i = 0; i < columns && i < MOST_COLUMNS; i++) {
		bool is_number = layout->titles[i][0] == '#';
		/* Cells are safe already; this only cuts what would be too wide. */
		snprintf(text, sizeof text, "%s",
		         cells[i] + (cells[i] == layout->titles[i] && is_number));
		size_t length = show_width(text);
		if (length > LONGEST_CELL) {
			picture_cut(text, LONGEST_CELL);
			length = show_width(text);
		}
		if (layout->out == NULL && length > widths[i])
			widths[i] = length;
		double shift = is_number ? LETTER * (double)(widths[i] - length) : 0;
		if (length > 0)
			put_text(layout, x + shift, attributes, text);
		x += LETTER * (double)(widths[i] + 2);
	}
}

static void begin_table(void *context, const char *name, const char *const *titles, size_t columns)
{
	struct layout *layout = context;

	layout->titles = titles;
	layout->rows = 0;
	layout->y += 2 * LINE;
	put_text(layout, MARGIN, "font-weight=\"bold\" font-size=\"14\"", name);
	layout->y += LINE + 2;
	put_cells(layout, titles, columns, "fill=\"#475569\" font-weight=\"bold\"");
	if (layout->out != NULL)
		fprintf(layout->out, "<path d=\"M%d %.1fH%.1f\" stroke=\"#94a3b8\"/>\n", MARGIN,
		        layout->y + 5, layout->width - MARGIN);
	layout->y += 4;
}

static void put_row(void *context, const char *const *cells, size_t columns, bool mark)
{
	struct layout *layout = context;

	if (layout->rows++ >= MOST_ROWS)
		return;
	layout->y += LINE;
	put_cells(layout, cells, columns, mark ? "font-weight=\"bold\"" : "");
}

static void end_table(void *context)
{
	struct layout *layout = context;
	char text[SHOW_ROOM];

	if (layout->rows > MOST_ROWS) {
		snprintf(text, sizeof text, "and %zu more (--html has all)",
		         layout->rows - MOST_ROWS);
		layout->y += LINE;
		put_text(layout, MARGIN, "font-style=\"italic\"", text);
	}
	layout->table++;
}

/* ---- the page --------------------------------------------------------- */

static void put_circle(void *context, const char *text, bool head)
{
	struct layout *layout = context;

	layout->y += LINE;
	put_text(layout, head ? MARGIN : 2 * MARGIN,
	         head ? "fill=\"#b91c1c\" font-weight=\"bold\"" : "", text);
}

static void put_heading(struct layout *layout, const struct page *page)
{
	const struct seen *seen = page->picture->seen;
	char path[TEXT_ROOM], text[TEXT_ROOM], room[SHOW_ROOM];
	time_t now = (time_t)seen->time;
	struct tm local;
	const char *figure;
	size_t used;

	snprintf(text, sizeof text, "Madang %.*s", TEXT_ROOM - 16,
	         picture_text(path, page->path, 0));
	put_text(layout, MARGIN, "font-weight=\"bold\" font-size=\"17\"", text);
	layout->width = LETTER * 1.5 * (double)show_width(text) > layout->width
	                        ? LETTER * 1.5 * (double)show_width(text)
	                        : layout->width;
	layout->y += LINE + 4;
	if (localtime_r(&now, &local) == NULL ||
	    strftime(room, sizeof room, "%Y-%m-%d %H:%M:%S %z", &local) == 0)
		room[0] = '\0';
	snprintf(text, sizeof text, "Seen at %s.%s", room,
	         page->exists ? "" : " There is no such namespace: nothing is shared.");
	put_text(layout, MARGIN, "fill=\"#475569\"", text);
	layout->y += LINE;
	used = 0;
	text[0] = '\0';
	for (size_t i = 0; page->exists && (figure = page_figure(seen, i, room)) != NULL; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
		                         i == 0 ? "" : ", ", figure);
	put_text(layout, MARGIN, "", text);
	page_circles(seen, put_circle, layout);
}

static void put_drawing(struct layout *layout, const struct page *page)
{
	const struct drawing *drawing = page->drawing;
	double width = drawing->width * 4 / 3, height = drawing->height * 4 / 3;

	layout->width = width + 2 * MARGIN > layout->width ? width + 2 * MARGIN : layout->width;
	if (layout->width < LEGEND_WIDTH + 2 * MARGIN)
		layout->width = LEGEND_WIDTH + 2 * MARGIN;
	layout->y += MARGIN;
	if (layout->out != NULL) {
		fprintf(layout->out,
		        "<svg x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		        "viewBox=\"0 0 %.2f %.2f\">",
		        MARGIN, layout->y, width, height, drawing->width, drawing->height);
		fwrite(drawing->body, 1, drawing->length, layout->out);
		fputs("</svg>\n", layout->out);
	}
	layout->y += height + MARGIN;
	if (layout->out != NULL) {
		fprintf(layout->out, "<g transform=\"translate(%d %.1f)\">\n", MARGIN - 12,
		        layout->y);
		page_legend(layout->out);
		fputs("</g>\n", layout->out);
	}
	layout->y += LEGEND_HEIGHT;
}

static void put_page(struct layout *layout, const struct page *page)
{
	const struct table_sink sink = { begin_table, put_row, end_table, layout };

	layout->y = MARGIN + LINE;
	layout->table = 0;
	put_heading(layout, page);
	put_drawing(layout, page);
	page_tables(page->picture->seen, &sink);
	layout->y += MARGIN;
}

void page_write_svg(const struct page *page, FILE *out)
{
	struct layout layout = { .out = NULL };
	char text[TEXT_ROOM];

	put_page(&layout, page);
	fprintf(out,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" "
	        "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%.0f\" height=\"%.0f\" "
	        "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans "
	        "Mono,Menlo,Consolas,monospace\" "
	        "font-size=\"12\" fill=\"#0f172a\">\n<title>Madang: ",
	        layout.width, layout.y, layout.width, layout.y);
	put_xml(out, picture_text(text, page->path, 0));
	fputs("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n", out);
	layout.out = out;
	put_page(&layout, page);
	fputs("</svg>\n", out);
}
