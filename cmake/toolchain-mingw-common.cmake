# SPDX-License-Identifier: MIT
#
# What the two mingw toolchain files share; they set dosvc_triplet first. Looks for headers,
# libraries and packages only under the triplet's own folders, so that nothing of the build machine
# is linked in.

cmake_policy(SET CMP0057 NEW) # if(IN_LIST), also in projects that ask for an old CMake

set(CMAKE_SYSTEM_NAME Windows)

# Debian has two thread models: -posix is the one that we test.
find_program(CMAKE_C_COMPILER NAMES ${dosvc_triplet}-gcc-posix ${dosvc_triplet}-gcc REQUIRED)
find_program(CMAKE_CXX_COMPILER NAMES ${dosvc_triplet}-g++-posix ${dosvc_triplet}-g++)
find_program(CMAKE_RC_COMPILER NAMES ${dosvc_triplet}-windres REQUIRED)

# Debian's layout, then Fedora's.
foreach(root IN ITEMS /usr/${dosvc_triplet} /usr/${dosvc_triplet}/sys-root/mingw)
    if(IS_DIRECTORY ${root} AND NOT root IN_LIST CMAKE_FIND_ROOT_PATH)
        list(APPEND CMAKE_FIND_ROOT_PATH ${root})
    endif()
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# pkg-config knows nothing of the root path: give it the same folders and no others.
set(pkgconfig_dirs)
foreach(root IN LISTS CMAKE_FIND_ROOT_PATH)
    list(APPEND pkgconfig_dirs ${root}/lib/pkgconfig ${root}/share/pkgconfig)
endforeach()
list(JOIN pkgconfig_dirs ":" pkgconfig_dirs)
set(ENV{PKG_CONFIG_LIBDIR} ${pkgconfig_dirs})
set(ENV{PKG_CONFIG_PATH} "")
