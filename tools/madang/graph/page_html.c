/* SPDX-License-Identifier: MIT */
/*
 * page_html.c - the picture on a page of HTML: heading, circles of waits, picture, legend, tables.
 *
 * The page needs nothing else: style and drawings are in it, and it has no script. Its content
 * security policy forbids everything but its own style, so that a mistake in escaping could do no
 * harm in a browser.
 */
#include <time.h>

#include "graph/picture.h"

static const char style[] =
	"*{box-sizing:border-box}\n"
	"body{margin:0;background:#f8fafc;color:#0f172a;"
	"font:14px/1.45 system-ui,\"Segoe UI\",Helvetica,Arial,sans-serif}\n"
	"header{padding:22px 28px 18px;background:#fff;border-bottom:1px solid #e2e8f0}\n"
	"h1{margin:0;font-size:21px;font-weight:650;letter-spacing:-.01em}\n"
	"h1 code{font:inherit;font-weight:400;color:#475569}\n"
	"h2{margin:0;padding:13px 16px 9px;font-size:15px;font-weight:650}\n"
	".when{margin:3px 0 0;color:#64748b}\n"
	"ul.figures{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0 "
	"0;padding:0;list-style:none}\n"
	".figures li{padding:3px 11px;border:1px solid "
	"#cbd5e1;border-radius:99px;background:#f8fafc;"
	"font-variant-numeric:tabular-nums}\n"
	"main{padding:20px 28px 28px;display:grid;grid-template-columns:minmax(0,1fr);gap:18px}\n"
	"section{background:#fff;border:1px solid #e2e8f0;border-radius:10px;overflow-x:auto}\n"
	".picture{padding:16px}\n"
	".picture svg{display:block;margin:0 auto;height:auto;max-width:max(100%,1400px)}\n"
	".legend{border-top:1px solid #e2e8f0;padding:0 16px}\n"
	".legend svg{display:block;max-width:100%;height:auto;margin:0 auto}\n"
	".alarm{border:2px solid #b91c1c;padding:12px 16px}\n"
	".alarm p{margin:0 0 0 22px}\n"
	".alarm p.head{margin:0;font-weight:650;color:#b91c1c}\n"
	".alarm p.head::before{content:\"\\26A0\\00A0\"}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
	"th{padding:6px 16px;text-align:left;font-weight:600;font-size:12px;color:#475569;"
	"background:#f1f5f9;white-space:nowrap}\n"
	"td{padding:5px 16px;border-top:1px solid #f1f5f9;white-space:nowrap}\n"
	"th.n,td.n{text-align:right}\n"
	"tr.mark td{font-weight:650;background:#fef2f2}\n"
	"footer{padding:0 28px 28px;color:#64748b}\n"
	"@media print{body{background:#fff}section{break-inside:avoid}"
	"header,section,.figures li{border-color:#94a3b8}}\n";

/* ---- parts ------------------------------------------------------------ */

struct writing {
	FILE *out;
	const char *const *titles;
	bool is_open; /* an alarm */
};

static void begin_table(void *context, const char *name, const char *const *titles, size_t columns)
{
	struct writing *writing = context;

	writing->titles = titles;
	fprintf(writing->out, "<section>\n<h2>%s</h2>\n<table>\n<thead><tr>", name);
	for (size_t i = 0; i < columns; i++)
		fprintf(writing->out, "<th%s>%s</th>", titles[i][0] == '#' ? " class=\"n\"" : "",
		        titles[i] + (titles[i][0] == '#'));
	fputs("</tr></thead>\n<tbody>\n", writing->out);
}

static void put_row(void *context, const char *const *cells, size_t columns, bool mark)
{
	const struct writing *writing = context;

	fputs(mark ? "<tr class=\"mark\">" : "<tr>", writing->out);
	for (size_t i = 0; i < columns; i++) {
		fputs(writing->titles[i][0] == '#' ? "<td class=\"n\">" : "<td>", writing->out);
		fputs("<bdi>", writing->out);
		put_xml(writing->out, cells[i]);
		fputs("</bdi></td>", writing->out);
	}
	fputs("</tr>\n", writing->out);
}

