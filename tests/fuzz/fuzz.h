#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H
/*
 * A fuzz target is one function over bytes. `make fuzz` builds each with clang's libFuzzer and the
 * sanitizers; `build/fuzz/NAME -max_total_time=60` runs one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold; abort() makes libFuzzer keep the input. */
#define MUST(cond) do { if (!(cond)) abort(); } while (0)

#endif
