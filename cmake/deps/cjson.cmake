# SPDX-License-Identifier: MIT
#
# How dosvc::cjson is found or built (see Dependencies.cmake). Include it as <cjson/cJSON.h>.

set(dep_version 1.7)
set(dep_pkg_config libcjson)

set(dep_can_build TRUE)
set(dep_cmake_args
    -DENABLE_CJSON_TEST=OFF
    -DENABLE_CUSTOM_COMPILER_FLAGS=OFF
    -DENABLE_PUBLIC_SYMBOLS=OFF
    -DENABLE_HIDDEN_SYMBOLS=ON
    -DENABLE_TARGET_EXPORT=OFF)
set(dep_library libcjson.a)
# Its header would otherwise mark the functions for export from our DLL.
set(dep_definitions CJSON_HIDE_SYMBOLS)
