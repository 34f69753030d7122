/* `https:`: a port, certificates with their keys, and who is told of them.  The
 * files are looked at by the layers above. */
#include "core/config_load_impl.h"

/* A list of paths while it is read. */
struct paths {
	const char *list[CONFIG_HTTPS_PAIRS_MAX];
	struct src_pos pos[CONFIG_HTTPS_PAIRS_MAX];
	size_t n;
	bool wrong; /* said already */
};

struct reading {
	struct paths certificates, keys;
	bool has_for;
};

static void read_port(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	(void)load_port(l, v, &l->cfg->https_port);
}

static void read_paths(struct loading *l, const struct yaml *v, struct paths *ret)
{
	if (v->kind == YAML_MAP) {
		load_unexpected(l, v, "an absolute path, or a list of them");
		ret->wrong = true;
		return;
	}
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i)) {
		if (ret->n == CONFIG_HTTPS_PAIRS_MAX) {
			config_error_add(l->errs, i->pos,
				"at most %u certificates: one RSA and one ECDSA are enough",
				CONFIG_HTTPS_PAIRS_MAX);
			ret->wrong = true;
			return;
		}
		ret->list[ret->n] = load_absolute_path(l, i);
		ret->pos[ret->n] = i->pos;
		ret->wrong = ret->wrong || !ret->list[ret->n];
		ret->n++;
	}
}

static void read_certificate(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	read_paths(l, v, &r->certificates);
}

static void read_key(struct loading *l, const struct yaml *v, void *into)
{
	struct reading *r = into;

	read_paths(l, v, &r->keys);
}

/* Who is told an https:// URL: those that are told a URL at all. */
static void read_for(struct loading *l, const struct yaml *v, void *into)
{
	static const char *const words[] = { "http-boot", "ipxe", "all" };
	static const unsigned bits[] = { 1u << CLIENT_HTTP, 1u << CLIENT_IPXE,
		1u << CLIENT_HTTP | 1u << CLIENT_IPXE };
	struct reading *r = into;
	unsigned word;

	r->has_for = true;
	if (v->kind == YAML_MAP) {
		load_unexpected(l, v, "a list of http-boot, ipxe or all");
		return;
	}
	for (const struct yaml *i = yaml_first(v); i; i = yaml_after(v, i))
		if (load_word(l, i, words, ARRAY_LEN(words), &word))
			l->cfg->https_clients |= bits[word];
}

static void make_pairs(struct loading *l, const struct yaml *v, const struct reading *r)
{
	const struct paths *c = &r->certificates, *k = &r->keys;
	struct https_pair *pairs;

	if (c->wrong || k->wrong)
		return;
	if (c->n == 0 || k->n == 0) {
		config_error_add(l->errs, v->key_pos,
			"`%s` is missing: HTTPS needs the path of a PEM file (`bootsmith cert` makes one)",
			c->n == 0 ? "certificate" : "key");
		return;
	}
	if (c->n != k->n) {
		config_error_add(l->errs, k->pos[0],
			"%zu certificates but %zu keys: name the key of each certificate, in the same order",
			c->n, k->n);
		return;
	}
	pairs = LOAD_ARRAY(l, struct https_pair, c->n);
	if (!pairs)
		return;
	for (size_t i = 0; i < c->n; i++)
		pairs[i] = (struct https_pair){ c->list[i], k->list[i], c->pos[i], k->pos[i] };
	l->cfg->https_pairs = pairs;
	l->cfg->n_https_pairs = c->n;
}

void load_https(struct loading *l, const struct yaml *v, void *unused)
{
	static const struct load_key keys[] = {
		{ "port", read_port },
		{ "certificate", read_certificate },
		{ "key", read_key },
		{ "for", read_for },
	};
	struct reading r = { 0 };

	(void)unused;
	if (v->kind == YAML_NULL || (v->kind == YAML_MAP && v->n == 0))
		return; /* an empty section asks for nothing */
	l->cfg->https_port = CONFIG_HTTPS_PORT_DEFAULT;
	if (!load_map(l, v, "https", keys, ARRAY_LEN(keys), &r))
		return;
	if (!r.has_for)
		l->cfg->https_clients = 1u << CLIENT_HTTP;
	make_pairs(l, v, &r);
}
