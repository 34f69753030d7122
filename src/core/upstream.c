/* Judging answers of web servers; see upstream.h. */
#include "core/upstream.h"

/* Decimal digits; false when there are none, or too many. */
static bool read_number(struct span *s, uint64_t *ret)
{
	uint64_t n = 0;
	size_t digits = 0;

	while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9') {
		if (digits == 18)
			return false;
		n = n * 10 + (uint64_t)(s->p[digits++] - '0');
	}
	*s = span_skip(*s, digits);
	*ret = n;
	return digits > 0;
}

static bool read_sign(struct span *s, char c)
{
	bool there = s->n > 0 && s->p[0] == (uint8_t)c;

	*s = span_skip(*s, there);
	return there;
}

/* `bytes FIRST-LAST/TOTAL` that goes from `have` to the file's end. */
static bool is_rest(struct span range, uint64_t have, uint64_t *ret_total)
{
	uint64_t first, last, total;

	if (!span_has_prefix(range, SPAN_LIT("bytes ")))
		return false;
	range = span_skip(range, 6);
	if (!read_number(&range, &first) || !read_sign(&range, '-') ||
		!read_number(&range, &last) || !read_sign(&range, '/') ||
		!read_number(&range, &total) || range.n > 0)
		return false;
	*ret_total = total;
	return first == have && last >= first && total == last + 1;
}

enum upstream_verdict upstream_judge(
	const struct upstream_reply *reply, uint64_t have, bool is_conditional, uint64_t *ret_total)
{
	struct span length = reply->content_length;
	uint64_t n;

	*ret_total = UPSTREAM_LENGTH_UNKNOWN;
	if (reply->status == 200) {
		if (read_number(&length, &n) && length.n == 0)
			*ret_total = n;
		return UPSTREAM_WHOLE;
	}
	if (reply->status == 304 && is_conditional)
		return UPSTREAM_SAME;
	if (reply->status == 206 && have > 0)
		return is_rest(reply->content_range, have, ret_total) ? UPSTREAM_REST
								      : UPSTREAM_AGAIN;
	if (reply->status == 416 && have > 0)
		return UPSTREAM_AGAIN;
	return UPSTREAM_REFUSED;
}

struct span upstream_validator(const struct upstream_reply *reply)
{
	struct span etag = reply->etag;

	if (etag.n > 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"')
		return etag;
	return reply->last_modified;
}

bool upstream_is_passing(unsigned status)
{
	return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
		status == 503 || status == 504;
}
