/*
 * SPDX-License-Identifier: MIT
 *
 * The errors of Delivery Optimization: every DO_E_* code, the macros that sort them, and one
 * English sentence for each. DO_ERROR_LIST is the single source of the texts that the DLL returns.
 * The values are those of Windows, the words are ours. Needs nothing but a type HRESULT (int32_t
 * will do), which whoever expands a code must have declared: so the header works without Windows'
 * own.
 */

#ifndef DO_DELIVERYOPTIMIZATIONERRORS_H
#define DO_DELIVERYOPTIMIZATIONERRORS_H

/** The facility of all codes below, 0xD0: they look like 0x80D0xxxx. */
#ifndef FACILITY_DELIVERY_OPTIMIZATION
#define FACILITY_DELIVERY_OPTIMIZATION 208
#endif

/** The bits of a code (its lower 16) that name its zone. */
#define DO_ZONE_MASK 0xF000

/** The bits that tell whether a code is in the transient zone, */
#define DO_TRANSIENT_ZONE_MASK 0xF800

/** and their value when it is. */
#define DO_TRANSIENT_ZONE 0x3800

/**
 * Whether hr names a condition that may pass by itself: no network, cost, power and the like.
 * Evaluates its argument once.
 */
#define IS_DO_TRANSIENT_ERROR(hr)                                                                  \
    (((unsigned int)(hr) & (0xFFFF0000u | DO_TRANSIENT_ZONE_MASK)) ==                              \
        (0x80000000u | ((unsigned int)FACILITY_DELIVERY_OPTIMIZATION << 16) | DO_TRANSIENT_ZONE))

/* Service. */

/** The service cannot be provided: disabled, not running or not reachable. */
#define DO_E_NO_SERVICE ((HRESULT)0x80D01001L)

/* Jobs, downloads and their properties. */

/** No byte arrived within the no-progress time; the final Error of such a download. */
#define DO_E_DOWNLOAD_NO_PROGRESS ((HRESULT)0x80D02002L)

/** GetJob with an id that is not in the queue. The win32 docs call it DO_E_NOT_FOUND. */
#define DO_E_JOB_NOT_FOUND ((HRESULT)0x80D02003L)

/** Resume on a job without files. The win32 docs call it DO_E_EMPTY. */
#define DO_E_JOB_EMPTY ((HRESULT)0x80D02004L)

/** EnumDownloads found nothing. */
#define DO_E_NO_DOWNLOADS ((HRESULT)0x80D02005L)

/** A memory stream was asked for as the target. */
#define DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED ((HRESULT)0x80D0200BL)

/** The job was neither completed nor cancelled within the maximum age. */
#define DO_E_JOB_TOO_OLD ((HRESULT)0x80D0200CL)

/** A path is needed but none was set. */
#define DO_E_LOCALPATH_NOT_SET ((HRESULT)0x80D0200DL)

/** IBackgroundCopyError::GetFile for an error that belongs to no file. */
#define DO_E_FILE_NOT_AVAILABLE ((HRESULT)0x80D02010L)

/** Get or set of a property that does not exist here. */
#define DO_E_UNKNOWN_PROPERTY_ID ((HRESULT)0x80D02011L)

/** Set of a property that can only be read. */
#define DO_E_READ_ONLY_PROPERTY ((HRESULT)0x80D02012L)

/** The call is not allowed in the current state. */
#define DO_E_INVALID_STATE ((HRESULT)0x80D02013L)

/** GetError on a job that is not in error. */
#define DO_E_ERROR_INFORMATION_UNAVAILABLE ((HRESULT)0x80D02014L)

/** Get of a property that can only be set. */
#define DO_E_WRITE_ONLY_PROPERTY ((HRESULT)0x80D02015L)

/** An integrity check is mandatory but its data was not given. */
#define DO_E_INTEGRITYCHECKINFO_UNSPECIFIED ((HRESULT)0x80D02016L)

/** An integrity check is mandatory but its hash file cannot be fetched. */
#define DO_E_INTEGRITYCHECKINFO_UNAVAILABLE ((HRESULT)0x80D02017L)

