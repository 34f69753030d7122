/* HTTP dates: IMF-fixdate written; all three forms of RFC 9110 5.6.7 read.
 * RFC 3339's form, which JSON uses, is written too.
 *
 * By hand, since strftime and strptime follow the locale.  Knows UTC only, as
 * HTTP does; does not check that the day name fits the date.
 */
#pragma once

#include "base/bytes.h"

#define HTTP_DATE_MAX_S 253402300799 /* 9999-12-31 23:59:59: what four digits can say */

struct http_date_text {
	char s[32];
};

/* "Sun, 06 Nov 1994 08:49:37 GMT"; unix_s is clamped to 0 … HTTP_DATE_MAX_S. */
struct http_date_text http_date_str(int64_t unix_s);
/* "1994-11-06T08:49:37Z" (RFC 3339), clamped likewise. */
struct http_date_text http_date_str_rfc3339(int64_t unix_s);

/* now_s settles the century of RFC 850's two-digit years.  0, or -EINVAL. */
int http_date_parse(struct span s, int64_t now_s, int64_t *ret_unix_s) WARN_UNUSED;
