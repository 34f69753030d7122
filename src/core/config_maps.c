/* Maps of known keys; values that must be unique; ranges that must not overlap.
 * All by sorting: ten thousand machines are read in a blink. */
#include "core/config_load_impl.h"

#include <stdlib.h>

static void report_unknown_key(struct loading *l, const struct yaml *v, const char *what,
	const struct load_key *keys, size_t n)
{
	struct suggestion near = { .given = v->key };
	struct text known = { 0 };

	for (size_t i = 0; i < n; i++) {
		suggestion_offer(&near, keys[i].name);
		text_addf(&known, "%s%s", i ? ", " : "", keys[i].name);
	}
	if (near.best)
		config_error_add(l->errs, v->key_pos,
			"unknown key `%.64s` in %s: did you mean `%s`?", (const char *)v->key.p,
			what, near.best);
	else
		config_error_add(l->errs, v->key_pos, "unknown key `%.64s` in %s: its keys are %s",
			(const char *)v->key.p, what, text_str(&known));
	text_free(&known);
}

static const struct load_key *find_key(struct span name, const struct load_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(name, span_str(keys[i].name)))
			return &keys[i];
	return NULL;
}

bool load_map(struct loading *l, const struct yaml *v, const char *what,
	const struct load_key *keys, size_t n, void *into)
{
	if (v->kind == YAML_SCALAR || v->kind == YAML_LIST) {
		struct text expected = { 0 };

		text_addf(&expected, "%s: a map of keys such as {%s: ...}", what, keys[0].name);
		load_unexpected(l, v, text_str(&expected));
		text_free(&expected);
		return false;
	}
	for (const struct yaml *entry = v->first; entry; entry = entry->next) {
		const struct load_key *key = find_key(entry->key, keys, n);

		if (key)
			key->read(l, entry, into);
		else
			report_unknown_key(l, entry, what, keys, n);
	}
	return true;
}

bool unique_init(struct loading *l, struct unique_list *u, const char *what, size_t cap)
{
	struct unique *list = load_scratch(l, sizeof(*list) * cap);

	*u = (struct unique_list){ .what = what, .list = list, .cap = list ? cap : 0 };
	return list != NULL;
}

void unique_add(struct loading *l, struct unique_list *u, struct span key, const char *shown,
	struct src_pos pos)
{
	char *key_copy, *shown_copy;

	if (u->n == u->cap)
		return;
	key_copy = arena_strdup(&l->scratch, key);
	shown_copy = arena_strdup(&l->scratch, span_str(shown));
	if (!key_copy || !shown_copy) {
		l->no_memory = true;
		return;
	}
	u->list[u->n++] = (struct unique){
		.key = { (const uint8_t *)key_copy, key.n },
		.shown = shown_copy,
		.pos = pos,
	};
}

static int by_pos(struct src_pos a, struct src_pos b)
{
	if (a.line != b.line)
		return a.line < b.line ? -1 : 1;
	return a.col < b.col ? -1 : a.col > b.col;
}

static int by_key(const void *a, const void *b)
{
	const struct unique *x = a, *y = b;
	int order = span_compare(x->key, y->key);

	if (order != 0)
		return order;
	return by_pos(x->pos, y->pos);
}

void unique_report(struct loading *l, struct unique_list *u)
{
	if (u->n < 2)
		return;
	qsort(u->list, u->n, sizeof(*u->list), by_key);
	for (size_t i = 1; i < u->n; i++) {
		const struct unique *a = &u->list[i - 1], *b = &u->list[i];

		if (span_eq(a->key, b->key))
			config_error_add(l->errs, b->pos,
				"%s %.64s is taken already, in line %u: each must be the only one",
				u->what, b->shown, a->pos.line);
	}
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first.v != y->first.v)
		return x->first.v < y->first.v ? -1 : 1;
	return by_pos(x->pos, y->pos);
}

void load_report_overlaps(struct loading *l, struct range *ranges, size_t n, const char *what)
{
	const struct range *widest = ranges;

	if (n < 2)
		return;
	qsort(ranges, n, sizeof(*ranges), by_first);
	for (size_t i = 1; i < n; i++) {
		const struct range *r = &ranges[i];

		if (r->first.v <= widest->last.v) {
			bool r_is_later = by_pos(r->pos, widest->pos) > 0;
			const struct range *later = r_is_later ? r : widest,
					   *other = r_is_later ? widest : r;

			config_error_add(l->errs, later->pos,
				"this %s overlaps %s-%s of line %u: an address can belong to one "
				"%s only",
				what, ip4_str(other->first).s, ip4_str(other->last).s,
				other->pos.line, what);
		}
		if (r->last.v > widest->last.v)
			widest = r;
	}
}
