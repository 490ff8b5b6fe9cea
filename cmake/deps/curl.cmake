# SPDX-License-Identifier: MIT
#
# How dosvc::curl is found or built (see Dependencies.cmake). Ours: HTTP and HTTPS only, Schannel,
# SSPI (NTLM, Negotiate) but libcurl's own Digest, Windows IDN, threaded resolver, IPv6; UNICODE so
# that user names are UTF-8.

# 7.85: CURLOPT_PROTOCOLS_STR; 7.80: CURLOPT_PREREQFUNCTION.
set(dep_version 7.85)
set(dep_find_package CURL)
set(dep_find_target CURL::libcurl)
set(dep_pkg_config libcurl)

# We verify certificates through Schannel: a curl with another TLS library is of no use on Windows.
if(WIN32)
    find_program(DOSVC_CURL_CONFIG NAMES curl-config NO_DEFAULT_PATH
        PATHS ${CMAKE_FIND_ROOT_PATH} ${CMAKE_PREFIX_PATH} PATH_SUFFIXES bin)
    mark_as_advanced(DOSVC_CURL_CONFIG)
    set(backends)
    if(DOSVC_CURL_CONFIG)
        execute_process(COMMAND ${DOSVC_CURL_CONFIG} --ssl-backends
            OUTPUT_VARIABLE backends ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    endif()
    if(NOT backends STREQUAL "Schannel")
        set(dep_find_package)
        set(dep_pkg_config)
    endif()
endif()

if(WIN32)
    set(dep_can_build TRUE)
endif()
set(dep_edit ${dosvc_deps_dir}/curl/edit.cmake)
set(dep_cmake_args
    -DBUILD_CURL_EXE=OFF
    -DBUILD_TESTING=OFF
    -DENABLE_MANUAL=OFF
    -DHTTP_ONLY=ON
    -DCURL_USE_SCHANNEL=ON
    -DCURL_WINDOWS_SSPI=ON
    -DCURL_CA_BUNDLE=none
    -DCURL_CA_PATH=none
    -DUSE_WIN32_IDN=ON
    -DUSE_LIBIDN2=OFF
    -DENABLE_IPV6=ON
    -DENABLE_THREADED_RESOLVER=ON
    -DENABLE_UNICODE=ON
    -DENABLE_UNIX_SOCKETS=OFF
    -DCURL_TARGET_WINDOWS_VERSION=0x0601
    -DCURL_ZLIB=OFF
    -DCURL_BROTLI=OFF
    -DCURL_ZSTD=OFF
    -DCURL_USE_LIBPSL=OFF
    -DCURL_USE_LIBSSH=OFF
    -DCURL_USE_LIBSSH2=OFF
    -DCURL_USE_GSSAPI=OFF
    -DUSE_NGHTTP2=OFF)
# curl_multi_poll looks at its sockets with select(), which on Windows drops those beyond
# FD_SETSIZE, by default 64.
set(dep_c_flags "-DFD_SETSIZE=512")
set(dep_library libcurl.a)
set(dep_definitions CURL_STATICLIB)
set(dep_link_libraries ws2_32 crypt32 bcrypt secur32 advapi32 normaliz)
