/* How many requests are looked at: per client and in all.  How many DECLINEs are believed.
 *
 * One machine that asks without end (a ROM in a loop, a broken relay) must not
 * take the others' turn, and a flood from made-up addresses not that of machines
 * that are known.  A fixed table: nothing here grows.
 * Time is monotonic milliseconds, given as an argument.
 */
#pragma once

#include "base/bytes.h"

struct rates;

/* A machine that boots sends about two a second in its busiest moment; a ROM that
 * stutters ten. */
#define RATES_CLIENT_PER_S 40u
/* In all, of clients that are not known and were offered nothing: more than two
 * cores can answer, so that what is known has the rest. */
#define RATES_STRANGERS_PER_S 30000u

/* Per client in RATES_DECLINES_S.  A machine that finds three addresses in use, one after the
 * other, is broken, or wants to empty the pool. */
#define RATES_DECLINES   3u
#define RATES_DECLINES_S 600

int rates_new(struct rates **ret) WARN_UNUSED;
void rates_free(struct rates *l);
/* Counts a request of this hardware address; false: it sent more than
 * RATES_CLIENT_PER_S in this second. */
bool rates_admit_client(struct rates *l, struct span chaddr, int64_t now_ms);
/* Counts a request of a client that is not known; false: there were more than
 * RATES_STRANGERS_PER_S of them in this second. */
bool rates_admit_stranger(struct rates *l, int64_t now_ms);
/* Counts an address that a client says somebody else uses; where: what the relay says of the
 * port that it hangs on, or nothing.  False: it said so of RATES_DECLINES in these ten minutes. */
bool rates_admit_decline(struct rates *l, struct span chaddr, struct span where, int64_t now_ms);
