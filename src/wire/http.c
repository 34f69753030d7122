/* Strict parser of HTTP/1.x request heads; see http.h. */
#include "wire/http.h"

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* RFC 9110 5.6.2 */
static bool is_tchar(uint8_t c)
{
	return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_tchar(s.p[i]))
			return false;
	return s.n > 0;
}

static struct span trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* s up to the first c; *rest is what is behind it (p is NULL without a c). */
static struct span cut(struct span s, uint8_t c, struct span *rest)
{
	const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

	if (!at) {
		*rest = SPAN_NONE;
		return s;
	}
	*rest = span_skip(s, (size_t)(at - s.p) + 1);
	return (struct span){ s.p, (size_t)(at - s.p) };
}

size_t http_head_start(struct span buf)
{
	size_t n = 0;

	while (n + 1 < buf.n && buf.p[n] == '\r' && buf.p[n + 1] == '\n')
		n += 2;
	return n;
}

size_t http_head_end(struct span buf)
{
	struct span line, rest = buf;

	for (;;) {
		line = cut(rest, '\n', &rest);
		if (!rest.p)
			return 0;
		if (line.n == 0 || (line.n == 1 && line.p[0] == '\r'))
			return (size_t)(rest.p - buf.p);
	}
}

/* One line without its CRLF.  HTAB passes: it may stand in a field value. */
static enum drop next_line(struct span *rest, struct span *ret)
{
	for (size_t i = 0; i < rest->n; i++) {
		uint8_t c = rest->p[i];

		if (c == '\n')
			return DROP_HTTP_BARE_LF;
		if (c == '\r') {
			if (i + 1 >= rest->n || rest->p[i + 1] != '\n')
				return DROP_HTTP_BARE_CR;
			*ret = (struct span){ rest->p, i };
			*rest = span_skip(*rest, i + 2);
			return DROP_NONE;
		}
		if (is_control(c) && c != '\t')
			return DROP_HTTP_NUL;
	}
	return DROP_HTTP_LINE;
}

/* HTTP-version = "HTTP" "/" DIGIT "." DIGIT, case-sensitive (RFC 9112 2.3). */
static enum drop parse_version(struct span s, struct http_request *r)
{
	if (s.n != 8 || !span_has_prefix(s, SPAN_LIT("HTTP/")) || s.p[5] < '0' || s.p[5] > '9' ||
		s.p[6] != '.' || s.p[7] < '0' || s.p[7] > '9')
		return DROP_HTTP_LINE;
	if (s.p[5] != '1')
		return DROP_HTTP_VERSION;
	r->minor = s.p[7] - '0';
	return DROP_NONE;
}

static enum drop parse_request_line(struct span line, struct http_request *r)
{
	struct span method, target, rest;

	method = cut(line, ' ', &rest);
	if (!is_token(method))
		return DROP_HTTP_LINE;
	r->method_name = method;
	if (span_eq(method, SPAN_LIT("GET")))
		r->method = HTTP_METHOD_GET;
	else if (span_eq(method, SPAN_LIT("HEAD")))
		r->method = HTTP_METHOD_HEAD;
	else if (span_eq(method, SPAN_LIT("POST")))
		r->method = HTTP_METHOD_POST;
	target = cut(rest, ' ', &rest);
	if (target.n == 0)
		return DROP_HTTP_LINE;
	r->target = target;
	return parse_version(rest, r);
}

static enum drop parse_field(struct span line, struct http_request *r)
{
	struct span name, value;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return DROP_HTTP_FOLD;
	name = cut(line, ':', &value);
	if (!value.p || !is_token(name))
		return DROP_HTTP_FIELD_NAME;
	if (r->field_count == HTTP_FIELDS_MAX)
		return DROP_HTTP_FIELDS;
	r->fields[r->field_count++] = (struct http_field){ name, trim(value) };
	return DROP_NONE;
}

