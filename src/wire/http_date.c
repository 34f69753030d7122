/* HTTP dates without a locale; see http_date.h. */
#include "wire/http_date.h"

#include <errno.h>
#include <stdio.h>

#define DAY_S 86400

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
	"Friday", "Saturday" };

struct date {
	unsigned year, month, day, hour, minute, second; /* month and day from 1 */
};

/* Days since 1970-01-01 in the Gregorian calendar, for years from 1 on: years
 * begin in March here, so that the leap day is a year's last. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	unsigned m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned year, unsigned month)
{
	static const uint8_t n[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return n[month - 1] + (month == 2 && is_leap(year));
}

static struct date date_of(int64_t unix_s)
{
	struct date d = { .year = 1970, .month = 1 };
	int64_t day;
	unsigned left, second;

	if (unix_s < 0)
		unix_s = 0;
	if (unix_s > HTTP_DATE_MAX_S)
		unix_s = HTTP_DATE_MAX_S;
	day = unix_s / DAY_S;
	second = (unsigned)(unix_s % DAY_S);
	d.year += (unsigned)(day / 366); /* never too late, and a few steps from it */
	while (days_of(d.year + 1, 1, 1) <= day)
		d.year++;
	left = (unsigned)(day - days_of(d.year, 1, 1));
	while (left >= days_in(d.year, d.month))
		left -= days_in(d.year, d.month++);
	d.day = left + 1;
	d.hour = second / 3600;
	d.minute = second / 60 % 60;
	d.second = second % 60;
	return d;
}

struct http_date_text http_date_str(int64_t unix_s)
{
	struct date d = date_of(unix_s);
	int64_t day = days_of(d.year, d.month, d.day);
	struct http_date_text t;

	(void)snprintf(t.s, sizeof(t.s), "%.3s, %02u %s %04u %02u:%02u:%02u GMT",
		days[(day + 4) % 7], d.day % 100, months[d.month - 1], d.year % 10000, d.hour % 100,
		d.minute, d.second);
	return t;
}

struct http_date_text http_date_str_rfc3339(int64_t unix_s)
{
	struct date d = date_of(unix_s);
	struct http_date_text t;

	(void)snprintf(t.s, sizeof(t.s), "%04u-%02u-%02uT%02u:%02u:%02uZ", d.year % 10000,
		d.month % 100, d.day % 100, d.hour % 100, d.minute, d.second);
	return t;
}

static bool scan_number(struct rd *r, size_t digits, unsigned *ret)
{
	struct span s = rd_span(r, digits);
	unsigned v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*ret = v;
	return !r->bad;
}

/* asctime pads the day with a space. */
static bool scan_padded_day(struct rd *r, unsigned *ret)
{
	if (rd_left(r) == 0 || *r->p != ' ')
		return scan_number(r, 2, ret);
	(void)rd_u8(r);
	return scan_number(r, 1, ret);
}

static bool scan_month(struct rd *r, unsigned *ret)
{
	struct span s = rd_span(r, 3);

	for (unsigned i = 0; i < ARRAY_LEN(months); i++) {
		if (span_eq(s, span_str(months[i]))) {
			*ret = i + 1;
			return true;
		}
	}
	return false;
}

static bool scan_day_name(struct rd *r, bool in_full)
{
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		struct span name = { (const uint8_t *)days[i], in_full ? strlen(days[i]) : 3 };

		if (span_has_prefix((struct span){ r->p, rd_left(r) }, name)) {
			(void)rd_span(r, name.n);
			return true;
		}
	}
	return false;
}

/* Reads s as pattern says, in strptime's letters (%e: day, space-padded). */
static bool scan(struct span s, const char *pattern, struct date *d)
{
	struct rd r = rd_of(s);
	bool ok = true;

	for (const char *p = pattern; *p && ok; p++) {
		if (*p != '%') {
			ok = rd_u8(&r) == (uint8_t)*p;
			continue;
		}
		switch (*++p) {
		case 'a':
		case 'A':
			ok = scan_day_name(&r, *p == 'A');
			break;
		case 'b':
			ok = scan_month(&r, &d->month);
			break;
		case 'd':
			ok = scan_number(&r, 2, &d->day);
			break;
		case 'e':
			ok = scan_padded_day(&r, &d->day);
			break;
		case 'Y':
			ok = scan_number(&r, 4, &d->year);
			break;
		case 'y':
			ok = scan_number(&r, 2, &d->year);
			break;
		case 'H':
			ok = scan_number(&r, 2, &d->hour);
			break;
		case 'M':
			ok = scan_number(&r, 2, &d->minute);
			break;
		case 'S':
			ok = scan_number(&r, 2, &d->second);
			break;
		}
	}
	return ok && !r.bad && rd_left(&r) == 0;
}

/* A second of 60 is a leap second (RFC 9110 5.6.7 allows it). */
static bool is_valid(const struct date *d)
{
	return d->year >= 1 && d->day >= 1 && d->day <= days_in(d->year, d->month) &&
		d->hour < 24 && d->minute < 60 && d->second <= 60;
}

static int64_t to_unix(const struct date *d)
{
	return days_of(d->year, d->month, d->day) * DAY_S + d->hour * 3600 + d->minute * 60 +
		d->second;
}

int http_date_parse(struct span s, int64_t now_s, int64_t *ret_unix_s)
{
	struct date d = { 0 };

	if (scan(s, "%a, %d %b %Y %H:%M:%S GMT", &d) || scan(s, "%a %b %e %H:%M:%S %Y", &d)) {
		if (!is_valid(&d))
			return -EINVAL;
		*ret_unix_s = to_unix(&d);
		return 0;
	}
	if (!scan(s, "%A, %d-%b-%y %H:%M:%S GMT", &d))
		return -EINVAL;
	/* More than 50 years ahead means the century before (RFC 9110 5.6.7). */
	d.year += 2000;
	if (!is_valid(&d) || to_unix(&d) > now_s + (int64_t)50 * 366 * DAY_S)
		d.year -= 100;
	if (!is_valid(&d))
		return -EINVAL;
	*ret_unix_s = to_unix(&d);
	return 0;
}
