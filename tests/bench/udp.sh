#!/usr/bin/env bash
# CPU time a datagram, beside nginx's stream module and socat, and the flood of false senders at full size.
#
# usage: udp.sh PROGRAM_FOLDER [rounds]
set -euo pipefail
programs=$(realpath "$1")
GW_BENCH_ROUNDS=${2:-3} "$programs/end_to_end_tests" --gtest_also_run_disabled_tests --gtest_filter='UdpCost.*' |
    grep -E ' us of CPU |^gateway: |FAILED|PASSED'
GW_FLOOD_FLOWS=100000 "$programs/end_to_end_tests" --gtest_filter='Udp.StandsAFlood*' | grep -E 'flows: |FAILED|PASSED'
