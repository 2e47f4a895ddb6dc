# One set of flags for everything of ours. GW_SANITIZE: empty, "address,undefined", "thread" or "fuzzer".
set(GW_SANITIZE "" CACHE STRING "sanitizers: address,undefined | thread | fuzzer")
option(GW_COVERAGE "instrument for coverage" OFF)

add_library(gw_flags INTERFACE)
target_include_directories(gw_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(gw_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
    -Woverloaded-virtual -Werror -fstack-protector-strong -g1)
target_compile_definitions(gw_flags INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
    BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 sees phantoms in optimised coroutine frames and in std::string's inlined copies.
    target_compile_options(gw_flags INTERFACE -Wno-mismatched-new-delete -Wno-maybe-uninitialized -Wno-restrict
        -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(NOT GW_SANITIZE STREQUAL "")
    if(GW_SANITIZE STREQUAL "fuzzer")
        target_compile_options(gw_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(gw_flags INTERFACE -fsanitize=address,undefined)
    else()
        target_compile_options(gw_flags INTERFACE -fsanitize=${GW_SANITIZE} -fno-sanitize-recover=all
            -fno-omit-frame-pointer)
        target_link_options(gw_flags INTERFACE -fsanitize=${GW_SANITIZE})
        # Looked for at each access, and a fifth of the time to compile: a null pointer ends the program anyway, and
        # nothing here reads memory as a wider type.
        if(GW_SANITIZE MATCHES "undefined")
            target_compile_options(gw_flags INTERFACE -fno-sanitize=null,alignment)
        endif()
        if(GW_SANITIZE STREQUAL "thread")
            # The thread sanitizer does not know fences, and GCC says so; Asio's handlers are ordered by its mutex anyway.
            target_compile_options(gw_flags INTERFACE -Wno-tsan)
            target_compile_definitions(gw_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
        endif()
    endif()
endif()
if(GW_COVERAGE)
    target_compile_options(gw_flags INTERFACE --coverage)
    target_link_options(gw_flags INTERFACE --coverage)
endif()

# On a machine that begins with nothing there is nothing to find again, and looking for it is not free.
find_program(CCACHE ccache)
if(CCACHE AND NOT DEFINED ENV{CI})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
