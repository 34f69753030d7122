/* `bootsmith events` as the daemon answers it. */
#pragma once

#include "app/control.h"

/* {"mac": "52:54:00:12:34:56", "follow": true, "since": 17}, each may be missing: the
 * events that are remembered, of this machine, with a greater number than that; with
 * "follow" those to come too, until the client hangs up. */
void control_events(struct site *site, struct control_conn *c, const json_t *request);
