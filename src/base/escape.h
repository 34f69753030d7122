/* Text that a stranger chose, made harmless for the place where it leaves.
 *
 * One function per sink.  Each takes any octets whatever and never fails; its
 * output can neither end the line, string or token it stands in, nor start a
 * command, tag or terminal sequence there.
 */
#pragma once

#include "base/text.h"

/* A log line or a terminal: printable ASCII as it is, the rest as \xNN,
 * backslash and quote with a backslash before them, at most max octets of input
 * and then "...". */
void escape_log(struct text *t, struct span s, size_t max);
/* The inside of a JSON string (RFC 8259 7): valid UTF-8 passes, control
 * characters and octets that are no UTF-8 become \u00NN. */
void escape_json(struct text *t, struct span s);
/* Inside of a JSON string as above, and harmless outside of one too: only letters,
 * digits, ._:/@%+=- and UTF-8 stand for themselves. */
void escape_json_word(struct text *t, struct span s);
/* Text, or a value with or without quotes, of XML 1.0 and HTML: only letters,
 * digits, ._:/@%+,- and UTF-8 stand for themselves, the rest as &#N;, and what XML
 * cannot say at all (most control characters, no UTF-8) as U+FFFD. */
void escape_xml(struct text *t, struct span s);
/* A name in a text whose language we do not know (shell, kickstart, preseed,
 * YAML, …): letters, digits, '_', '.' and '-', of which the latter two never come
 * first, so that it is no option, no document's end and no way up; all else
 * becomes '_'. */
void escape_name(struct text *t, struct span s);
/* An iPXE script: iPXE has no quoting at all (a line is cut at white space,
 * and ${ expands anywhere), so all but [A-Za-z0-9._:/@%+=,-] becomes '_'. */
void escape_ipxe(struct text *t, struct span s);
/* One word of a kernel's command line, whatever loader hands it over: all but
 * [A-Za-z0-9._:/@%+=,-] becomes '_', so that it stays one word and has no quotes. */
void escape_cmdline(struct text *t, struct span s);
/* The inside of single quotes in a grub.cfg, where only the quote itself is
 * special (grub-core/script/yylex.l); control characters become blanks. */
void escape_grub(struct text *t, struct span s);
/* What stands in one line of PXELINUX's configuration, which knows no quoting:
 * control characters become blanks. */
void escape_pxelinux(struct text *t, struct span s);
/* A line on the screen of a machine: printable ASCII as it is, except what is in
 * `without`; that and the rest become blanks. */
void escape_screen(struct text *t, struct span s, const char *without);
/* One path of a URL: RFC 3986 pchar and '/' pass, the rest as %NN. */
void escape_url_path(struct text *t, struct span s);

/* Is it one line of text: UTF-8 without control characters, nor separators of lines? */
bool escape_is_one_line(struct span s);
