# SPDX-License-Identifier: MIT
#
# Builds for 64-bit Windows with mingw-w64; programs of the build and tests run under Wine.

set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(dosvc_triplet x86_64-w64-mingw32)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-mingw-common.cmake)

find_program(DOSVC_WINE NAMES wine wine64 PATHS /usr/lib/wine)
mark_as_advanced(DOSVC_WINE)
if(DOSVC_WINE)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${DOSVC_WINE})
endif()
