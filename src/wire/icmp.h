/* ICMP echo: asking whether an address behind a router is in use.
 *
 * RFC 792.  Echo only; 8 octets of data, a cookie that an answer must bring back,
 * so that nobody who has not seen the question can answer it.
 */
#pragma once

#include "base/addr.h"

#define ICMP_ECHO_OCTETS 16u

/* An echo request with its checksum. */
void icmp_put_echo(struct wr *w, uint64_t cookie);
/* s: a whole IPv4 packet, as a raw socket gives it.  True for an echo reply that
 * has this cookie; *ret_source who sent it. */
bool icmp_echo_reply(struct span s, uint64_t cookie, struct ip4 *ret_source);
