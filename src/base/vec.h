#ifndef BASE_VEC_H
#define BASE_VEC_H
/*
 * A growing array of any type: `VEC(struct x) v = {0};`, `*vec_push(&v) = (struct x){...};`,
 * `v.p[i]`, `v.n`, `vec_release(&v)`. Elements move when it grows.
 */
#include "base/base.h"

#define VEC(type) struct { type *p; size_t n, cap; }
#define vec_push(v) \
	((v)->n == (v)->cap ? ((v)->cap = (v)->cap ? (v)->cap * 2 : 8, \
	 (v)->p = xreallocarray((v)->p, (v)->cap, sizeof(*(v)->p)), &(v)->p[(v)->n++]) \
	 : &(v)->p[(v)->n++])
#define vec_release(v) (free((v)->p), (v)->p = NULL, (v)->n = 0, (v)->cap = 0)

#endif
