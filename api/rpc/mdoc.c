#include "api/rpc/mdoc.h"

#include <ctype.h>
#include <string.h>

#define COLUMNS 78u

static void add_escaped(struct buf *out, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (text[i] == '\\')
			buf_add_string(out, "\\e");
		else
			buf_add_u8(out, (uint8_t)text[i]);
	}
}

void mdoc_begin(struct buf *out, const char *name, const char *section, const char *summary)
{
	char upper[64];
	size_t i;

	for (i = 0; name[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	upper[i] = 0;
	buf_printf(out, ".Dd %s\n.Dt %s %s\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", MDOC_DATE, upper, section, name, summary);
}

void mdoc_macro(struct buf *out, const char *macro, const char *text)
{
	buf_printf(out, ".%s \"", macro);
	for (; *text; text++) {
		if (*text == '"')
			buf_add_string(out, "\\(dq");
		else
			add_escaped(out, text, 1);
	}
	buf_add_string(out, "\"\n");
}

static bool ends_sentence(const char *word, size_t size)
{
	while (size && strchr(")\"'", word[size - 1]))
		size--;
	return size && strchr(".?!", word[size - 1]);
}

/* One paragraph: filled lines, each sentence on a line of its own. */
static void add_paragraph(struct buf *out, const char *text, size_t size)
{
	const char *end = text + size;
	size_t column = 0;

	while (text < end) {
		size_t word;

		while (text < end && isspace((unsigned char)*text))
			text++;
		for (word = 0; text + word < end && !isspace((unsigned char)text[word]); word++)
			;
		if (!word)
			break;
		if (column && column + 1 + word > COLUMNS) {
			buf_add_string(out, "\n");
			column = 0;
		}
		buf_add_string(out, column ? " " : "");
		/* A dot or a quote at the start of a line would be a request. */
		if (!column && strchr(".'", *text))
			buf_add_string(out, "\\&");
		add_escaped(out, text, word);
		column += word + (column > 0);
		if (ends_sentence(text, word)) {
			buf_add_string(out, "\n");
			column = 0;
		}
		text += word;
	}
	if (column)
		buf_add_string(out, "\n");
}

void mdoc_text(struct buf *out, const char *text)
{
	const char *end;

	while ((end = strstr(text, "\n\n"))) {
		add_paragraph(out, text, (size_t)(end - text));
		buf_add_string(out, ".Pp\n");
		text = end + 2;
	}
	add_paragraph(out, text, strlen(text));
}
