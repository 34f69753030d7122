/* key=value&key=value */
#include "core/url_query.h"

static bool is_escape(struct span s, size_t i)
{
	return s.p[i] == '%' && i + 2 < s.n && hex_digit_value(s.p[i + 1]) >= 0 &&
		hex_digit_value(s.p[i + 2]) >= 0;
}

static struct span decode(struct span s, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < cap; i++) {
		if (is_escape(s, i)) {
			buf[n++] = (uint8_t)(hex_digit_value(s.p[i + 1]) << 4 |
				hex_digit_value(s.p[i + 2]));
			i += 2;
		} else {
			buf[n++] = s.p[i];
		}
	}
	return (struct span){ buf, n };
}

struct span url_query_value(struct span query, struct span key, uint8_t *buf, size_t cap)
{
	while (query.n) {
		const uint8_t *amp = memchr(query.p, '&', query.n);
		struct span pair = { query.p, amp ? (size_t)(amp - query.p) : query.n };

		query = span_skip(query, pair.n + 1);
		if (span_has_prefix(pair, key) && pair.n > key.n && pair.p[key.n] == '=')
			return decode(span_skip(pair, key.n + 1), buf, cap);
	}
	return SPAN_NONE;
}
