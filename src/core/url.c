/* URLs; see url.h. */
#include "core/url.h"

static const struct span http = SPAN_LIT("http://"), https = SPAN_LIT("https://");

static bool is_one_of(uint8_t c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static size_t scheme_length(struct span url)
{
	return span_has_prefix(url, http) ? http.n : span_has_prefix(url, https) ? https.n : 0;
}

bool url_is_http(struct span url)
{
	size_t n = scheme_length(url);

	if (n == 0 || url.n <= n || url.n > URL_MAX || is_one_of(url.p[n], "/?#:@"))
		return false;
	for (size_t i = n; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f || is_one_of(url.p[i], "\"'<>\\`{|}^"))
			return false;
	return true;
}

bool url_is_https(struct span url)
{
	return span_has_prefix(url, https);
}

/* scheme, host and port; the path begins behind. */
static size_t origin_length(struct span url)
{
	size_t n = scheme_length(url);

	while (n < url.n && !is_one_of(url.p[n], "/?#"))
		n++;
	return n;
}

static size_t without_query(struct span url)
{
	size_t n = 0;

	while (n < url.n && url.p[n] != '?' && url.p[n] != '#')
		n++;
	return n;
}

static bool has_scheme(struct span s)
{
	for (size_t i = 0; i < s.n && s.p[i] != '/'; i++)
		if (s.p[i] == ':')
			return true;
	return false;
}

bool url_resolve(struct span base, struct span reference, struct text *ret_url)
{
	struct text url = { 0 };
	struct span directory = { base.p, without_query(base) };
	bool good;

	if (!scheme_length(reference) &&
		(has_scheme(reference) || span_has_prefix(reference, SPAN_LIT("//"))))
		return false;
	if (span_has_prefix(reference, SPAN_LIT("/"))) {
		text_add(&url, (struct span){ base.p, origin_length(base) });
	} else if (!scheme_length(reference)) {
		while (directory.n > origin_length(base) && directory.p[directory.n - 1] != '/')
			directory.n--;
		text_add(&url, directory);
		if (directory.n == origin_length(base))
			text_addc(&url, '/');
	}
	text_add(&url, reference);
	good = reference.n > 0 && !url.failed && url_is_http(text_span(&url));
	if (good)
		text_add(ret_url, text_span(&url));
	text_free(&url);
	return good && !ret_url->failed;
}

struct span url_file_name(struct span url)
{
	struct span path = { url.p, without_query(url) };
	size_t origin = origin_length(url), at = path.n;

	while (at > origin && path.p[at - 1] != '/')
		at--;
	return at > origin ? span_skip(path, at) : SPAN_NONE;
}

void url_show(struct span url, struct text *out)
{
	size_t end = without_query(url), origin = origin_length(url), scheme = scheme_length(url),
	       host = scheme;

	for (size_t i = scheme; i < origin; i++)
		if (url.p[i] == '@')
			host = i + 1;
	text_add(out, (struct span){ url.p, scheme });
	if (end - host > URL_SHOWN_MAX) {
		text_add(out, (struct span){ url.p + host, URL_SHOWN_MAX / 2 });
		text_adds(out, "...");
		host = end - URL_SHOWN_MAX / 2;
	}
	text_add(out, (struct span){ url.p + host, end - host });
	if (end < url.n && url.p[end] == '?')
		text_adds(out, "?...");
}
