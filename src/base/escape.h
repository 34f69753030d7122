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
/* An iPXE script: iPXE has no quoting at all (a line is cut at white space,
 * and ${ expands anywhere), so all but [A-Za-z0-9._:/@%+=,-] becomes '_'. */
void escape_ipxe(struct text *t, struct span s);
/* One path of a URL: RFC 3986 pchar and '/' pass, the rest as %NN. */
void escape_url_path(struct text *t, struct span s);
