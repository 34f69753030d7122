/* What web servers say, and lists of digests: no crash, and nothing accepted that
 * is not what it has to be. */
#include "core/sums.h"
#include "core/upstream.h"
#include "core/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What stands before the next newline. */
static struct span line(struct span *s)
{
	const uint8_t *newline = s->n ? memchr(s->p, '\n', s->n) : NULL;
	struct span l = newline ? (struct span){ s->p, (size_t)(newline - s->p) } : *s;

	*s = span_skip(*s, l.n + 1);
	return l;
}

static void any_reply(struct span input)
{
	struct upstream_reply reply = { .status = 206,
		.content_range = line(&input),
		.content_length = line(&input),
		.etag = line(&input),
		.last_modified = line(&input) };
	uint64_t total;

	if (upstream_judge(&reply, 5, true, &total) == UPSTREAM_REST &&
		(total <= 5 || total == UPSTREAM_LENGTH_UNKNOWN))
		abort();
	reply.status = 200;
	if (upstream_judge(&reply, 5, true, &total) != UPSTREAM_WHOLE)
		abort();
	(void)upstream_validator(&reply);
}

static void any_url(struct span input)
{
	struct span base = line(&input), reference = line(&input);
	struct text url = { 0 };

	if (url_is_http(base) && url_resolve(base, reference, &url) &&
		!url_is_http(text_span(&url)))
		abort();
	(void)url_file_name(base);
	text_free(&url);
}

static void any_list(struct span input)
{
	struct span name = line(&input);
	struct sha256 d;

	(void)sums_find(input, name, &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = { data, size };

	any_reply(input);
	any_url(input);
	any_list(input);
	return 0;
}
