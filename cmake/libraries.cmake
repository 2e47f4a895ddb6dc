# Outside libraries, each for the one room that may include it (tests/layering checks that).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_path(GW_BOOST_INCLUDE boost/asio.hpp REQUIRED)


pkg_check_modules(NFTABLES REQUIRED IMPORTED_TARGET libnftables)
pkg_check_modules(MNL REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

# gw_library(room SCOPE libraries...): in a room's room.cmake. Does nothing while the room has no source files.
function(gw_library room scope)
    get_target_property(type gw_${room} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
        target_link_libraries(gw_${room} ${scope} ${ARGN})
    endif()
endfunction()