/** Start without a file path and without a stream. */
#define DO_E_FILE_DOWNLOADSINK_UNSPECIFIED ((HRESULT)0x80D02018L)

/** A second target of another kind was set. */
#define DO_E_FILE_DOWNLOADSINK_ALREADY_SET ((HRESULT)0x80D02019L)

/** A 200 response does not tell the size. */
#define DO_E_FILE_SIZE_UNKNOWN_HTTP_200 ((HRESULT)0x80D0201AL)

/** A key was given but the content is not encrypted with it. */
#define DO_E_FILE_ENCRYPTION_EXPECTED ((HRESULT)0x80D0201BL)

/** A 206 response does not tell the whole size. */
#define DO_E_FILE_SIZE_UNKNOWN_HTTP_206 ((HRESULT)0x80D0201CL)

/** Another 2xx response does not tell the size. */
#define DO_E_FILE_SIZE_UNKNOWN_HTTP_2XX ((HRESULT)0x80D0201DL)

/** The user must first agree to network use. */
#define DO_E_NETWORK_ACCESS_CONSENT_NEEDED ((HRESULT)0x80D0201EL)

/** Start without a Uri. */
#define DO_E_DOWNLOAD_NO_URI ((HRESULT)0x80D02200L)

/** Start without a ContentId where one is needed. */
#define DO_E_DOWNLOAD_NO_CONTENT_ID ((HRESULT)0x80D02201L)

/** The ContentId is malformed. */
#define DO_E_INVALID_CONTENT_ID ((HRESULT)0x80D02202L)

/** Ranges were given where none are allowed. */
#define DO_E_DOWNLOAD_RANGES_UNEXPECTED ((HRESULT)0x80D02203L)

/** Ranges are missing; stream downloads up to Windows 11 22H2. */
#define DO_E_DOWNLOAD_RANGES_EXPECTED ((HRESULT)0x80D02204L)

/* Settings that forbid a download. */

/** Participation rules hold the download back. */
#define DO_E_NO_DOWNLOAD_PARTICIPATION ((HRESULT)0x80D03001L)

/** Settings of the user or the administrator forbid it. */
#define DO_E_NO_DOWNLOAD_EXTSETTINGS ((HRESULT)0x80D03002L)

/* Conditions that may pass (IS_DO_TRANSIENT_ERROR). */

/** The cost policy does not allow the present network. */
#define DO_E_BLOCKED_BY_COST_TRANSFER_POLICY ((HRESULT)0x80D03801L)

/** The content's policy restricts the download mode. */
#define DO_E_DOWNLOADMODE_SET_BY_CP ((HRESULT)0x80D03802L)

/** Not allowed on a cellular network. */
#define DO_E_BLOCKED_BY_CELLULAR_POLICY ((HRESULT)0x80D03803L)

/** Not allowed on battery power. */
#define DO_E_BLOCKED_BY_POWER_STATE ((HRESULT)0x80D03804L)

/** There is no connection. */
#define DO_E_BLOCKED_BY_NO_NETWORK ((HRESULT)0x80D03805L)

/** A policy restricts the download mode. */
#define DO_E_DOWNLOADMODE_SET_BY_POLICY ((HRESULT)0x80D03806L)

/** Not allowed over a VPN. */
#define DO_E_BLOCKED_BY_VPN_POLICY ((HRESULT)0x80D03807L)

/** Memory is short. */
#define DO_E_BLOCKED_BY_CRITICAL_MEMORY_USAGE ((HRESULT)0x80D03808L)

/** There is no cache folder, which restricts the mode. */
#define DO_E_DOWNLOADMODE_SET_BY_CACHE_ABSENCE ((HRESULT)0x80D03809L)

/** The cloud services cannot be reached. */
#define DO_E_CLOUD_SERVICES_UNREACHABLE ((HRESULT)0x80D0380AL)

/** The caller is not registered, which restricts the mode. */
#define DO_E_DOWNLOADMODE_SET_FOR_UNREG_CALLER ((HRESULT)0x80D0380BL)

/** A download of ranges runs in simple mode. */
#define DO_E_DOWNLOADMODE_SET_FOR_SIMPLE_RANGES ((HRESULT)0x80D0380CL)

