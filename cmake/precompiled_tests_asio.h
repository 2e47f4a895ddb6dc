// The same for tests of what runs in an io_context.
#include "cmake/precompiled.h"
#include "cmake/precompiled_tests_plain.h"
