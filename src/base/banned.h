#ifndef BASE_BANNED_H
#define BASE_BANNED_H
/* Functions whose misuse is too easy; using one is a compile error. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atoll \
	gmtime localtime ctime asctime system popen tmpnam mktemp

#endif
