/* Reading single values of a configuration: texts, numbers, times, addresses,
 * words, paths; and finding the word that a mistyped one was meant to be. */
#include "core/config_load_impl.h"

#include <stdlib.h>

void *load_alloc(struct loading *l, size_t n)
{
	void *p = arena_alloc(l->arena, n);

	l->no_memory = l->no_memory || !p;
	return p;
}

void *load_scratch(struct loading *l, size_t n)
{
	void *p = arena_alloc(&l->scratch, n);

	l->no_memory = l->no_memory || !p;
	return p;
}

void load_unexpected(struct loading *l, const struct yaml *v, const char *expected)
{
	switch (v->kind) {
	case YAML_SCALAR:
		if (v->text.n == 0)
			config_error_add(
				l->errs, v->pos, "expected %s, found an empty text", expected);
		else
			config_error_add(l->errs, v->pos, "expected %s, found `%.100s`", expected,
				(const char *)v->text.p);
		break;
	case YAML_NULL:
		config_error_add(l->errs, v->pos,
			"expected %s, found nothing: give a value or remove the key", expected);
		break;
	case YAML_LIST:
		config_error_add(l->errs, v->pos, "expected %s, found %s", expected,
			v->n ? "a list" : "an empty list");
		break;
	case YAML_MAP:
		config_error_add(l->errs, v->pos, "expected %s, found a map of keys", expected);
		break;
	}
}

bool load_scalar(struct loading *l, const struct yaml *v, const char *expected, struct span *ret)
{
	if (v->kind != YAML_SCALAR || v->text.n == 0) {
		load_unexpected(l, v, expected);
		return false;
	}
	*ret = v->text;
	return true;
}

const char *load_text(struct loading *l, const struct yaml *v, const char *expected)
{
	struct span s;
	char *copy;

	if (!load_scalar(l, v, expected, &s))
		return NULL;
	copy = arena_strdup(l->arena, s);
	l->no_memory = l->no_memory || !copy;
	return copy;
}

bool load_list(struct loading *l, const struct yaml *v, const char *expected)
{
	if (v->kind == YAML_LIST || v->kind == YAML_NULL)
		return true;
	load_unexpected(l, v, expected);
	return false;
}

bool load_bool(struct loading *l, const struct yaml *v, bool *ret)
{
	if (v->kind == YAML_SCALAR && span_eq(v->text, SPAN_LIT("true"))) {
		*ret = true;
		return true;
	}
	if (v->kind == YAML_SCALAR && span_eq(v->text, SPAN_LIT("false"))) {
		*ret = false;
		return true;
	}
	load_unexpected(l, v, "true or false");
	return false;
}

/* Decimal digits only; false past max. */
static bool parse_number(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	if (n > max)
		return false;
	*ret = n;
	return true;
}

bool load_port(struct loading *l, const struct yaml *v, uint16_t *ret)
{
	uint64_t n;

	if (v->kind != YAML_SCALAR || !parse_number(v->text, UINT16_MAX, &n) || n == 0) {
		load_unexpected(l, v, "a port from 1 to 65535");
		return false;
	}
	*ret = (uint16_t)n;
	return true;
}

static bool parse_duration(struct span s, uint64_t *ret)
{
	uint64_t unit = 1, n;

	if (s.n == 0)
		return false;
	switch (s.p[s.n - 1]) {
	case 's':
		s.n--;
		break;
	case 'm':
		unit = 60;
		s.n--;
		break;
	case 'h':
		unit = 3600;
		s.n--;
		break;
	case 'd':
		unit = 86400;
		s.n--;
		break;
	}
	if (!parse_number(s, UINT32_MAX, &n))
		return false;
	*ret = n * unit;
	return true;
}

bool load_duration(
	struct loading *l, const struct yaml *v, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t seconds;

	if (v->kind != YAML_SCALAR || !parse_duration(v->text, &seconds)) {
		load_unexpected(l, v, "a time such as 90s, 30m, 12h, 2d, or plain seconds");
		return false;
	}
	if (seconds < min || seconds > max) {
		config_error_add(l->errs, v->pos,
			"%.40s is out of bounds: at least %u seconds, at most %u %s",
			(const char *)v->text.p, min, max < 86400 ? max : max / 86400,
			max < 86400 ? "seconds" : "days");
		return false;
	}
	*ret = (uint32_t)seconds;
	return true;
}

bool ip4_is_host(struct ip4 a)
{
	unsigned net = a.v >> 24;

	return net != 0 && net != 127 && net < 224;
}

bool load_address(struct loading *l, const struct yaml *v, struct ip4 *ret)
{
	struct ip4 a;

	if (v->kind != YAML_SCALAR || ip4_parse(v->text, &a) < 0) {
		load_unexpected(l, v, "an IPv4 address such as 172.24.0.1");
		return false;
	}
	if (!ip4_is_host(a)) {
		config_error_add(l->errs, v->pos,
			"%s is no address of a machine on the network: it is loopback, multicast "
			"or reserved",
			ip4_str(a).s);
		return false;
	}
	*ret = a;
	return true;
}

#define WORDS_NAMED 8u /* in a message; of longer lists the first and an example */

bool load_word(
	struct loading *l, const struct yaml *v, const char *const *words, size_t n, unsigned *ret)
{
	struct suggestion near = { .given = v->text };
	struct text expected = { 0 };

	for (unsigned i = 0; v->kind == YAML_SCALAR && i < n; i++) {
		if (span_eq(v->text, span_str(words[i]))) {
			*ret = i;
			return true;
		}
		suggestion_offer(&near, words[i]);
	}
	for (size_t i = 0; i < n && i < WORDS_NAMED; i++)
		text_addf(&expected, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", words[i]);
	if (n > WORDS_NAMED)
		text_addf(&expected, " or another name, such as %s (bootsmith.yaml(5) lists them)",
			words[n - 1]);
	if (near.best)
		config_error_add(l->errs, v->pos, "expected %s, found `%.100s`: did you mean `%s`?",
			text_str(&expected), (const char *)v->text.p, near.best);
	else
		load_unexpected(l, v, text_str(&expected));
	text_free(&expected);
	return false;
}

bool load_has_parent_step(struct span s)
{
	while (s.n > 0) {
		const uint8_t *slash = memchr(s.p, '/', s.n);
		size_t n = slash ? (size_t)(slash - s.p) : s.n;

		if (n == 2 && s.p[0] == '.' && s.p[1] == '.')
			return true;
		s = span_skip(s, slash ? n + 1 : n);
	}
	return false;
}

const char *load_absolute_path(struct loading *l, const struct yaml *v)
{
	static const char expected[] = "an absolute path of this machine, one that starts with /";

	if (v->kind == YAML_SCALAR && v->text.n > 0 && v->text.p[0] != '/') {
		load_unexpected(l, v, expected);
		return NULL;
	}
	return load_text(l, v, expected);
}

bool load_check_name(struct loading *l, struct span name, struct src_pos pos, const char *what)
{
	bool good = name.n > 0 && name.n <= 63;

	for (size_t i = 0; good && i < name.n; i++) {
		uint8_t c = name.p[i];

		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '.' || c == '_' || c == '-';
	}
	if (!good)
		config_error_add(l->errs, pos,
			"`%.100s` cannot be the name of %s: use 1 to 63 of the characters A-Z a-z "
			"0-9 . _ -",
			(const char *)name.p, what);
	return good;
}
