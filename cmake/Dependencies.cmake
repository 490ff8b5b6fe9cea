# SPDX-License-Identifier: MIT
#
# Gives the imported targets dosvc::curl, dosvc::sqlite3, dosvc::cjson and (for tests)
# dosvc::cmocka. A copy that the target system has is taken; else a static one is built here, while
# configuring, from the sources that scripts/setup.sh laid in the cache. What is built stays in the
# cache, in a folder named for all that went into it, so that the next build tree takes it as it is.
# deps/<name>.cmake tell how.

option(DOSVC_SYSTEM_DEPS "Take libraries that the target system has" ON)

if(DEFINED ENV{DOSVC_CACHE})
    set(dosvc_cache_default "$ENV{DOSVC_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(dosvc_cache_default "$ENV{XDG_CACHE_HOME}/dosvc")
else()
    set(dosvc_cache_default "$ENV{HOME}/.cache/dosvc")
endif()
get_filename_component(dosvc_cache_default "${dosvc_cache_default}" ABSOLUTE)
set(DOSVC_CACHE "${dosvc_cache_default}" CACHE PATH "Sources and builds of dependencies")

set(dosvc_deps_dir ${CMAKE_CURRENT_LIST_DIR}/deps)

include(${dosvc_deps_dir}/build.cmake)

# Sets dep_system to the target of the system's own copy, or to nothing.
macro(dosvc_dep_find_system name)
    set(dep_system)
    if(DOSVC_SYSTEM_DEPS AND dep_find_package)
        find_package(${dep_find_package} ${dep_version} QUIET)
        if(TARGET ${dep_find_target})
            set(dep_system ${dep_find_target})
        endif()
    endif()
    if(DOSVC_SYSTEM_DEPS AND dep_pkg_config AND NOT dep_system)
        find_package(PkgConfig QUIET)
        if(PKG_CONFIG_FOUND)
            pkg_check_modules(DOSVC_${name} QUIET IMPORTED_TARGET
                "${dep_pkg_config}>=${dep_version}")
            # Whatever the environment told pkg-config, a cross build takes nothing from this host.
            if(TARGET PkgConfig::DOSVC_${name}
                    AND NOT (CMAKE_CROSSCOMPILING
                        AND DOSVC_${name}_INCLUDEDIR MATCHES "^/usr/include"))
                set(dep_system PkgConfig::DOSVC_${name})
            endif()
        endif()
    endif()
endmacro()

function(dosvc_dependency name)
    foreach(variable IN ITEMS version find_package find_target pkg_config can_build own_cmake
            edit cmake_args c_flags library definitions link_libraries)
        set(dep_${variable})
    endforeach()
    include(${dosvc_deps_dir}/${name}.cmake)

    dosvc_dep_find_system(${name})
    if(dep_system)
        add_library(dosvc::${name} INTERFACE IMPORTED GLOBAL)
        target_link_libraries(dosvc::${name} INTERFACE ${dep_system})
        # <cjson/cJSON.h>: libcjson.pc names only the inner folder.
        set(folder ${DOSVC_${name}_INCLUDEDIR})
        if(folder AND NOT folder IN_LIST CMAKE_C_IMPLICIT_INCLUDE_DIRECTORIES)
            target_include_directories(dosvc::${name} INTERFACE ${folder})
        endif()
        return()
    endif()

    if(NOT dep_can_build)
        message(FATAL_ERROR "${name} ${dep_version} or newer was not found. Run scripts/setup.sh, "
            "or install its development package.")
    endif()
    file(GLOB sources LIST_DIRECTORIES TRUE ${DOSVC_CACHE}/src/${name}-[0-9]*)
    if(NOT sources)
        message(FATAL_ERROR "${name} was not found for ${CMAKE_SYSTEM_NAME}, and its sources are "
            "not in ${DOSVC_CACHE}/src. Run scripts/setup.sh.")
    endif()
    list(SORT sources COMPARE NATURAL ORDER DESCENDING)
    list(GET sources 0 source)
    get_filename_component(source_name ${source} NAME)

    dosvc_dep_key(key ${name} ${source_name})
    string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" target)
    set(prefix ${DOSVC_CACHE}/deps/${target}-${source_name}-${key})
    if(NOT EXISTS ${prefix})
        dosvc_dep_build(${name} ${source} ${prefix})
    endif()

    add_library(dosvc::${name} STATIC IMPORTED GLOBAL)
    set_target_properties(dosvc::${name} PROPERTIES
        IMPORTED_LOCATION ${prefix}/lib/${dep_library}
        INTERFACE_INCLUDE_DIRECTORIES ${prefix}/include
        INTERFACE_COMPILE_DEFINITIONS "${dep_definitions}"
        INTERFACE_LINK_LIBRARIES "${dep_link_libraries}")
endfunction()

foreach(name IN ITEMS curl sqlite3 cjson)
    dosvc_dependency(${name})
endforeach()
if(NOT DEFINED BUILD_TESTING OR BUILD_TESTING)
    dosvc_dependency(cmocka)
endif()
