/* How many requests of one address are looked at: a token bucket for each.
 *
 * GRUB asks for a hundred small files one after the other, as fast as we answer;
 * a ROM in a loop asks without end.  A fixed table: nothing here grows, and of two
 * addresses in one slot each takes the other's count away.
 * Time is monotonic milliseconds, given as an argument.
 */
#pragma once

#include "base/addr.h"

#define TFTP_RATE_PER_S 250u
#define TFTP_RATE_BURST 500u
#define TFTP_RATE_SLOTS 4096u

struct tftp_rate {
	struct {
		uint32_t addr;   /* 0: nobody */
		uint32_t tokens; /* thousandths of a request */
		uint64_t at_ms;
	} slots[TFTP_RATE_SLOTS]; /* all zero at the beginning */
};

/* Counts a request; false: that is one too many. */
bool tftp_rate_admit(struct tftp_rate *r, struct ip4 addr, uint64_t now_ms);