/** An odd 2xx status, such as 204. */
#define DO_E_UNEXPECTED_HTTP_STATUS_2XX ((HRESULT)0x80D0380DL)

/* HTTP and ranges. */

/** The server sent another amount than it was asked for. */
#define DO_E_HTTP_BLOCKSIZE_MISMATCH ((HRESULT)0x80D05001L)

/** The server's certificate was rejected. */
#define DO_E_HTTP_CERT_VALIDATION ((HRESULT)0x80D05002L)

/** A range is empty, starts at the end marker or lies outside the file. */
#define DO_E_INVALID_RANGE ((HRESULT)0x80D05010L)

/** The server ignores ranges, or the file has another size than announced. */
#define DO_E_INSUFFICIENT_RANGE_SUPPORT ((HRESULT)0x80D05011L)

/** Ranges overlap or repeat. */
#define DO_E_OVERLAPPING_RANGES ((HRESULT)0x80D05012L)

/* Pieces, hash files and peers. */

/** Peering: bad pieces were given away. */
#define DO_E_UPLOADING_BAD_PIECES ((HRESULT)0x80D06800L)

/** Something inside failed for good. */
#define DO_E_FATAL_CORE_ERROR ((HRESULT)0x80D06802L)

/** A cloud service answered with nothing. */
#define DO_E_SERVICES_RESPONSE_EMPTY ((HRESULT)0x80D06803L)

/** Data of a piece is bad or incomplete. */
#define DO_E_BAD_INCOMING_DATA ((HRESULT)0x80D06804L)

/** A piece does not have the expected hash. */
#define DO_E_BAD_PIECE_HASH ((HRESULT)0x80D06805L)

/** As before, and the source may be used again. */
#define DO_E_BAD_PIECE_HASH_NO_BAN ((HRESULT)0x80D06806L)

/** The piece is in the cache already. */
#define DO_E_ALREADY_HAVE_PIECE ((HRESULT)0x80D06807L)

/** The piece is no longer in the cache. */
#define DO_E_MISSING_PIECE ((HRESULT)0x80D06808L)

/** The hash file is not valid JSON. */
#define DO_E_METAINFO_CONTENT ((HRESULT)0x80D06809L)

/** The version of the hash file is unknown. */
#define DO_E_METAINFO_VERSION ((HRESULT)0x80D0680AL)

/** Peering: the swarm does not run. */
#define DO_E_SWARM_NOT_RUNNING ((HRESULT)0x80D0680BL)

/** Peering: the connection is unknown. */
#define DO_E_UNRECOGNIZED_CONN ((HRESULT)0x80D0680CL)

/** Peering: the peer is banned. */
#define DO_E_PEER_BANNED ((HRESULT)0x80D0680DL)

/** Peering: a connection to oneself. */
#define DO_E_CONNECT_TO_SELF ((HRESULT)0x80D0680EL)

/** Peering: the peer is connected already. */
#define DO_E_ALREADY_CONNECTED ((HRESULT)0x80D0680FL)

/** Peering: the limit of connections is reached. */
#define DO_E_NO_MORE_CONNECTIONS ((HRESULT)0x80D06810L)

/** Peering: the connection was lost. */
#define DO_E_LOST_CONNECTION ((HRESULT)0x80D06811L)

/** Peering: the swarm is unknown. */
#define DO_E_UNRECOGNIZED_SWARM ((HRESULT)0x80D06812L)

/** Peering: the handshake has a wrong length. */
#define DO_E_INVALID_HANDSHAKE_LEN ((HRESULT)0x80D06813L)

/** Peering: the socket is closed. */
#define DO_E_SOCKET_CLOSED ((HRESULT)0x80D06814L)

/** Peering: a message is too long. */
#define DO_E_PEER_MSG_TOO_LONG ((HRESULT)0x80D06815L)

/** Peering: a message is invalid. */
#define DO_E_INVALID_PEER_MSG ((HRESULT)0x80D06816L)

/** Peering: the peer only uploads. */
#define DO_E_PEER_IS_UPLOAD ((HRESULT)0x80D06817L)

