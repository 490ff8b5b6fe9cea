# SPDX-License-Identifier: MIT
#
# Flags of our own code: warnings are errors, and sanitizers by preset.

set(DOSVC_SANITIZE "" CACHE STRING "Sanitizers of native builds: address,undefined or thread")

add_library(dosvc_flags INTERFACE)
target_compile_options(dosvc_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-qual -Wvla -Wundef -Wformat=2 -Werror
    $<$<COMPILE_LANGUAGE:C>:-Wcast-function-type -Wstrict-prototypes -Wmissing-prototypes
        -Wswitch-enum>
    -fno-strict-overflow)
if(DOSVC_SANITIZE)
    target_compile_options(dosvc_flags INTERFACE
        -fsanitize=${DOSVC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(dosvc_flags INTERFACE -fsanitize=${DOSVC_SANITIZE})
endif()
# Coverage for libFuzzer, whose main the programs of tests/fuzz link.
option(DOSVC_FUZZ "Build only the libFuzzer programs of tests/fuzz; clang alone can" OFF)
if(DOSVC_FUZZ)
    target_compile_options(dosvc_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(WIN32)
    target_compile_definitions(dosvc_flags INTERFACE
        WIN32_LEAN_AND_MEAN STRICT UNICODE _UNICODE COBJMACROS CONST_VTABLE
        _WIN32_WINNT=0x0A00 WINVER=0x0A00 __USE_MINGW_ANSI_STDIO=1)
endif()
