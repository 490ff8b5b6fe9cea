# SPDX-License-Identifier: MIT
#
# How dosvc::sqlite3 is found or built (see Dependencies.cmake); sqlite3/CMakeLists.txt builds it.

# 3.37: STRICT tables; 3.35: RETURNING.
set(dep_version 3.37)
set(dep_find_package SQLite3)
set(dep_find_target SQLite::SQLite3)
set(dep_pkg_config sqlite3)

set(dep_can_build TRUE)
set(dep_own_cmake ${CMAKE_CURRENT_LIST_DIR}/sqlite3)
set(dep_library libsqlite3.a)
if(NOT WIN32)
    find_package(Threads REQUIRED)
    set(dep_link_libraries Threads::Threads m)
endif()
