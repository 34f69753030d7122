/* `bootsmith lease` as the daemon answers it: list, show, release. */
#pragma once

#include "app/control.h"

/* {"network": …, "state": …, "all": true}, each may be missing: leases and
 * reservations that fit.  What is free is told only with "all" or its state. */
void control_lease_list(struct site *site, struct control_conn *c, const json_t *request);
/* {"key": an address, a MAC, a hostname or a machine's name} */
void control_lease_show(struct site *site, struct control_conn *c, const json_t *request);
/* {"key": an address or a MAC}: frees what it has; each is told when that is stored. */
void control_lease_release(struct site *site, struct control_conn *c, const json_t *request);