/** A file that has no peers cannot be pinned. */
#define DO_E_PIN_FAIL_NO_PEERING ((HRESULT)0x80D06818L)

/** A pinned file is deleted by force only. */
#define DO_E_DELETE_PINNED_SWARM ((HRESULT)0x80D06819L)

/** The hash file does not have the expected digest. */
#define DO_E_METAINFO_DIGEST_MATCH ((HRESULT)0x80D0681AL)

/** The hash of hashes in the file is not the expected one. */
#define DO_E_METAINFO_HOH_MATCH ((HRESULT)0x80D0681BL)

/** The hash of hashes does not fit the piece hashes. */
#define DO_E_METAINFO_HOH_FINAL_MATCH ((HRESULT)0x80D0681CL)

/** The content length in the hash file is invalid. */
#define DO_E_METAINFO_CONTENT_LENGTH ((HRESULT)0x80D0681DL)

/** The piece size in the hash file is invalid. */
#define DO_E_METAINFO_PIECE_SIZE ((HRESULT)0x80D0681EL)

/** The hash of hashes cannot be read. */
#define DO_E_METAINFO_PARSE_HOH ((HRESULT)0x80D0681FL)

/** The array of piece hashes cannot be read. */
#define DO_E_METAINFO_PARSE_PIECEHASHES ((HRESULT)0x80D06820L)

/** One piece hash cannot be read. */
#define DO_E_METAINFO_PARSE_ONE_PIECEHASH ((HRESULT)0x80D06821L)

/** The size of the hash file is missing or too large. */
#define DO_E_METAINFO_FILE_SIZE ((HRESULT)0x80D06822L)

/**
 * All codes with their texts: DO_ERROR_LIST(X) expands to X(name, text) for each, in the order of
 * the values. Texts are UTF-8 (ASCII) literals, one sentence without a line end. A code added above
 * is added here too; tests/abi/layout.c holds the values.
 */
