#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H
/*
 * Numbers as text, one value one way: a whole number below 2^53 without point, any other by the
 * shortest decimal that reads back to the same double, as C and Python write it (0.1, 1e-05,
 * 2.5e+100). The locale does not matter.
 */
#include <stddef.h>

enum { NUMBER_TEXT_SIZE = 32 };

/* Length of the text in out; 0 for what is no finite number. -0.0 is "-0". */
size_t number_text(double v, char out[NUMBER_TEXT_SIZE]);

#endif
