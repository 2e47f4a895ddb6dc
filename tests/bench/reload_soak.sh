#!/bin/bash
# Reloads, applies and rollbacks under load, many of them: not one request may fail.
# usage: reload_soak.sh FOLDER-OF-PROGRAMS [TURNS [CLIENTS]]      as root; prints requests, failures and the slowest request
set -eu
programs=$(readlink -f "${1:?the folder of end_to_end_tests}")
export GATEWAY_SOAK_TURNS=${2:-1000} GATEWAY_SOAK_CLIENTS=${3:-4}
nice "$programs/end_to_end_tests" \
    --gtest_filter='Reload.FailsNotOneRequestUnderLoad:Apply.FailsNotOneRequestWhateverIsAppliedAndTakenBack'
