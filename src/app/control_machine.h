/* `bootsmith machine` as the daemon answers it: list, show, and orders. */
#pragma once

#include "app/control.h"

/* {"state": …, "unknown": true}, each may be missing: the configuration's machines, and
 * those that were heard of. */
void control_machine_list(struct site *site, struct control_conn *c, const json_t *request);
/* {"key": a machine's name or a MAC} */
void control_machine_show(struct site *site, struct control_conn *c, const json_t *request);
/* {"key": …, "profile": …}: that profile, once. */
void control_machine_boot(struct site *site, struct control_conn *c, const json_t *request);
/* {"key": …}.  Each order is answered, with the machine as it is then, when it is stored. */
void control_machine_hold(struct site *site, struct control_conn *c, const json_t *request);
void control_machine_local(struct site *site, struct control_conn *c, const json_t *request);
void control_machine_reset(struct site *site, struct control_conn *c, const json_t *request);
