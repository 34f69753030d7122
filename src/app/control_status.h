/* `bootsmith status` as the daemon answers it. */
#pragma once

#include "app/control.h"

/* No arguments.  One item: what the daemon is, which networks it serves, how full
 * their pools are, how many leases it has in which state, what it dropped and why. */
void control_status(struct site *site, struct control_conn *c, const json_t *request);