static void end_table(void *context)
{
	const struct writing *writing = context;

	fputs("</tbody>\n</table>\n</section>\n", writing->out);
}

static void put_circle(void *context, const char *text, bool head)
{
	struct writing *writing = context;

	if (!writing->is_open)
		fputs("<section class=\"alarm\" role=\"alert\">\n", writing->out);
	writing->is_open = true;
	fputs(head ? "<p class=\"head\">" : "<p>", writing->out);
	put_xml(writing->out, text);
	fputs("</p>\n", writing->out);
}

static void put_head(const struct page *page, FILE *out)
{
	char text[TEXT_ROOM];

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" "
	      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n",
	      out);
	if (page->refresh > 0)
		fprintf(out, "<meta http-equiv=\"refresh\" content=\"%llu\">\n",
		        (unsigned long long)page->refresh);
	fputs("<title>Madang: ", out);
	put_xml(out, picture_text(text, page->path, 0));
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

static void put_heading(const struct page *page, FILE *out)
{
	const struct seen *seen = page->picture->seen;
	char text[TEXT_ROOM], room[SHOW_ROOM];
	time_t now = (time_t)seen->time;
	struct tm local;
	const char *figure;

	fputs("<header>\n<h1>Madang <code>", out);
	put_xml(out, picture_text(text, page->path, 0));
	fputs("</code></h1>\n", out);
	if (localtime_r(&now, &local) != NULL &&
	    strftime(room, sizeof room, "%Y-%m-%d %H:%M:%S %z", &local) > 0)
		fprintf(out, "<p class=\"when\">Seen at %s.%s</p>\n", room,
		        page->exists ? "" : " There is no such namespace: nothing is shared.");
	fputs("<ul class=\"figures\">", out);
	for (size_t i = 0; page->exists && (figure = page_figure(seen, i, room)) != NULL; i++)
		fprintf(out, "<li>%s</li>", figure);
	fputs("</ul>\n</header>\n<main>\n", out);
}

static void put_drawing(const struct page *page, FILE *out)
{
	const struct drawing *drawing = page->drawing;

	fprintf(out,
	        "<section>\n<div class=\"picture\">\n<svg role=\"img\" "
	        "aria-label=\"Who shares what; the tables below have the same in words\" "
	        "width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.2f %.2f\">",
	        drawing->width * 4 / 3, drawing->height * 4 / 3, drawing->width, drawing->height);
	fwrite(drawing->body, 1, drawing->length, out);
	fprintf(out,
	        "</svg>\n</div>\n<div class=\"legend\">\n<svg width=\"%d\" height=\"%d\" "
	        "viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Legend\">\n",
	        LEGEND_WIDTH, LEGEND_HEIGHT, LEGEND_WIDTH, LEGEND_HEIGHT);
	page_legend(out);
	fputs("</svg>\n</div>\n</section>\n", out);
}

void page_write_html(const struct page *page, FILE *out)
{
	const struct seen *seen = page->picture->seen;
	struct writing writing = { .out = out };
	const struct table_sink sink = { begin_table, put_row, end_table, &writing };

	put_head(page, out);
	put_heading(page, out);
	page_circles(seen, put_circle, &writing);
	if (writing.is_open)
		fputs("</section>\n", out);
	put_drawing(page, out);
	page_tables(seen, &sink);
	if (seen->unreadable > 0)
		fprintf(out,
		        "<p>The named objects of %zu segment%s could not be read: see "
		        "<code>madang locks</code>.</p>\n",
		        seen->unreadable, seen->unreadable == 1 ? "" : "s");
	fprintf(out,
	        "</main>\n<footer>Made by <code>madang graph</code> (%s). Programs went on while "
	        "it "
	        "looked, so this is no snapshot.</footer>\n</body>\n</html>\n",
	        mdg_version());
}
