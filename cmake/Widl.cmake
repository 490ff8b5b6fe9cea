# SPDX-License-Identifier: MIT
#
# Turns idl/*.idl into headers, IID definitions and the type library with widl, and defines
#
#   dosvc_headers  INTERFACE library: DeliveryOptimization.h, BackgroundCopy.h (generated into
#                  ${CMAKE_BINARY_DIR}/include) and DeliveryOptimizationErrors.h; linking it makes a
#                  target wait for the generation
#   dosvc_iids     STATIC library: every IID_*, CLSID_ and LIBID_DeliveryOptimization
#   DOSVC_TYPELIB  variable: path of the type library, made by the target dosvc_idl
#
# For Windows targets only. Include it from the top-level CMakeLists.txt after project().

if(NOT WIN32)
    message(FATAL_ERROR "Widl.cmake is for Windows targets")
endif()

if(CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(DOSVC_WIDL_TARGET --win64)
    set(dosvc_widl_name x86_64-w64-mingw32-widl)
else()
    set(DOSVC_WIDL_TARGET --win32)
    set(dosvc_widl_name i686-w64-mingw32-widl)
endif()

# NO_CMAKE_FIND_ROOT_PATH: the compiler runs here, and its .idl files are not the target's.
find_program(DOSVC_WIDL NAMES ${dosvc_widl_name} widl NO_CMAKE_FIND_ROOT_PATH
    DOC "The IDL compiler widl for the target")
find_path(DOSVC_WIDL_INCLUDE_DIR oaidl.idl NO_CMAKE_FIND_ROOT_PATH
    PATHS /usr/include/wine/wine/windows /usr/include/wine/windows
          /opt/wine-stable/include/wine/windows
    DOC "Directory of oaidl.idl and unknwn.idl (Debian: libwine-dev)")
if(NOT DOSVC_WIDL)
    message(FATAL_ERROR "${dosvc_widl_name} is missing (Debian: mingw-w64-tools)")
endif()
if(NOT DOSVC_WIDL_INCLUDE_DIR)
    message(FATAL_ERROR "oaidl.idl is missing (Debian: libwine-dev)")
endif()

# dosvc_widl(<output> MODE <-h|-u|-t|...> IDL <file> [DEPENDS <file>...])
#
# Adds the rule that makes one <output> (absolute) from IDL. DEPENDS names the project's .idl files
# that IDL imports: widl writes no dependency files.
function(dosvc_widl output)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODE;IDL" "DEPENDS")
    if(NOT arg_MODE OR NOT arg_IDL OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "dosvc_widl: MODE and IDL are needed, ${arg_UNPARSED_ARGUMENTS} is not")
    endif()
    get_filename_component(directory ${output} DIRECTORY)
    get_filename_component(name ${output} NAME)
    file(MAKE_DIRECTORY ${directory})
    add_custom_command(
        OUTPUT ${output}
        COMMAND ${DOSVC_WIDL} -Oicf ${DOSVC_WIDL_TARGET} -I${CMAKE_SOURCE_DIR}/idl
                -I${DOSVC_WIDL_INCLUDE_DIR} ${arg_MODE} -o ${output} ${arg_IDL}
        DEPENDS ${arg_IDL} ${arg_DEPENDS}
        COMMENT "widl ${name}"
        VERBATIM)
endfunction()

set(dosvc_include_dir ${CMAKE_BINARY_DIR}/include)
set(dosvc_gen_dir ${CMAKE_BINARY_DIR}/gen)
set(dosvc_bits_idl ${CMAKE_SOURCE_DIR}/idl/BackgroundCopy.idl)
set(dosvc_do_idl ${CMAKE_SOURCE_DIR}/idl/DeliveryOptimization.idl)
set(DOSVC_TYPELIB ${dosvc_gen_dir}/DeliveryOptimization.tlb)

dosvc_widl(${dosvc_include_dir}/BackgroundCopy.h MODE -h IDL ${dosvc_bits_idl})
dosvc_widl(${dosvc_include_dir}/DeliveryOptimization.h MODE -h IDL ${dosvc_do_idl}
    DEPENDS ${dosvc_bits_idl})
dosvc_widl(${dosvc_gen_dir}/BackgroundCopy_i.c MODE -u IDL ${dosvc_bits_idl})
dosvc_widl(${dosvc_gen_dir}/DeliveryOptimization_i.c MODE -u IDL ${dosvc_do_idl}
    DEPENDS ${dosvc_bits_idl})
dosvc_widl(${DOSVC_TYPELIB} MODE -t IDL ${dosvc_do_idl} DEPENDS ${dosvc_bits_idl})

add_custom_target(dosvc_idl ALL DEPENDS
    ${dosvc_include_dir}/BackgroundCopy.h
    ${dosvc_include_dir}/DeliveryOptimization.h
    ${DOSVC_TYPELIB})

add_library(dosvc_headers INTERFACE)
add_dependencies(dosvc_headers dosvc_idl)
target_include_directories(dosvc_headers SYSTEM INTERFACE ${dosvc_include_dir})
target_include_directories(dosvc_headers INTERFACE ${CMAKE_SOURCE_DIR}/include)

add_library(dosvc_iids STATIC
    ${dosvc_gen_dir}/BackgroundCopy_i.c
    ${dosvc_gen_dir}/DeliveryOptimization_i.c)
target_link_libraries(dosvc_iids PUBLIC dosvc_headers)
