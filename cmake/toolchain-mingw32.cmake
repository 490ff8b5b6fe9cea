# SPDX-License-Identifier: MIT
#
# Builds for 32-bit Windows with mingw-w64. Build only: 32-bit Wine is not assumed to be there.

set(CMAKE_SYSTEM_PROCESSOR i686)
set(dosvc_triplet i686-w64-mingw32)
include(${CMAKE_CURRENT_LIST_DIR}/toolchain-mingw-common.cmake)
