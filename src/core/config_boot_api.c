/* `boot_api:`, the service that is asked what machines are to boot. */
#include "core/config_load_impl.h"
#include "core/url.h"

#define TIMEOUT_MAX_S 60
#define CACHE_MAX_S   86400

static void read_url(struct loading *l, const struct yaml *v, void *into)
{
	static const char expected[] =
		"the URL of a service such as http://api.example/pixie (http or https, no blanks)";
	const char *url = load_text(l, v, expected);

	(void)into;
	if (!url)
		return;
	if (!url_is_http(span_str(url)) || strpbrk(url, "?#"))
		load_unexpected(l, v, expected);
	else
		l->cfg->boot_api.url = url;
}

static void read_timeout(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	(void)load_duration(l, v, 1, TIMEOUT_MAX_S, &l->cfg->boot_api.timeout_s);
}

static void read_cache(struct loading *l, const struct yaml *v, void *into)
{
	(void)into;
	(void)load_duration(l, v, 0, CACHE_MAX_S, &l->cfg->boot_api.cache_s);
}

static void read_when_away(struct loading *l, const struct yaml *v, void *into)
{
	static const char *const words[] = { "profile", "wait" };
	unsigned word;

	(void)into;
	if (load_word(l, v, words, ARRAY_LEN(words), &word))
		l->cfg->boot_api.waits = word == 1;
}

void load_boot_api(struct loading *l, const struct yaml *v, void *into)
{
	static const struct load_key keys[] = { { "url", read_url }, { "timeout", read_timeout },
		{ "cache", read_cache }, { "when_away", read_when_away } };

	if (v->kind != YAML_MAP) {
		read_url(l, v, into);
		return;
	}
	if (load_map(l, v, "boot_api", keys, ARRAY_LEN(keys), into) && !yaml_find(v, "url"))
		config_error_add(
			l->errs, v->key_pos, "boot_api has no url: name the service that is asked");
}