#define DO_ERROR_LIST(X)                                                                           \
    X(DO_E_NO_SERVICE,                                                                             \
        "Delivery Optimization is not available; check that it is installed and not disabled.")    \
    X(DO_E_DOWNLOAD_NO_PROGRESS,                                                                   \
        "The download was given up because no data arrived for too long; check the connection "    \
        "and try again.")                                                                          \
    X(DO_E_JOB_NOT_FOUND,                                                                          \
        "There is no job with this id; it may have been completed, cancelled or removed.")         \
    X(DO_E_JOB_EMPTY, "The job has no files; add at least one before it is started.")              \
    X(DO_E_NO_DOWNLOADS, "There are no downloads that match.")                                     \
    X(DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED,                                                    \
        "This download cannot be delivered to a memory stream; use a file or a stream interface.") \
    X(DO_E_JOB_TOO_OLD,                                                                            \
        "The job was removed because it was neither completed nor cancelled within 30 days.")      \
    X(DO_E_LOCALPATH_NOT_SET, "The download has no local path; set one before it is started.")     \
    X(DO_E_FILE_NOT_AVAILABLE, "The error does not belong to a particular file.")                  \
    X(DO_E_UNKNOWN_PROPERTY_ID, "This property does not exist.")                                   \
    X(DO_E_READ_ONLY_PROPERTY, "This property can be read but not set.")                           \
    X(DO_E_INVALID_STATE, "This call is not allowed in the current state of the job or download.") \
    X(DO_E_ERROR_INFORMATION_UNAVAILABLE,                                                          \
        "There is no error to describe; the job is not in an error state.")                        \
    X(DO_E_WRITE_ONLY_PROPERTY, "This property can be set but not read.")                          \
    X(DO_E_INTEGRITYCHECKINFO_UNSPECIFIED,                                                         \
        "An integrity check is required but no integrity information was given.")                  \
    X(DO_E_INTEGRITYCHECKINFO_UNAVAILABLE,                                                         \
        "An integrity check is required but its hash file cannot be fetched.")                     \
    X(DO_E_FILE_DOWNLOADSINK_UNSPECIFIED,                                                          \
        "The download has no target; set a file path or a stream before it is started.")           \
    X(DO_E_FILE_DOWNLOADSINK_ALREADY_SET, "The download has a target of another kind already.")    \
    X(DO_E_FILE_SIZE_UNKNOWN_HTTP_200,                                                             \
        "The server did not say how large the file is (status 200).")                              \
    X(DO_E_FILE_ENCRYPTION_EXPECTED,                                                               \
        "A decryption key was given but the file is not encrypted as it says.")                    \
    X(DO_E_FILE_SIZE_UNKNOWN_HTTP_206,                                                             \
        "The server did not say how large the whole file is (status 206).")                        \
    X(DO_E_FILE_SIZE_UNKNOWN_HTTP_2XX,                                                             \
        "The server's successful answer does not say how large the file is.")                      \
    X(DO_E_NETWORK_ACCESS_CONSENT_NEEDED, "The user has not agreed to network access yet.")        \
    X(DO_E_DOWNLOAD_NO_URI, "The download has no URL; set one before it is started.")              \
    X(DO_E_DOWNLOAD_NO_CONTENT_ID,                                                                 \
        "The download has no content id, which this kind of download needs.")                      \
    X(DO_E_INVALID_CONTENT_ID, "The content id is not valid.")                                     \
    X(DO_E_DOWNLOAD_RANGES_UNEXPECTED,                                                             \
        "Ranges were given for a download that does not accept them.")                             \
    X(DO_E_DOWNLOAD_RANGES_EXPECTED, "This download needs ranges; give at least one.")             \
    X(DO_E_NO_DOWNLOAD_PARTICIPATION, "The download is held back by the rules for this content.")  \
    X(DO_E_NO_DOWNLOAD_EXTSETTINGS,                                                                \
        "Settings of the user or the administrator do not allow this download.")                   \
    X(DO_E_BLOCKED_BY_COST_TRANSFER_POLICY,                                                        \
        "The download waits because its cost policy does not allow the present network.")          \
    X(DO_E_DOWNLOADMODE_SET_BY_CP, "The publisher of the content restricts the download mode.")    \
    X(DO_E_BLOCKED_BY_CELLULAR_POLICY,                                                             \
        "The download waits because it may not use a cellular network.")                           \
    X(DO_E_BLOCKED_BY_POWER_STATE,                                                                 \
        "The download waits because the device does not run on mains power.")                      \
    X(DO_E_BLOCKED_BY_NO_NETWORK, "The download waits because there is no network connection.")    \
    X(DO_E_DOWNLOADMODE_SET_BY_POLICY, "The download mode is set by policy.")                      \
    X(DO_E_BLOCKED_BY_VPN_POLICY, "The download waits because it may not use a VPN connection.")   \
    X(DO_E_BLOCKED_BY_CRITICAL_MEMORY_USAGE,                                                       \
        "The download waits because the system is short of memory.")                               \
    X(DO_E_DOWNLOADMODE_SET_BY_CACHE_ABSENCE,                                                      \
        "The download mode is restricted because there is no cache folder.")                       \
    X(DO_E_CLOUD_SERVICES_UNREACHABLE,                                                             \
        "The Delivery Optimization cloud services cannot be reached.")                             \
    X(DO_E_DOWNLOADMODE_SET_FOR_UNREG_CALLER,                                                      \
        "The download mode is restricted because the calling program is not registered.")          \
    X(DO_E_DOWNLOADMODE_SET_FOR_SIMPLE_RANGES,                                                     \
        "The download mode is simple because only ranges are fetched.")                            \
    X(DO_E_UNEXPECTED_HTTP_STATUS_2XX,                                                             \
        "The server answered with an unexpected successful status and no file.")                   \
    X(DO_E_HTTP_BLOCKSIZE_MISMATCH,                                                                \
        "The server sent a different amount of data than it was asked for.")                       \
    X(DO_E_HTTP_CERT_VALIDATION, "The server's certificate is not trusted.")                       \
    X(DO_E_INVALID_RANGE,                                                                          \
        "A range is not valid; it must not be empty and must lie within the file.")                \
    X(DO_E_INSUFFICIENT_RANGE_SUPPORT,                                                             \
        "The server does not support ranges as needed, or the file has another size than "         \
        "expected.")                                                                               \
    X(DO_E_OVERLAPPING_RANGES, "Two of the ranges overlap; each byte may be asked for once only.") \
    X(DO_E_UPLOADING_BAD_PIECES, "Bad data was sent to a peer.")                                   \
    X(DO_E_FATAL_CORE_ERROR,                                                                       \
        "Delivery Optimization met an internal error and cannot go on; see its log.")              \
    X(DO_E_SERVICES_RESPONSE_EMPTY,                                                                \
        "A Delivery Optimization cloud service answered with an empty document.")                  \
    X(DO_E_BAD_INCOMING_DATA, "The data of a piece is damaged or incomplete.")                     \
    X(DO_E_BAD_PIECE_HASH,                                                                         \
        "A piece of the file is not what its hash says; the content may be damaged.")              \
    X(DO_E_BAD_PIECE_HASH_NO_BAN,                                                                  \
        "A piece of the file is not what its hash says; its source may be tried again.")           \
    X(DO_E_ALREADY_HAVE_PIECE, "The piece is in the cache already.")                               \
    X(DO_E_MISSING_PIECE, "The piece is no longer in the cache.")                                  \
    X(DO_E_METAINFO_CONTENT, "The hash file is not a valid JSON document.")                        \
    X(DO_E_METAINFO_VERSION, "The hash file has a version that is not supported.")                 \
    X(DO_E_SWARM_NOT_RUNNING, "The group of peers for this file is not active.")                   \
    X(DO_E_UNRECOGNIZED_CONN, "The connection to a peer is not known.")                            \
    X(DO_E_PEER_BANNED, "The peer is banned.")                                                     \
    X(DO_E_CONNECT_TO_SELF, "A peer turned out to be this device itself.")                         \
    X(DO_E_ALREADY_CONNECTED, "The peer is connected already.")                                    \
    X(DO_E_NO_MORE_CONNECTIONS, "No more connections to peers are allowed.")                       \
    X(DO_E_LOST_CONNECTION, "The connection to a peer was lost.")                                  \
    X(DO_E_UNRECOGNIZED_SWARM, "A peer asked for a file that is not known here.")                  \
    X(DO_E_INVALID_HANDSHAKE_LEN, "A peer's greeting has a wrong length.")                         \
    X(DO_E_SOCKET_CLOSED, "The connection to a peer is closed.")                                   \
    X(DO_E_PEER_MSG_TOO_LONG, "A peer's message is too long.")                                     \
    X(DO_E_INVALID_PEER_MSG, "A peer's message is not valid.")                                     \
    X(DO_E_PEER_IS_UPLOAD, "The peer only sends data.")                                            \
    X(DO_E_PIN_FAIL_NO_PEERING,                                                                    \
        "The file cannot be pinned in the cache because it is not shared with peers.")             \
    X(DO_E_DELETE_PINNED_SWARM,                                                                    \
        "The file is pinned in the cache; it can be deleted by force only.")                       \
    X(DO_E_METAINFO_DIGEST_MATCH, "The hash file is not the expected one; its digest differs.")    \
    X(DO_E_METAINFO_HOH_MATCH, "The hash of hashes in the hash file is not the expected one.")     \
    X(DO_E_METAINFO_HOH_FINAL_MATCH, "The hash of hashes does not fit the hashes of the pieces.")  \
    X(DO_E_METAINFO_CONTENT_LENGTH, "The content length in the hash file is not valid.")           \
    X(DO_E_METAINFO_PIECE_SIZE, "The piece size in the hash file is not valid.")                   \
    X(DO_E_METAINFO_PARSE_HOH, "The hash of hashes in the hash file cannot be read.")              \
    X(DO_E_METAINFO_PARSE_PIECEHASHES,                                                             \
        "The list of piece hashes in the hash file cannot be read.")                               \
    X(DO_E_METAINFO_PARSE_ONE_PIECEHASH, "A piece hash in the hash file cannot be read.")          \
    X(DO_E_METAINFO_FILE_SIZE, "The size of the hash file is missing or not acceptable.")

#endif /* DO_DELIVERYOPTIMIZATIONERRORS_H */
