/* The log line of one DHCPv4 exchange: who, what it is, what it was told, why. */
#pragma once

#include "app/site.h"

/* The record of a plan (answered or dropped) of a decoded message, for log_write();
 * empty when it is one of too many drops. */
void dhcp4_line_of_plan(struct site *site, const struct dhcp4_msg *msg, const struct dhcp4_plan *plan,
	struct text *ret_record);