struct span http_field_next(const struct http_request *req, struct span name, size_t *from)
{
	for (size_t i = *from; i < req->field_count; i++) {
		if (span_eq_nocase(req->fields[i].name, name)) {
			*from = i + 1;
			return req->fields[i].value;
		}
	}
	*from = req->field_count;
	return SPAN_NONE;
}

struct span http_field_single(const struct http_request *req, struct span name)
{
	size_t at = 0;
	struct span value = http_field_next(req, name, &at);

	return http_field_next(req, name, &at).p ? SPAN_NONE : value;
}

/* The octets of uri-host [ ":" port ]: no '/', '@', '?' or space (RFC 3986 3.2). */
static bool is_authority(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && (s.p[i] == 0 || !strchr("-._~%!$&'()*+,;=:[]", s.p[i])))
			return false;
	return true;
}

/* RFC 9112 3.2: one Host in 1.1, never two. */
static enum drop check_host(struct http_request *r)
{
	size_t at = 0;
	struct span host = http_field_next(r, SPAN_LIT("Host"), &at);

	if (!host.p)
		return r->minor >= 1 ? DROP_HTTP_HOST : DROP_NONE;
	if (http_field_next(r, SPAN_LIT("Host"), &at).p || !is_authority(host))
		return DROP_HTTP_HOST;
	r->host = host;
	return DROP_NONE;
}

static enum drop parse_length(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || v > (UINT64_MAX - 9) / 10)
			return DROP_HTTP_LENGTH;
		v = v * 10 + (s.p[i] - '0');
	}
	if (s.n == 0)
		return DROP_HTTP_LENGTH;
	*ret = v;
	return DROP_NONE;
}

/* RFC 9112 6.1 and 6.3, without the leniencies: "5, 5" and a second equal
 * Content-Length are refused too, and so is any transfer coding. */
static enum drop check_framing(struct http_request *r)
{
	size_t at = 0, coding_at = 0;
	struct span length = http_field_next(r, SPAN_LIT("Content-Length"), &at);
	struct span coding = http_field_next(r, SPAN_LIT("Transfer-Encoding"), &coding_at);

	if (length.p && coding.p)
		return DROP_HTTP_LENGTH_AND_CODING;
	if (coding.p)
		return DROP_HTTP_CODING;
	if (!length.p)
		return DROP_NONE;
	if (http_field_next(r, SPAN_LIT("Content-Length"), &at).p)
		return DROP_HTTP_LENGTHS;
	return parse_length(length, &r->content_length);
}

/* RFC 9110 10.1.1; HTTP/1.0 knows no expectations. */
static enum drop check_expect(const struct http_request *r)
{
	size_t at = 0;
	struct span expect;

	if (r->minor == 0)
		return DROP_NONE;
	while ((expect = http_field_next(r, SPAN_LIT("Expect"), &at)).p)
		if (!span_eq_nocase(expect, SPAN_LIT("100-continue")))
			return DROP_HTTP_EXPECT;
	return DROP_NONE;
}

/* RFC 9112 9.3: 1.1 persists unless told otherwise, 1.0 only when asked. */
static bool wants_keep_alive(const struct http_request *r)
{
	bool close = false, keep = r->minor >= 1;
	size_t at = 0;
	struct span value;

	while ((value = http_field_next(r, SPAN_LIT("Connection"), &at)).p) {
		while (value.p) {
			struct span option = trim(cut(value, ',', &value));

			close |= span_eq_nocase(option, SPAN_LIT("close"));
			keep |= span_eq_nocase(option, SPAN_LIT("keep-alive"));
		}
	}
	return keep && !close;
}

static enum drop check_method(const struct http_request *r)
{
	static const char *const known[] = { "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE",
		"PATCH" };

	if (r->method != HTTP_METHOD_OTHER)
		return DROP_NONE;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_eq(r->method_name, span_str(known[i])))
			return DROP_HTTP_METHOD;
	return DROP_HTTP_METHOD_UNKNOWN;
}

