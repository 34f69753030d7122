/* The log line of one DHCPv4 exchange: who, what it is, what it was told, why. */
#pragma once

#include "app/site.h"

/* The whole line of a plan (answered or dropped) of a decoded message. */
void dhcp4_line_of_plan(struct site *site, const struct dhcp4_msg *msg, const struct dhcp4_plan *plan,
	struct text *ret_line);
