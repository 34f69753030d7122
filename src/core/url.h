/* URLs of http and https, as we ask for them ourselves (RFC 3986).
 *
 * Nothing is decoded: a URL is compared and handed on as it is written.
 */
#pragma once

#include "base/text.h"

#define URL_MAX 2000u /* octets */

/* http:// or https://, a host, then printable ASCII without blanks, quotes,
 * backslashes or < >. */
bool url_is_http(struct span url);
/* https:// */
bool url_is_https(struct span url);
/* The URL that `reference` means where `base` (which is one) is known: itself when
 * it is absolute, else on the same host: `/path`, or below base's directory.  False:
 * it is another scheme's, a `//host`, or the outcome is no URL. */
bool url_resolve(struct span base, struct span reference, struct text *ret_url) WARN_UNUSED;
#define URL_SHOWN_MAX 160u
/* As a sentence may name it to anybody: without the user and password, and what the query asks for;
 * of what is longer than URL_SHOWN_MAX without its middle, for there is more to say in a sentence. */
void url_show(struct span url, struct text *out);
/* The last part of its path, without query and fragment; may be empty. */
struct span url_file_name(struct span url);
