/* Reading lists of digests line by line; see sums.h. */
#include "core/sums.h"

#include <errno.h>

int sha256_parse(struct span s, struct sha256 *ret)
{
	struct sha256 d;

	if (s.n != 2 * sizeof(d.b))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(d.b); i++) {
		int high = hex_digit_value(s.p[2 * i]), low = hex_digit_value(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		d.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = d;
	return 0;
}

struct sha256_text sha256_str(struct sha256 d)
{
	static const char digits[] = "0123456789abcdef";
	struct sha256_text t;

	for (size_t i = 0; i < sizeof(d.b); i++) {
		t.s[2 * i] = digits[d.b[i] >> 4];
		t.s[2 * i + 1] = digits[d.b[i] & 15];
	}
	t.s[2 * sizeof(d.b)] = '\0';
	return t;
}

/* What stands before the next c (all of it where there is none); *s goes behind. */
static struct span cut(struct span *s, char c)
{
	const uint8_t *at = s->n ? memchr(s->p, c, s->n) : NULL;
	struct span before = at ? (struct span){ s->p, (size_t)(at - s->p) } : *s;

	*s = span_skip(*s, before.n + (at != NULL));
	return before;
}

static struct span without_blanks(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static struct span without_dot(struct span name)
{
	while (span_has_prefix(name, SPAN_LIT("./")))
		name = span_skip(name, 2);
	return name;
}

static bool is_number(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* `SHA256 (name) = HEX` */
static bool read_tagged(struct span line, struct span *ret_name, struct sha256 *ret)
{
	static const struct span middle = SPAN_LIT(") = ");
	size_t digest = 2 * SUMS_SHA256_SIZE;
	struct span head = SPAN_LIT("SHA256 ("), name, tail;

	if (!span_has_prefix(line, head) || line.n < head.n + middle.n + digest)
		return false;
	name = span_skip(line, head.n);
	name.n -= middle.n + digest;
	tail = span_skip(line, head.n + name.n);
	if (!span_has_prefix(tail, middle) || sha256_parse(span_skip(tail, middle.n), ret) < 0)
		return false;
	*ret_name = name;
	return true;
}

static bool read_line(struct span line, struct span *ret_name, struct sha256 *ret)
{
	struct span rest, word;

	line = without_blanks(line);
	if (read_tagged(line, ret_name, ret))
		return true;
	rest = line;
	word = cut(&rest, ' ');
	if (sha256_parse(word, ret) < 0)
		return false;
	rest = without_blanks(rest);
	/* A Release file has the size in between. */
	line = rest;
	word = cut(&rest, ' ');
	if (!is_number(word) || without_blanks(rest).n == 0)
		rest = line;
	rest = without_blanks(rest);
	if (span_has_prefix(rest, SPAN_LIT("*")))
		rest = span_skip(rest, 1);
	*ret_name = rest;
	return rest.n > 0;
}

int sums_find(struct span list, struct span name, struct sha256 *ret)
{
	struct sha256 found = { 0 }, d;
	struct span its_name = SPAN_NONE;
	bool has = false;

	name = without_dot(name);
	while (list.n > 0) {
		if (!read_line(cut(&list, '\n'), &its_name, &d) ||
			!span_eq(without_dot(its_name), name))
			continue;
		if (has && !sha256_eq(found, d))
			return -EEXIST;
		found = d;
		has = true;
	}
	if (!has)
		return -ENOENT;
	*ret = found;
	return 0;
}

bool sums_name_of(const char *sums_url, const char *url, struct span *ret_name)
{
	const char *slash = strrchr(sums_url, '/');
	size_t n = slash ? (size_t)(slash - sums_url) + 1 : 0;

	if (n == 0 || strpbrk(sums_url, "?#") || strpbrk(url, "?#") ||
		strncmp(sums_url, url, n) != 0 || url[n] == '\0')
		return false;
	*ret_name = span_str(url + n);
	return true;
}
