/*
 * SPDX-License-Identifier: MIT
 *
 * The binary contract, checked by the compiler: size and offsets of every structure for x86 and
 * x64, every enumeration value and constant, every error code, and the slot of every method. The
 * numbers are written out, not taken from the IDL: if this does not compile, clients would break.
 */

#include <DeliveryOptimization.h>
#include <DeliveryOptimizationErrors.h>

#include <stddef.h>

#define IS_64 (sizeof(void *) == 8)

/** A structure has this size on x86 and x64. */
#define SIZE(type, x86, x64) _Static_assert(sizeof(type) == (IS_64 ? (x64) : (x86)), #type)

/** A member has this offset on x86 and x64. */
#define OFFSET(type, member, x86, x64)                                                             \
    _Static_assert(offsetof(type, member) == (IS_64 ? (x64) : (x86)), #type "." #member)

/** A constant has this value. */
#define VALUE(name, value) _Static_assert((name) == (value), #name)

/** A constant of 32 bits has this pattern, whatever its sign. */
#define PATTERN(name, value) _Static_assert((DWORD)(name) == (value), #name)

/** An error code has this value and is an HRESULT. */
#define CODE(name, value)                                                                          \
    _Static_assert((name) == (HRESULT)(value), #name);                                             \
    _Static_assert(_Generic((name), HRESULT : 1, default : 0), #name " is an HRESULT")

/** A method is in this slot; QueryInterface, AddRef and Release are 0 to 2. */
#define SLOT(type, method, slot)                                                                   \
    _Static_assert(offsetof(type##Vtbl, method) == (slot) * sizeof(void *), #type "::" #method)

/** An interface has this many slots. */
#define SLOTS(type, count) _Static_assert(sizeof(type##Vtbl) == (count) * sizeof(void *), #type)

/* Structures. */

SIZE(DO_DOWNLOAD_RANGE, 16, 16);
OFFSET(DO_DOWNLOAD_RANGE, Offset, 0, 0);
OFFSET(DO_DOWNLOAD_RANGE, Length, 8, 8);

SIZE(DO_DOWNLOAD_RANGES_INFO, 24, 24);
OFFSET(DO_DOWNLOAD_RANGES_INFO, RangeCount, 0, 0);
OFFSET(DO_DOWNLOAD_RANGES_INFO, Ranges, 8, 8);

SIZE(DO_DOWNLOAD_STATUS, 32, 32);
OFFSET(DO_DOWNLOAD_STATUS, BytesTotal, 0, 0);
OFFSET(DO_DOWNLOAD_STATUS, BytesTransferred, 8, 8);
OFFSET(DO_DOWNLOAD_STATUS, State, 16, 16);
OFFSET(DO_DOWNLOAD_STATUS, Error, 20, 20);
OFFSET(DO_DOWNLOAD_STATUS, ExtendedError, 24, 24);

SIZE(DO_DOWNLOAD_ENUM_CATEGORY, 8, 16);
OFFSET(DO_DOWNLOAD_ENUM_CATEGORY, Property, 0, 0);
OFFSET(DO_DOWNLOAD_ENUM_CATEGORY, Value, 4, 8);

SIZE(BG_FILE_RANGE, 16, 16);
OFFSET(BG_FILE_RANGE, InitialOffset, 0, 0);
OFFSET(BG_FILE_RANGE, Length, 8, 8);

SIZE(BG_FILE_PROGRESS, 24, 24);
OFFSET(BG_FILE_PROGRESS, BytesTotal, 0, 0);
OFFSET(BG_FILE_PROGRESS, BytesTransferred, 8, 8);
OFFSET(BG_FILE_PROGRESS, Completed, 16, 16);

SIZE(BG_JOB_PROGRESS, 24, 24);
OFFSET(BG_JOB_PROGRESS, BytesTotal, 0, 0);
OFFSET(BG_JOB_PROGRESS, BytesTransferred, 8, 8);
OFFSET(BG_JOB_PROGRESS, FilesTotal, 16, 16);
OFFSET(BG_JOB_PROGRESS, FilesTransferred, 20, 20);

SIZE(BG_JOB_REPLY_PROGRESS, 16, 16);
OFFSET(BG_JOB_REPLY_PROGRESS, BytesTotal, 0, 0);
OFFSET(BG_JOB_REPLY_PROGRESS, BytesTransferred, 8, 8);

SIZE(BG_JOB_TIMES, 24, 24);
OFFSET(BG_JOB_TIMES, CreationTime, 0, 0);
OFFSET(BG_JOB_TIMES, ModificationTime, 8, 8);
OFFSET(BG_JOB_TIMES, TransferCompletionTime, 16, 16);

SIZE(BG_FILE_INFO, 8, 16);
OFFSET(BG_FILE_INFO, RemoteName, 0, 0);
OFFSET(BG_FILE_INFO, LocalName, 4, 8);

SIZE(BG_BASIC_CREDENTIALS, 8, 16);
OFFSET(BG_BASIC_CREDENTIALS, UserName, 0, 0);
OFFSET(BG_BASIC_CREDENTIALS, Password, 4, 8);

SIZE(BG_AUTH_CREDENTIALS_UNION, 8, 16);
OFFSET(BG_AUTH_CREDENTIALS_UNION, Basic, 0, 0);

SIZE(BG_AUTH_CREDENTIALS, 16, 24);
OFFSET(BG_AUTH_CREDENTIALS, Target, 0, 0);
OFFSET(BG_AUTH_CREDENTIALS, Scheme, 4, 4);
OFFSET(BG_AUTH_CREDENTIALS, Credentials, 8, 8);

SIZE(BITS_JOB_PROPERTY_VALUE, 16, 16);
OFFSET(BITS_JOB_PROPERTY_VALUE, Dword, 0, 0);
OFFSET(BITS_JOB_PROPERTY_VALUE, ClsID, 0, 0);
OFFSET(BITS_JOB_PROPERTY_VALUE, Enable, 0, 0);
OFFSET(BITS_JOB_PROPERTY_VALUE, Uint64, 0, 0);
OFFSET(BITS_JOB_PROPERTY_VALUE, Target, 0, 0);
_Static_assert(_Alignof(BITS_JOB_PROPERTY_VALUE) == 8, "BITS_JOB_PROPERTY_VALUE");

SIZE(BITS_FILE_PROPERTY_VALUE, 4, 8);
OFFSET(BITS_FILE_PROPERTY_VALUE, String, 0, 0);

SIZE(VARIANT, 16, 24);
OFFSET(VARIANT, vt, 0, 0);
OFFSET(VARIANT, lVal, 8, 8);

SIZE(DOSwarmStats, 128, 136);
OFFSET(DOSwarmStats, fileId, 0, 0);
OFFSET(DOSwarmStats, sourceURL, 4, 8);
OFFSET(DOSwarmStats, fileSize, 8, 16);
OFFSET(DOSwarmStats, totalBytesDownloaded, 16, 24);
OFFSET(DOSwarmStats, bytesFromLanPeers, 24, 32);
OFFSET(DOSwarmStats, bytesFromGroupPeers, 32, 40);
OFFSET(DOSwarmStats, bytesFromInternetPeers, 40, 48);
OFFSET(DOSwarmStats, bytesFromHttp, 48, 56);
OFFSET(DOSwarmStats, bytesFromDoinc, 56, 64);
OFFSET(DOSwarmStats, bytesToLanPeers, 64, 72);
OFFSET(DOSwarmStats, bytesToGroupPeers, 72, 80);
OFFSET(DOSwarmStats, bytesToInternetPeers, 80, 88);
OFFSET(DOSwarmStats, httpConnectionCount, 88, 96);
OFFSET(DOSwarmStats, doincConnectionCount, 92, 100);
OFFSET(DOSwarmStats, lanConnectionCount, 96, 104);
OFFSET(DOSwarmStats, groupConnectionCount, 100, 108);
OFFSET(DOSwarmStats, internetConnectionCount, 104, 112);
OFFSET(DOSwarmStats, downloadDuration, 108, 116);
OFFSET(DOSwarmStats, downloadMode, 112, 120);
OFFSET(DOSwarmStats, status, 116, 124);
OFFSET(DOSwarmStats, isBackground, 120, 128);

/* Enumerations: all have the size of an int. */

SIZE(DODownloadState, 4, 4);
VALUE(DODownloadState_Created, 0);
VALUE(DODownloadState_Transferring, 1);
VALUE(DODownloadState_Transferred, 2);
VALUE(DODownloadState_Finalized, 3);
VALUE(DODownloadState_Aborted, 4);
VALUE(DODownloadState_Paused, 5);

SIZE(DODownloadCostPolicy, 4, 4);
VALUE(DODownloadCostPolicy_Always, 0);
VALUE(DODownloadCostPolicy_Unrestricted, 1);
VALUE(DODownloadCostPolicy_Standard, 2);
VALUE(DODownloadCostPolicy_NoRoaming, 3);
VALUE(DODownloadCostPolicy_NoSurcharge, 4);
VALUE(DODownloadCostPolicy_NoCellular, 5);

SIZE(DODownloadProperty, 4, 4);
VALUE(DODownloadProperty_Id, 0);
VALUE(DODownloadProperty_Uri, 1);
VALUE(DODownloadProperty_ContentId, 2);
VALUE(DODownloadProperty_DisplayName, 3);
VALUE(DODownloadProperty_LocalPath, 4);
VALUE(DODownloadProperty_HttpCustomHeaders, 5);
VALUE(DODownloadProperty_CostPolicy, 6);
VALUE(DODownloadProperty_SecurityFlags, 7);
VALUE(DODownloadProperty_CallbackFreqPercent, 8);
VALUE(DODownloadProperty_CallbackFreqSeconds, 9);
VALUE(DODownloadProperty_NoProgressTimeoutSeconds, 10);
VALUE(DODownloadProperty_ForegroundPriority, 11);
VALUE(DODownloadProperty_BlockingMode, 12);
VALUE(DODownloadProperty_CallbackInterface, 13);
VALUE(DODownloadProperty_StreamInterface, 14);
VALUE(DODownloadProperty_SecurityContext, 15);
VALUE(DODownloadProperty_NetworkToken, 16);
VALUE(DODownloadProperty_CorrelationVector, 17);
VALUE(DODownloadProperty_DecryptionInfo, 18);
VALUE(DODownloadProperty_IntegrityCheckInfo, 19);
VALUE(DODownloadProperty_IntegrityCheckMandatory, 20);
VALUE(DODownloadProperty_TotalSizeBytes, 21);
VALUE(DODownloadProperty_DisallowOnCellular, 22);
VALUE(DODownloadProperty_HttpCustomAuthHeaders, 23);
VALUE(DODownloadProperty_HttpAllowSecureToNonSecureRedirect, 24);
VALUE(DODownloadProperty_NonVolatile, 25);
VALUE(DODownloadProperty_HttpRedirectionTarget, 26);
VALUE(DODownloadProperty_HttpResponseHeaders, 27);
VALUE(DODownloadProperty_HttpServerIPAddress, 28);
VALUE(DODownloadProperty_HttpStatusCode, 29);

SIZE(DownloadMode, 4, 4);
VALUE(DownloadMode_CdnOnly, 0);
VALUE(DownloadMode_Lan, 1);
VALUE(DownloadMode_Group, 2);
VALUE(DownloadMode_Internet, 3);
VALUE(DownloadMode_Simple, 99);
VALUE(DownloadMode_Bypass, 100);

SIZE(SwarmStatus, 4, 4);
VALUE(SwarmStatus_Downloading, 0);
VALUE(SwarmStatus_Complete, 1);
VALUE(SwarmStatus_Caching, 2);
VALUE(SwarmStatus_Paused, 3);

SIZE(DOFilePropertyId, 4, 4);
VALUE(DOFilePropertyId_DecryptionInfo, 0);
VALUE(DOFilePropertyId_IntegrityCheckInfo, 1);
VALUE(DOFilePropertyId_IntegrityCheckMandatory, 2);
VALUE(DOFilePropertyId_DownloadSinkInterface, 3);
VALUE(DOFilePropertyId_DownloadSinkFilePath, 4);
VALUE(DOFilePropertyId_DownloadSinkMemoryStream, 5);
VALUE(DOFilePropertyId_TotalSizeBytes, 6);

SIZE(DOJobPropertyId, 4, 4);
VALUE(DOJobPropertyId_ExtendedErrorInfo, 0);

SIZE(BG_JOB_TYPE, 4, 4);
VALUE(BG_JOB_TYPE_DOWNLOAD, 0);
VALUE(BG_JOB_TYPE_UPLOAD, 1);
VALUE(BG_JOB_TYPE_UPLOAD_REPLY, 2);

SIZE(BG_JOB_STATE, 4, 4);
VALUE(BG_JOB_STATE_QUEUED, 0);
VALUE(BG_JOB_STATE_CONNECTING, 1);
VALUE(BG_JOB_STATE_TRANSFERRING, 2);
VALUE(BG_JOB_STATE_SUSPENDED, 3);
VALUE(BG_JOB_STATE_ERROR, 4);
VALUE(BG_JOB_STATE_TRANSIENT_ERROR, 5);
VALUE(BG_JOB_STATE_TRANSFERRED, 6);
VALUE(BG_JOB_STATE_ACKNOWLEDGED, 7);
VALUE(BG_JOB_STATE_CANCELLED, 8);

SIZE(BG_JOB_PRIORITY, 4, 4);
VALUE(BG_JOB_PRIORITY_FOREGROUND, 0);
VALUE(BG_JOB_PRIORITY_HIGH, 1);
VALUE(BG_JOB_PRIORITY_NORMAL, 2);
VALUE(BG_JOB_PRIORITY_LOW, 3);

SIZE(BG_ERROR_CONTEXT, 4, 4);
VALUE(BG_ERROR_CONTEXT_NONE, 0);
VALUE(BG_ERROR_CONTEXT_UNKNOWN, 1);
VALUE(BG_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 2);
VALUE(BG_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION, 3);
VALUE(BG_ERROR_CONTEXT_LOCAL_FILE, 4);
VALUE(BG_ERROR_CONTEXT_REMOTE_FILE, 5);
VALUE(BG_ERROR_CONTEXT_GENERAL_TRANSPORT, 6);
VALUE(BG_ERROR_CONTEXT_REMOTE_APPLICATION, 7);
VALUE(BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK, 8);

SIZE(BG_JOB_PROXY_USAGE, 4, 4);
VALUE(BG_JOB_PROXY_USAGE_PRECONFIG, 0);
VALUE(BG_JOB_PROXY_USAGE_NO_PROXY, 1);
VALUE(BG_JOB_PROXY_USAGE_OVERRIDE, 2);
VALUE(BG_JOB_PROXY_USAGE_AUTODETECT, 3);

SIZE(BG_AUTH_TARGET, 4, 4);
VALUE(BG_AUTH_TARGET_SERVER, 1);
VALUE(BG_AUTH_TARGET_PROXY, 2);

SIZE(BG_AUTH_SCHEME, 4, 4);
VALUE(BG_AUTH_SCHEME_BASIC, 1);
VALUE(BG_AUTH_SCHEME_DIGEST, 2);
VALUE(BG_AUTH_SCHEME_NTLM, 3);
VALUE(BG_AUTH_SCHEME_NEGOTIATE, 4);
VALUE(BG_AUTH_SCHEME_PASSPORT, 5);

SIZE(BG_CERT_STORE_LOCATION, 4, 4);
VALUE(BG_CERT_STORE_LOCATION_CURRENT_USER, 0);
VALUE(BG_CERT_STORE_LOCATION_LOCAL_MACHINE, 1);
VALUE(BG_CERT_STORE_LOCATION_CURRENT_SERVICE, 2);
VALUE(BG_CERT_STORE_LOCATION_SERVICES, 3);
VALUE(BG_CERT_STORE_LOCATION_USERS, 4);
VALUE(BG_CERT_STORE_LOCATION_CURRENT_USER_GROUP_POLICY, 5);
VALUE(BG_CERT_STORE_LOCATION_LOCAL_MACHINE_GROUP_POLICY, 6);
VALUE(BG_CERT_STORE_LOCATION_LOCAL_MACHINE_ENTERPRISE, 7);

SIZE(BITS_JOB_PROPERTY_ID, 4, 4);
VALUE(BITS_JOB_PROPERTY_ID_COST_FLAGS, 1);
VALUE(BITS_JOB_PROPERTY_NOTIFICATION_CLSID, 2);
VALUE(BITS_JOB_PROPERTY_DYNAMIC_CONTENT, 3);
VALUE(BITS_JOB_PROPERTY_HIGH_PERFORMANCE, 4);
VALUE(BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE, 5);
VALUE(BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS, 7);
VALUE(BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS, 9);
VALUE(BITS_JOB_PROPERTY_ON_DEMAND_MODE, 10);

SIZE(BITS_FILE_PROPERTY_ID, 4, 4);
VALUE(BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, 1);

SIZE(BITS_JOB_TRANSFER_POLICY, 4, 4);
PATTERN(BITS_JOB_TRANSFER_POLICY_ALWAYS, 0x800000FF);
PATTERN(BITS_JOB_TRANSFER_POLICY_NOT_ROAMING, 0x8000007F);
PATTERN(BITS_JOB_TRANSFER_POLICY_NO_SURCHARGE, 0x8000006F);
PATTERN(BITS_JOB_TRANSFER_POLICY_STANDARD, 0x80000067);
PATTERN(BITS_JOB_TRANSFER_POLICY_UNRESTRICTED, 0x80000021);

/* Constants. */

VALUE(DO_LENGTH_TO_EOF, 0xFFFFFFFFFFFFFFFFull);
VALUE(DO_UNKNOWN_FILE_SIZE, 0xFFFFFFFFFFFFFFFFull);
VALUE(BG_LENGTH_TO_EOF, 0xFFFFFFFFFFFFFFFFull);
VALUE(BG_SIZE_UNKNOWN, 0xFFFFFFFFFFFFFFFFull);
VALUE(BG_NOTIFY_JOB_TRANSFERRED, 0x0001);
VALUE(BG_NOTIFY_JOB_ERROR, 0x0002);
VALUE(BG_NOTIFY_DISABLE, 0x0004);
VALUE(BG_NOTIFY_JOB_MODIFICATION, 0x0008);
VALUE(BG_NOTIFY_FILE_TRANSFERRED, 0x0010);
VALUE(BG_NOTIFY_FILE_RANGES_TRANSFERRED, 0x0020);
VALUE(BG_JOB_ENUM_ALL_USERS, 0x0001);
VALUE(BG_TOKEN_LOCAL_FILE, 1);
VALUE(BG_TOKEN_NETWORK, 2);
VALUE(BG_COPY_FILE_OWNER, 1);
VALUE(BG_COPY_FILE_GROUP, 2);
VALUE(BG_COPY_FILE_DACL, 4);
VALUE(BG_COPY_FILE_SACL, 8);
VALUE(BG_COPY_FILE_ALL, 15);
VALUE(BITS_COST_STATE_UNRESTRICTED, 0x1);
VALUE(BITS_COST_STATE_CAPPED_USAGE_UNKNOWN, 0x2);
VALUE(BITS_COST_STATE_BELOW_CAP, 0x4);
VALUE(BITS_COST_STATE_NEAR_CAP, 0x8);
VALUE(BITS_COST_STATE_OVERCAP_CHARGED, 0x10);
VALUE(BITS_COST_STATE_OVERCAP_THROTTLED, 0x20);
VALUE(BITS_COST_STATE_USAGE_BASED, 0x40);
VALUE(BITS_COST_STATE_ROAMING, 0x80);
VALUE(BITS_COST_STATE_RESERVED, 0x40000000);
VALUE(BITS_COST_STATE_TRANSFER_ALWAYS, 0x800000FF);
VALUE(BITS_COST_STATE_TRANSFER_NOT_ROAMING, 0x8000007F);
VALUE(BITS_COST_STATE_TRANSFER_NO_SURCHARGE, 0x8000006F);
VALUE(BITS_COST_STATE_TRANSFER_STANDARD, 0x80000067);
VALUE(BITS_COST_STATE_TRANSFER_UNRESTRICTED, 0x80000021);
VALUE(BITS_COST_OPTION_IGNORE_CONGESTION, 0x80000000);

SIZE(DecryptionInfo_KeyData, 16, 16);
SIZE(DecryptionInfo_EncryptionBufferSize, 42, 42);
SIZE(DecryptionInfo_AlgorithmName, 28, 28);
SIZE(DecryptionInfo_ChainingMode, 26, 26);
SIZE(IntegrityCheckInfo_PiecesHashFileUrl, 36, 36);
SIZE(IntegrityCheckInfo_PiecesHashFileDigest, 42, 42);
SIZE(IntegrityCheckInfo_PiecesHashFileDigestAlgorithm, 60, 60);
SIZE(IntegrityCheckInfo_HashOfHashes, 26, 26);

/* Error codes. */

VALUE(FACILITY_DELIVERY_OPTIMIZATION, 208);
VALUE(DO_ZONE_MASK, 0xF000);
VALUE(DO_TRANSIENT_ZONE_MASK, 0xF800);
VALUE(DO_TRANSIENT_ZONE, 0x3800);
CODE(DO_E_NO_SERVICE, 0x80D01001L);
CODE(DO_E_DOWNLOAD_NO_PROGRESS, 0x80D02002L);
CODE(DO_E_JOB_NOT_FOUND, 0x80D02003L);
CODE(DO_E_JOB_EMPTY, 0x80D02004L);
CODE(DO_E_NO_DOWNLOADS, 0x80D02005L);
CODE(DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED, 0x80D0200BL);
CODE(DO_E_JOB_TOO_OLD, 0x80D0200CL);
CODE(DO_E_LOCALPATH_NOT_SET, 0x80D0200DL);
CODE(DO_E_FILE_NOT_AVAILABLE, 0x80D02010L);
CODE(DO_E_UNKNOWN_PROPERTY_ID, 0x80D02011L);
CODE(DO_E_READ_ONLY_PROPERTY, 0x80D02012L);
CODE(DO_E_INVALID_STATE, 0x80D02013L);
CODE(DO_E_ERROR_INFORMATION_UNAVAILABLE, 0x80D02014L);
CODE(DO_E_WRITE_ONLY_PROPERTY, 0x80D02015L);
CODE(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED, 0x80D02016L);
CODE(DO_E_INTEGRITYCHECKINFO_UNAVAILABLE, 0x80D02017L);
CODE(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED, 0x80D02018L);
CODE(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, 0x80D02019L);
CODE(DO_E_FILE_SIZE_UNKNOWN_HTTP_200, 0x80D0201AL);
CODE(DO_E_FILE_ENCRYPTION_EXPECTED, 0x80D0201BL);
CODE(DO_E_FILE_SIZE_UNKNOWN_HTTP_206, 0x80D0201CL);
CODE(DO_E_FILE_SIZE_UNKNOWN_HTTP_2XX, 0x80D0201DL);
CODE(DO_E_NETWORK_ACCESS_CONSENT_NEEDED, 0x80D0201EL);
CODE(DO_E_DOWNLOAD_NO_URI, 0x80D02200L);
CODE(DO_E_DOWNLOAD_NO_CONTENT_ID, 0x80D02201L);
CODE(DO_E_INVALID_CONTENT_ID, 0x80D02202L);
CODE(DO_E_DOWNLOAD_RANGES_UNEXPECTED, 0x80D02203L);
CODE(DO_E_DOWNLOAD_RANGES_EXPECTED, 0x80D02204L);
CODE(DO_E_NO_DOWNLOAD_PARTICIPATION, 0x80D03001L);
CODE(DO_E_NO_DOWNLOAD_EXTSETTINGS, 0x80D03002L);
CODE(DO_E_BLOCKED_BY_COST_TRANSFER_POLICY, 0x80D03801L);
CODE(DO_E_DOWNLOADMODE_SET_BY_CP, 0x80D03802L);
CODE(DO_E_BLOCKED_BY_CELLULAR_POLICY, 0x80D03803L);
CODE(DO_E_BLOCKED_BY_POWER_STATE, 0x80D03804L);
CODE(DO_E_BLOCKED_BY_NO_NETWORK, 0x80D03805L);
CODE(DO_E_DOWNLOADMODE_SET_BY_POLICY, 0x80D03806L);
CODE(DO_E_BLOCKED_BY_VPN_POLICY, 0x80D03807L);
CODE(DO_E_BLOCKED_BY_CRITICAL_MEMORY_USAGE, 0x80D03808L);
CODE(DO_E_DOWNLOADMODE_SET_BY_CACHE_ABSENCE, 0x80D03809L);
CODE(DO_E_CLOUD_SERVICES_UNREACHABLE, 0x80D0380AL);
CODE(DO_E_DOWNLOADMODE_SET_FOR_UNREG_CALLER, 0x80D0380BL);
CODE(DO_E_DOWNLOADMODE_SET_FOR_SIMPLE_RANGES, 0x80D0380CL);
CODE(DO_E_UNEXPECTED_HTTP_STATUS_2XX, 0x80D0380DL);
CODE(DO_E_HTTP_BLOCKSIZE_MISMATCH, 0x80D05001L);
CODE(DO_E_HTTP_CERT_VALIDATION, 0x80D05002L);
CODE(DO_E_INVALID_RANGE, 0x80D05010L);
CODE(DO_E_INSUFFICIENT_RANGE_SUPPORT, 0x80D05011L);
CODE(DO_E_OVERLAPPING_RANGES, 0x80D05012L);
CODE(DO_E_UPLOADING_BAD_PIECES, 0x80D06800L);
CODE(DO_E_FATAL_CORE_ERROR, 0x80D06802L);
CODE(DO_E_SERVICES_RESPONSE_EMPTY, 0x80D06803L);
CODE(DO_E_BAD_INCOMING_DATA, 0x80D06804L);
CODE(DO_E_BAD_PIECE_HASH, 0x80D06805L);
CODE(DO_E_BAD_PIECE_HASH_NO_BAN, 0x80D06806L);
CODE(DO_E_ALREADY_HAVE_PIECE, 0x80D06807L);
CODE(DO_E_MISSING_PIECE, 0x80D06808L);
CODE(DO_E_METAINFO_CONTENT, 0x80D06809L);
CODE(DO_E_METAINFO_VERSION, 0x80D0680AL);
CODE(DO_E_SWARM_NOT_RUNNING, 0x80D0680BL);
CODE(DO_E_UNRECOGNIZED_CONN, 0x80D0680CL);
CODE(DO_E_PEER_BANNED, 0x80D0680DL);
CODE(DO_E_CONNECT_TO_SELF, 0x80D0680EL);
CODE(DO_E_ALREADY_CONNECTED, 0x80D0680FL);
CODE(DO_E_NO_MORE_CONNECTIONS, 0x80D06810L);
CODE(DO_E_LOST_CONNECTION, 0x80D06811L);
CODE(DO_E_UNRECOGNIZED_SWARM, 0x80D06812L);
CODE(DO_E_INVALID_HANDSHAKE_LEN, 0x80D06813L);
CODE(DO_E_SOCKET_CLOSED, 0x80D06814L);
CODE(DO_E_PEER_MSG_TOO_LONG, 0x80D06815L);
CODE(DO_E_INVALID_PEER_MSG, 0x80D06816L);
CODE(DO_E_PEER_IS_UPLOAD, 0x80D06817L);
CODE(DO_E_PIN_FAIL_NO_PEERING, 0x80D06818L);
CODE(DO_E_DELETE_PINNED_SWARM, 0x80D06819L);
CODE(DO_E_METAINFO_DIGEST_MATCH, 0x80D0681AL);
CODE(DO_E_METAINFO_HOH_MATCH, 0x80D0681BL);
CODE(DO_E_METAINFO_HOH_FINAL_MATCH, 0x80D0681CL);
CODE(DO_E_METAINFO_CONTENT_LENGTH, 0x80D0681DL);
CODE(DO_E_METAINFO_PIECE_SIZE, 0x80D0681EL);
CODE(DO_E_METAINFO_PARSE_HOH, 0x80D0681FL);
CODE(DO_E_METAINFO_PARSE_PIECEHASHES, 0x80D06820L);
CODE(DO_E_METAINFO_PARSE_ONE_PIECEHASH, 0x80D06821L);
CODE(DO_E_METAINFO_FILE_SIZE, 0x80D06822L);

VALUE(IS_DO_TRANSIENT_ERROR(DO_E_BLOCKED_BY_COST_TRANSFER_POLICY), 1);
VALUE(IS_DO_TRANSIENT_ERROR(DO_E_UNEXPECTED_HTTP_STATUS_2XX), 1);
VALUE(IS_DO_TRANSIENT_ERROR(DO_E_NO_DOWNLOAD_EXTSETTINGS), 0);
VALUE(IS_DO_TRANSIENT_ERROR(DO_E_HTTP_BLOCKSIZE_MISMATCH), 0);
VALUE(IS_DO_TRANSIENT_ERROR(0x00D03801), 0);
VALUE(IS_DO_TRANSIENT_ERROR(0x80073801), 0);
VALUE(IS_DO_TRANSIENT_ERROR(S_OK), 0);

/* DO_ERROR_LIST has each code once: a duplicate is a duplicate enumerator. */
#define DO_LISTED(name, text) LISTED_##name,
enum do_listed
{
    DO_ERROR_LIST(DO_LISTED) LISTED_COUNT
};
VALUE(LISTED_COUNT, 82);

/* Slots. */

SLOT(IDOManager, CreateDownload, 3);
SLOT(IDOManager, EnumDownloads, 4);
SLOTS(IDOManager, 5);

SLOT(IDODownload, Start, 3);
SLOT(IDODownload, Pause, 4);
SLOT(IDODownload, Abort, 5);
SLOT(IDODownload, Finalize, 6);
SLOT(IDODownload, GetStatus, 7);
SLOT(IDODownload, GetProperty, 8);
SLOT(IDODownload, SetProperty, 9);
SLOTS(IDODownload, 10);

SLOT(IDODownloadStatusCallback, OnStatusChange, 3);
SLOTS(IDODownloadStatusCallback, 4);

SLOT(IDeliveryOptimizationJob, AddFileWithRanges, 3);
SLOTS(IDeliveryOptimizationJob, 4);

SLOT(IDeliveryOptimizationJob2, AddFile, 3);
SLOT(IDeliveryOptimizationJob2, GetProperty, 4);
SLOT(IDeliveryOptimizationJob2, SetProperty, 5);
SLOTS(IDeliveryOptimizationJob2, 6);

SLOT(IDeliveryOptimizationFile, GetStats, 3);
SLOT(IDeliveryOptimizationFile, GetStats2, 4);
SLOTS(IDeliveryOptimizationFile, 5);

SLOT(IDeliveryOptimizationFile2, GetProperty, 3);
SLOT(IDeliveryOptimizationFile2, SetProperty, 4);
SLOTS(IDeliveryOptimizationFile2, 5);

SLOT(IBackgroundCopyManager, CreateJob, 3);
SLOT(IBackgroundCopyManager, GetJob, 4);
SLOT(IBackgroundCopyManager, EnumJobs, 5);
SLOT(IBackgroundCopyManager, GetErrorDescription, 6);
SLOTS(IBackgroundCopyManager, 7);

SLOT(IBackgroundCopyJob, AddFileSet, 3);
SLOT(IBackgroundCopyJob, AddFile, 4);
SLOT(IBackgroundCopyJob, EnumFiles, 5);
SLOT(IBackgroundCopyJob, Suspend, 6);
SLOT(IBackgroundCopyJob, Resume, 7);
SLOT(IBackgroundCopyJob, Cancel, 8);
SLOT(IBackgroundCopyJob, Complete, 9);
SLOT(IBackgroundCopyJob, GetId, 10);
SLOT(IBackgroundCopyJob, GetType, 11);
SLOT(IBackgroundCopyJob, GetProgress, 12);
SLOT(IBackgroundCopyJob, GetTimes, 13);
SLOT(IBackgroundCopyJob, GetState, 14);
SLOT(IBackgroundCopyJob, GetError, 15);
SLOT(IBackgroundCopyJob, GetOwner, 16);
SLOT(IBackgroundCopyJob, SetDisplayName, 17);
SLOT(IBackgroundCopyJob, GetDisplayName, 18);
SLOT(IBackgroundCopyJob, SetDescription, 19);
SLOT(IBackgroundCopyJob, GetDescription, 20);
SLOT(IBackgroundCopyJob, SetPriority, 21);
SLOT(IBackgroundCopyJob, GetPriority, 22);
SLOT(IBackgroundCopyJob, SetNotifyFlags, 23);
SLOT(IBackgroundCopyJob, GetNotifyFlags, 24);
SLOT(IBackgroundCopyJob, SetNotifyInterface, 25);
SLOT(IBackgroundCopyJob, GetNotifyInterface, 26);
SLOT(IBackgroundCopyJob, SetMinimumRetryDelay, 27);
SLOT(IBackgroundCopyJob, GetMinimumRetryDelay, 28);
SLOT(IBackgroundCopyJob, SetNoProgressTimeout, 29);
SLOT(IBackgroundCopyJob, GetNoProgressTimeout, 30);
SLOT(IBackgroundCopyJob, GetErrorCount, 31);
SLOT(IBackgroundCopyJob, SetProxySettings, 32);
SLOT(IBackgroundCopyJob, GetProxySettings, 33);
SLOT(IBackgroundCopyJob, TakeOwnership, 34);
SLOTS(IBackgroundCopyJob, 35);

SLOT(IBackgroundCopyJob2, SetNotifyCmdLine, 35);
SLOT(IBackgroundCopyJob2, GetNotifyCmdLine, 36);
SLOT(IBackgroundCopyJob2, GetReplyProgress, 37);
SLOT(IBackgroundCopyJob2, GetReplyData, 38);
SLOT(IBackgroundCopyJob2, SetReplyFileName, 39);
SLOT(IBackgroundCopyJob2, GetReplyFileName, 40);
SLOT(IBackgroundCopyJob2, SetCredentials, 41);
SLOT(IBackgroundCopyJob2, RemoveCredentials, 42);
SLOTS(IBackgroundCopyJob2, 43);

SLOT(IBackgroundCopyJob3, ReplaceRemotePrefix, 43);
SLOT(IBackgroundCopyJob3, AddFileWithRanges, 44);
SLOT(IBackgroundCopyJob3, SetFileACLFlags, 45);
SLOT(IBackgroundCopyJob3, GetFileACLFlags, 46);
SLOTS(IBackgroundCopyJob3, 47);

SLOT(IBackgroundCopyJob4, SetPeerCachingFlags, 47);
SLOT(IBackgroundCopyJob4, GetPeerCachingFlags, 48);
SLOT(IBackgroundCopyJob4, GetOwnerIntegrityLevel, 49);
SLOT(IBackgroundCopyJob4, GetOwnerElevationState, 50);
SLOT(IBackgroundCopyJob4, SetMaximumDownloadTime, 51);
SLOT(IBackgroundCopyJob4, GetMaximumDownloadTime, 52);
SLOTS(IBackgroundCopyJob4, 53);

SLOT(IBackgroundCopyJob5, SetProperty, 53);
SLOT(IBackgroundCopyJob5, GetProperty, 54);
SLOTS(IBackgroundCopyJob5, 55);

SLOT(IBackgroundCopyFile, GetRemoteName, 3);
SLOT(IBackgroundCopyFile, GetLocalName, 4);
SLOT(IBackgroundCopyFile, GetProgress, 5);
SLOTS(IBackgroundCopyFile, 6);

SLOT(IBackgroundCopyFile2, GetFileRanges, 6);
SLOT(IBackgroundCopyFile2, SetRemoteName, 7);
SLOTS(IBackgroundCopyFile2, 8);

SLOT(IBackgroundCopyFile3, GetTemporaryName, 8);
SLOT(IBackgroundCopyFile3, SetValidationState, 9);
SLOT(IBackgroundCopyFile3, GetValidationState, 10);
SLOT(IBackgroundCopyFile3, IsDownloadedFromPeer, 11);
SLOTS(IBackgroundCopyFile3, 12);

SLOT(IBackgroundCopyFile4, GetPeerDownloadStats, 12);
SLOTS(IBackgroundCopyFile4, 13);

SLOT(IBackgroundCopyFile5, SetProperty, 13);
SLOT(IBackgroundCopyFile5, GetProperty, 14);
SLOTS(IBackgroundCopyFile5, 15);

SLOT(IBackgroundCopyError, GetError, 3);
SLOT(IBackgroundCopyError, GetFile, 4);
SLOT(IBackgroundCopyError, GetErrorDescription, 5);
SLOT(IBackgroundCopyError, GetErrorContextDescription, 6);
SLOT(IBackgroundCopyError, GetProtocol, 7);
SLOTS(IBackgroundCopyError, 8);

SLOT(IEnumBackgroundCopyFiles, Next, 3);
SLOT(IEnumBackgroundCopyFiles, Skip, 4);
SLOT(IEnumBackgroundCopyFiles, Reset, 5);
SLOT(IEnumBackgroundCopyFiles, Clone, 6);
SLOT(IEnumBackgroundCopyFiles, GetCount, 7);
SLOTS(IEnumBackgroundCopyFiles, 8);

SLOT(IEnumBackgroundCopyJobs, Next, 3);
SLOT(IEnumBackgroundCopyJobs, Skip, 4);
SLOT(IEnumBackgroundCopyJobs, Reset, 5);
SLOT(IEnumBackgroundCopyJobs, Clone, 6);
SLOT(IEnumBackgroundCopyJobs, GetCount, 7);
SLOTS(IEnumBackgroundCopyJobs, 8);

SLOT(IBackgroundCopyCallback, JobTransferred, 3);
SLOT(IBackgroundCopyCallback, JobError, 4);
SLOT(IBackgroundCopyCallback, JobModification, 5);
SLOTS(IBackgroundCopyCallback, 6);

SLOT(IBackgroundCopyCallback2, FileTransferred, 6);
SLOTS(IBackgroundCopyCallback2, 7);

SLOT(IBackgroundCopyJobHttpOptions, SetClientCertificateByID, 3);
SLOT(IBackgroundCopyJobHttpOptions, SetClientCertificateByName, 4);
SLOT(IBackgroundCopyJobHttpOptions, RemoveClientCertificate, 5);
SLOT(IBackgroundCopyJobHttpOptions, GetClientCertificate, 6);
SLOT(IBackgroundCopyJobHttpOptions, SetCustomHeaders, 7);
SLOT(IBackgroundCopyJobHttpOptions, GetCustomHeaders, 8);
SLOT(IBackgroundCopyJobHttpOptions, SetSecurityFlags, 9);
SLOT(IBackgroundCopyJobHttpOptions, GetSecurityFlags, 10);
SLOTS(IBackgroundCopyJobHttpOptions, 11);
