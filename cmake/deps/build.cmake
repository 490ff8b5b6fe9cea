# SPDX-License-Identifier: MIT
#
# Builds one dependency from its source for the target being configured, with CMake, as its recipe's
# dep_* variables say (see ../Dependencies.cmake, which includes this).

# Runs one step of a build; its output goes to a log, shown when the step fails.
function(dosvc_dep_run name log)
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env --unset=CC --unset=CXX --unset=CFLAGS --unset=CXXFLAGS
            --unset=CPPFLAGS --unset=LDFLAGS --unset=DESTDIR ${ARGN}
        OUTPUT_FILE ${log} ERROR_FILE ${log} RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        file(READ ${log} text)
        string(LENGTH "${text}" length)
        if(length GREATER 6000)
            math(EXPR begin "${length} - 6000")
            string(SUBSTRING "${text}" ${begin} -1 text)
        endif()
        message(FATAL_ERROR "Building ${name} failed (whole log: ${log}):\n${text}")
    endif()
endfunction()

# Everything that decides what a build gives, as one short hash.
function(dosvc_dep_key out name source)
    execute_process(COMMAND ${CMAKE_C_COMPILER} --version OUTPUT_VARIABLE compiler)
    execute_process(COMMAND ${CMAKE_C_COMPILER} -dumpmachine OUTPUT_VARIABLE machine)
    set(text "${source}\n${CMAKE_C_COMPILER}\n${compiler}\n${machine}\n${CMAKE_VERSION}\n")
    set(files ${dosvc_deps_dir}/build.cmake ${dosvc_deps_dir}/${name}.cmake)
    if(dep_own_cmake)
        list(APPEND files ${dep_own_cmake}/CMakeLists.txt)
    endif()
    if(dep_edit)
        list(APPEND files ${dep_edit})
    endif()
    if(CMAKE_TOOLCHAIN_FILE)
        get_filename_component(folder ${CMAKE_TOOLCHAIN_FILE} DIRECTORY)
        list(APPEND files ${CMAKE_TOOLCHAIN_FILE})
        if(EXISTS ${folder}/toolchain-mingw-common.cmake)
            list(APPEND files ${folder}/toolchain-mingw-common.cmake)
        endif()
    endif()
    foreach(file IN LISTS files)
        file(SHA256 ${file} hash)
        string(APPEND text "${hash}\n")
    endforeach()
    # A changed recipe must lead to a new configure run.
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
    string(SHA256 key "${text}")
    string(SUBSTRING ${key} 0 12 key)
    set(${out} ${key} PARENT_SCOPE)
endfunction()

# Builds into `prefix`, which appears only when complete: installed beside it, then renamed.
function(dosvc_dep_build name source prefix)
    get_filename_component(folder ${prefix} DIRECTORY)
    get_filename_component(leaf ${prefix} NAME)
    file(MAKE_DIRECTORY ${folder})
    string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" target)
    file(LOCK ${folder}/lock-${target} GUARD FUNCTION)
    if(EXISTS ${prefix})
        return()
    endif()
    message(STATUS "Building ${leaf}")
    set(work ${folder}/unfinished-${leaf})
    file(REMOVE_RECURSE ${work})
    file(MAKE_DIRECTORY ${work})

    # The sources in the cache are for every target and every recipe: only a copy is edited.
    if(dep_edit)
        dosvc_dep_run(${name} ${work}/edit.log
            ${CMAKE_COMMAND} -E copy_directory ${source} ${work}/source)
        dosvc_dep_run(${name} ${work}/edit.log
            ${CMAKE_COMMAND} -DSOURCE=${work}/source -P ${dep_edit})
        set(source ${work}/source)
    endif()

    set(cmake_dir ${source})
    if(dep_own_cmake)
        set(cmake_dir ${dep_own_cmake})
    endif()
    set(args
        -G ${CMAKE_GENERATOR}
        -DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM}
        -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}
        -DCMAKE_BUILD_TYPE=Release
        "-DCMAKE_C_FLAGS_RELEASE=-O2 ${dep_c_flags}"
        -DCMAKE_INSTALL_PREFIX=${prefix}
        -DCMAKE_INSTALL_LIBDIR=lib
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON
        -DBUILD_SHARED_LIBS=OFF
        -DDEP_SOURCE_DIR=${source}
        ${dep_cmake_args})
    if(CMAKE_TOOLCHAIN_FILE)
        list(APPEND args -DCMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE})
    endif()
    cmake_host_system_information(RESULT jobs QUERY NUMBER_OF_LOGICAL_CORES)
    dosvc_dep_run(${name} ${work}/configure.log
        ${CMAKE_COMMAND} -S ${cmake_dir} -B ${work}/build -Wno-dev ${args})
    dosvc_dep_run(${name} ${work}/build.log
        ${CMAKE_COMMAND} --build ${work}/build --config Release --parallel ${jobs})
    dosvc_dep_run(${name} ${work}/install.log
        DESTDIR=${work}/stage ${CMAKE_COMMAND} --install ${work}/build --config Release)
    if(NOT EXISTS ${work}/stage${prefix}/lib/${dep_library})
        message(FATAL_ERROR "Building ${name} gave no ${dep_library} in ${work}/stage${prefix}")
    endif()
    file(RENAME ${work}/stage${prefix} ${prefix})
    file(REMOVE_RECURSE ${work})
endfunction()
