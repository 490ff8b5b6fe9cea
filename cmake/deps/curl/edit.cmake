# SPDX-License-Identifier: MIT
#
#   cmake -DSOURCE=<copy of libcurl's sources> -P edit.cmake
#
# HTTP Digest by libcurl itself while SSPI goes on doing NTLM and Negotiate. With SSPI libcurl would
# ask for the package WDigest, which Wine 8 lacks, and which on Windows knows MD5 alone. Libcurl has
# code of its own for builds without SSPI; one condition, USE_WINDOWS_SSPI, decides about all three.
# Where it is about Digest it gets another name here, which nobody defines. A place that is not
# found ends the build.

set(condition USE_WINDOWS_SSPI)
set(never DOSVC_DIGEST_BY_SSPI)

function(read_source out name)
    if(NOT EXISTS ${SOURCE}/lib/${name})
        message(FATAL_ERROR "libcurl has no lib/${name}: look at ${CMAKE_CURRENT_LIST_FILE}")
    endif()
    file(READ ${SOURCE}/lib/${name} text)
    set(${out} "${text}" PARENT_SCOPE)
endfunction()

# Replaces what must be there exactly `count` times.
function(replace out text from to count name)
    string(REPLACE "${from}" "" without "${text}")
    string(LENGTH "${text}" length)
    string(LENGTH "${without}" shorter)
    string(LENGTH "${from}" each)
    math(EXPR found "(${length} - ${shorter}) / ${each}")
    if(NOT found EQUAL count)
        message(FATAL_ERROR "lib/${name} has \"${from}\" ${found} times, not ${count}: "
            "look at ${CMAKE_CURRENT_LIST_FILE}")
    endif()
    string(REPLACE "${from}" "${to}" text "${text}")
    set(${out} "${text}" PARENT_SCOPE)
endfunction()

# These are about nothing but Digest. The counts include the comment behind an #endif.
foreach(row IN ITEMS vauth/digest.c=3 vauth/digest_sspi.c=2 http_digest.c=1)
    string(REGEX MATCH "^(.*)=(.*)$" row "${row}")
    set(name ${CMAKE_MATCH_1})
    read_source(text ${name})
    replace(text "${text}" ${condition} ${never} ${CMAKE_MATCH_2} ${name})
    if(name STREQUAL "vauth/digest.c")
        # The only use is for mail protocols; with SSPI it would give wide characters.
        replace(text "${text}" "Curl_auth_build_spn(service, realm, NULL)"
            "aprintf(\"%s/%s\", service, realm)" 1 ${name})
    endif()
    file(WRITE ${SOURCE}/lib/${name} "${text}")
endforeach()

# The same struct for everybody.
set(begin "struct digestdata {\n#if defined(")
read_source(text urldata.h)
replace(text "${text}" "${begin}${condition})" "${begin}${never})" 1 urldata.h)
file(WRITE ${SOURCE}/lib/urldata.h "${text}")
