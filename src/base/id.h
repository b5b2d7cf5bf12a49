#ifndef BASE_ID_H
#define BASE_ID_H
/* Random names, from getrandom(2). */
#include <stddef.h>
#include <stdint.h>

uint64_t id_u64(void); /* never 0: 0 means "no operation" */
/* `bytes` random bytes as lower-case hex into out, which holds 2 * bytes + 1. */
void id_hex(char *out, size_t bytes);
/* Lower-case hex of given bytes; out holds 2 * n + 1. */
void hex_encode(char *out, const void *p, size_t n);

#endif
