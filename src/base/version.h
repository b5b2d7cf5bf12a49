#ifndef BASE_VERSION_H
#define BASE_VERSION_H
/* The version of this program, as `kubeque version` prints it and nodes report it. */
#define KUBEQUE_VERSION "0.1.0"

#endif
