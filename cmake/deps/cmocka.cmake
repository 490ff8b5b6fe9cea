# SPDX-License-Identifier: MIT
#
# How dosvc::cmocka is found or built (see Dependencies.cmake). Only tests link to it.

set(dep_version 1.1)
set(dep_pkg_config cmocka)

set(dep_can_build TRUE)
set(dep_cmake_args
    -DWITH_STATIC_LIB=ON
    -DWITH_EXAMPLES=OFF
    -DUNIT_TESTING=OFF)
set(dep_library libcmocka-static.a)
