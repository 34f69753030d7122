/* The verb "lab": virtual networks, and machines that boot from them. */
#pragma once

/* Its two sub-verbs; argv[0] is the name that complaints begin with. */
int lab_network(int argc, char **argv);
int lab_node(int argc, char **argv);

/* A decimal number of at most max, nothing around it; 0, or -EINVAL. */
int lab_parse_number(const char *s, unsigned max, unsigned *ret_n);
