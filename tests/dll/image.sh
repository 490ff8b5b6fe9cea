#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   image.sh OBJDUMP DLL
#
# Reads dosvc.dll as a file: it must export its five entry points and nothing else, import system
# DLLs only, carry a version resource and a type library, and have ASLR, DEP and (x64) high-entropy
# addresses. Works for every bitness, since nothing is run.
set -eu

objdump=$1
dll=$2
failed=0
fail()
{
    echo "image.sh: $*" >&2
    failed=1
}

headers=$("$objdump" -p "$dll")

wanted="DllCanUnloadNow DllGetClassObject DllInstall DllRegisterServer DllUnregisterServer"
found=$(echo "$headers" | sed -n '/\[Ordinal\/Name Pointer\] Table/,/^$/s/^[[:space:]]*\[ *[0-9]*\] \(+base\[ *[0-9]*\] *[0-9a-f]* \)\{0,1\}//p' | sort | tr '\n' ' ')
[ "$found" = "$wanted " ] || fail "exports are: $found"

for import in $(echo "$headers" | sed -n 's/^[[:space:]]*DLL Name: //p' | tr 'A-Z' 'a-z'); do
    case $import in
    advapi32.dll | bcrypt.dll | crypt32.dll | iphlpapi.dll | kernel32.dll | msvcrt.dll | \
        normaliz.dll | ole32.dll | oleaut32.dll | secur32.dll | winhttp.dll | ws2_32.dll) ;;
    *) fail "imports $import" ;;
    esac
done

for flag in DYNAMIC_BASE NX_COMPAT; do
    echo "$headers" | grep -q "$flag" || fail "$flag is not set"
done
if echo "$headers" | grep -q pei-x86-64; then
    echo "$headers" | grep -q HIGH_ENTROPY_VA || fail "HIGH_ENTROPY_VA is not set"
fi

echo "$headers" | grep -q 'Entry: ID: 0x000010,' || fail "there is no version resource"
echo "$headers" | grep -q 'TYPELIB' || fail "there is no type library"
exit "$failed"