/* Skips "http://authority" (RFC 9112 3.2.2: a server takes the absolute form,
 * and its authority goes before Host). */
static enum drop skip_origin(struct span *target, struct http_request *r)
{
	struct span s = *target;
	size_t scheme = 0, n = 0;

	if (s.n >= 7 && span_eq_nocase((struct span){ s.p, 7 }, SPAN_LIT("http://")))
		scheme = 7;
	else if (s.n >= 8 && span_eq_nocase((struct span){ s.p, 8 }, SPAN_LIT("https://")))
		scheme = 8;
	else
		return DROP_HTTP_TARGET;
	s = span_skip(s, scheme);
	while (n < s.n && s.p[n] != '/' && s.p[n] != '?')
		n++;
	r->host = (struct span){ s.p, n };
	if (n == 0 || !is_authority(r->host))
		return DROP_HTTP_TARGET;
	*target = span_skip(s, n);
	return DROP_NONE;
}

/* Octets above 0x7f and the likes of '{' pass although RFC 3986 has them
 * escaped: GRUB sends file names as they are. */
static enum drop parse_target(struct http_request *r)
{
	struct span s = r->target;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] == 0x7f || s.p[i] == '#')
			return DROP_HTTP_TARGET;
	if (s.p[0] != '/') {
		enum drop d = skip_origin(&s, r);

		if (d != DROP_NONE)
			return d;
	}
	r->path = cut(s, '?', &r->query);
	if (r->path.n == 0)
		r->path = SPAN_LIT("/");
	return DROP_NONE;
}

enum drop http_parse_request(struct span head, struct http_request *ret)
{
	struct span rest = head, line;
	enum drop d;

	memset(ret, 0, sizeof(*ret));
	d = next_line(&rest, &line);
	if (d == DROP_NONE)
		d = parse_request_line(line, ret);
	while (d == DROP_NONE) {
		d = next_line(&rest, &line);
		if (d != DROP_NONE || line.n == 0)
			break;
		d = parse_field(line, ret);
	}
	if (d == DROP_NONE)
		d = check_host(ret);
	if (d == DROP_NONE)
		d = check_framing(ret);
	if (d == DROP_NONE)
		d = check_method(ret);
	if (d == DROP_NONE)
		d = parse_target(ret);
	if (d == DROP_NONE)
		d = check_expect(ret);
	if (d == DROP_NONE)
		ret->keep_alive = wants_keep_alive(ret);
	return d;
}

/* The octet at the start of *s, an escape decoded; -1 for what no name holds. */
static int next_octet(struct span *s)
{
	uint8_t c = s->p[0];

	if (c != '%') {
		*s = span_skip(*s, 1);
		return is_control(c) ? -1 : c;
	}
	if (s->n < 3 || hex_digit_value(s->p[1]) < 0 || hex_digit_value(s->p[2]) < 0)
		return -1;
	c = (uint8_t)(hex_digit_value(s->p[1]) << 4 | hex_digit_value(s->p[2]));
	*s = span_skip(*s, 3);
	return is_control(c) || c == '/' ? -1 : c;
}

static bool is_dots(const uint8_t *p, size_t n)
{
	return (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
}

enum drop http_decode_path(struct span path, uint8_t *buf, size_t cap, struct span *ret)
{
	size_t n = 0, segment = 0; /* octets written; where the last segment begins */

	while (path.n > 0) {
		bool slash = path.p[0] == '/';
		int c = next_octet(&path);

		if (c < 0 || (slash && is_dots(buf + segment, n - segment)))
			return DROP_HTTP_PATH;
		if (slash && n == segment)
			continue;
		if (n == cap)
			return DROP_HTTP_TARGET_LONG;
		buf[n++] = (uint8_t)c;
		if (slash)
			segment = n;
	}
	if (is_dots(buf + segment, n - segment))
		return DROP_HTTP_PATH;
	*ret = (struct span){ buf, n };
	return DROP_NONE;
}
