/* What the log says of DHCPv4: of an exchange who asked, what it is, what it was told, and
 * why; and of what never became one. */
#pragma once

#include "app/site.h"
#include "edge/dhcp4_socket.h"

/* A plan (answered or dropped) of a decoded message; nothing when it is one of too many
 * drops.  Where the line waits for its reply, its record is wanted instead. */
void dhcp4_say_plan(struct site *site, const struct dhcp4_msg *msg, const struct dhcp4_plan *plan);
void dhcp4_line_of_plan(struct site *site, const struct dhcp4_msg *msg,
	const struct dhcp4_plan *plan, struct text *ret_record);

/* msg: as far as it was read. */
void dhcp4_say_undecoded(
	struct log *log, const struct dhcp4_packet *p, const struct dhcp4_msg *msg, enum drop why);
void dhcp4_say_form_changed(struct log *log, const struct dhcp4_plan *p);
/* The kernel had no room for n more packets. */
void dhcp4_say_overflow(struct log *log, uint32_t n);
/* Leases last as long as they were promised to, whatever the wall clock does; who reads dates
 * in logs should know. */
void dhcp4_say_clock_step(struct log *log, int64_t by_s);
