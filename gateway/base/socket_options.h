#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

// Options that the kernel has and Debian 12's C library does not name. Numbers: linux/in6.h, linux/udp.h,
// asm-generic/socket.h.

#ifndef IPV6_ORIGDSTADDR
#define IPV6_ORIGDSTADDR 74
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
