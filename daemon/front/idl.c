// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The vencd authors

/*
 * The interface io.vencd.Encoder, as `varlinkctl introspect` prints it. sd-varlink refuses every
 * call that does not fit it (an unknown, missing or mistyped field) with InvalidParameter before a
 * method of ours runs.
 *
 * Words with a fixed set of values are strings, not varlink enums: a value that is none can then be
 * refused with the ones that exist, and a later version can add one.
 */

#include "daemon/front/idl.h"

#define COMMENT(text) SD_VARLINK_FIELD_COMMENT(text)
#define FIELD SD_VARLINK_DEFINE_FIELD
#define TYPED SD_VARLINK_DEFINE_FIELD_BY_TYPE
#define IN SD_VARLINK_DEFINE_INPUT
#define IN_TYPED SD_VARLINK_DEFINE_INPUT_BY_TYPE
#define OUT SD_VARLINK_DEFINE_OUTPUT
#define OUT_TYPED SD_VARLINK_DEFINE_OUTPUT_BY_TYPE
#define STRING SD_VARLINK_STRING
#define INT SD_VARLINK_INT
#define BOOL SD_VARLINK_BOOL
#define NULLABLE SD_VARLINK_NULLABLE
#define ARRAY SD_VARLINK_ARRAY

static SD_VARLINK_DEFINE_STRUCT_TYPE(Rational, FIELD(num, INT, 0), FIELD(den, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Colour,
	COMMENT("Code points of ITU-T H.273; 2 is unspecified, 0 not given"),
	FIELD(primaries, INT, 0), FIELD(transfer, INT, 0), FIELD(matrix, INT, 0),
	FIELD(fullRange, BOOL, NULLABLE), COMMENT("0 not given, 1 left, 2 centre, 3 top-left"),
	FIELD(chromaLocation, INT, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Chromaticity, COMMENT("In units of 0.00002"), FIELD(x, INT, 0), FIELD(y, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Hdr, COMMENT("SMPTE ST 2086: R, G, B"),
	TYPED(displayPrimaries, Chromaticity, ARRAY | NULLABLE),
	TYPED(whitePoint, Chromaticity, NULLABLE),
	COMMENT("In units of 0.0001 cd/m2; 0: no mastering display is given"),
	FIELD(maxLuminance, INT, NULLABLE), FIELD(minLuminance, INT, NULLABLE),
	COMMENT("CTA-861.3, in cd/m2; 0: no light level is given"),
	FIELD(maxContentLight, INT, NULLABLE), FIELD(maxAverageLight, INT, NULLABLE));

/* What a session is to encode: the input of OpenSession, and echoed in a report. */
#define PARAMETERS(F, T)                                                                         \
	COMMENT("Codecs, preferred first: av1, hevc, h264, vp9"), F(codecs, STRING, ARRAY),      \
		COMMENT("Visible size in pixels, 1 to 8192, kept exactly"), F(width, INT, 0),    \
		F(height, INT, 0), COMMENT("Pixel format: i420, nv12, i010, p010"),              \
		F(format, STRING, 0), COMMENT("Seconds per tick of pts"),                        \
		T(timeBase, Rational, 0), COMMENT("Nominal frames a second"),                    \
		T(frameRate, Rational, NULLABLE), T(sampleAspect, Rational, NULLABLE),           \
		COMMENT("quality, vbr, capped_vbr, cbr; default quality"),                       \
		F(rateControl, STRING, NULLABLE),                                                \
		COMMENT("Quality on the codec's scale: av1, vp9 0-63, hevc and h264 0-51"),      \
		F(quality, INT, NULLABLE), COMMENT("Bits a second"), F(bitrate, INT, NULLABLE),  \
		COMMENT("Bits a second at most, for capped_vbr"), F(maxBitrate, INT, NULLABLE),  \
		COMMENT("0 (slowest) to 13; default 8"), F(speed, INT, NULLABLE),                \
		COMMENT("Frames between keyframes at most; absent or 0: the default"),           \
		F(gop, INT, NULLABLE), COMMENT("B frames allowed; absent: the codec's default"), \
		F(bFrames, BOOL, NULLABLE), COMMENT("file or live; default file"),               \
		F(latency, STRING, NULLABLE),                                                    \
		COMMENT("any, hardware, software, null; default any"),                           \
		F(backend, STRING, NULLABLE), COMMENT("failover or fail; default failover"),     \
		F(onFailure, STRING, NULLABLE), T(colour, Colour, NULLABLE),                     \
		T(hdr, Hdr, NULLABLE), COMMENT("Shown in lists, 63 bytes of UTF-8 at most"),     \
		F(label, STRING, NULLABLE),                                                      \
		COMMENT("Script of the null encoder, 255 bytes at most; backend null only"),     \
		F(nullScript, STRING, NULLABLE)

static SD_VARLINK_DEFINE_STRUCT_TYPE(Parameters, PARAMETERS(FIELD, TYPED));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Layout, COMMENT("Visible size in pixels"),
	FIELD(width, INT, 0), FIELD(height, INT, 0), FIELD(format, STRING, 0),
	COMMENT("Planes of a frame, and for each of them: bytes from row to row, rows, visible "
		"bytes of a row, offset from the start of the slot"),
	FIELD(planes, INT, 0), FIELD(stride, INT, ARRAY), FIELD(rows, INT, ARRAY),
	FIELD(rowBytes, INT, ARRAY), FIELD(offset, INT, ARRAY),
	COMMENT("Frames in the pool, and bytes from one to the next"), FIELD(slots, INT, 0),
	FIELD(slotSize, INT, 0), COMMENT("Entries of the submit ring, a power of two"),
	FIELD(submitEntries, INT, 0), COMMENT("Attempt rings of this session"),
	FIELD(attempts, INT, 0), COMMENT("Bytes of packet data in an attempt ring"),
	FIELD(dataSize, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(RateControls, COMMENT("Rate controls by latency"),
	FIELD(file, STRING, ARRAY), FIELD(live, STRING, ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Budget,
	COMMENT("The setting that bounds it; at the limit no more work is taken"),
	FIELD(setting, STRING, 0), FIELD(used, INT, 0), FIELD(limit, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Gpu,
	COMMENT("Its render node, whose number may be another after the next boot"),
	FIELD(node, STRING, 0),
	COMMENT("The kernel's driver, and the version of its module; one from the kernel's own "
		"tree has the kernel's"),
	FIELD(driver, STRING, 0), FIELD(driverVersion, STRING, 0),
	COMMENT("Of PCI; 0: it is not on PCI"), FIELD(vendorId, INT, 0), FIELD(deviceId, INT, 0),
	FIELD(subsystemVendorId, INT, 0), FIELD(subsystemDeviceId, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Evidence,
	COMMENT("One encode of a probe, by the name of what it was to show"),
	FIELD(case, STRING, 0), FIELD(width, INT, 0), FIELD(height, INT, 0),
	FIELD(format, STRING, 0), FIELD(rateControl, STRING, 0), FIELD(latency, STRING, 0),
	FIELD(bFrames, BOOL, 0), FIELD(frames, INT, 0),
	COMMENT("running, passed, failed (by itself: that ability is not used), hung, crashed"),
	FIELD(state, STRING, 0), COMMENT("Of a failed one: the status, and why"),
	FIELD(status, STRING, NULLABLE), FIELD(text, STRING, NULLABLE),
	COMMENT("When that was known, in microseconds since 1970"), FIELD(atUs, INT, 0),
	COMMENT("How long it took, decoding included, and what came out"), FIELD(ms, INT, 0),
	FIELD(packets, INT, 0), FIELD(keyframes, INT, 0), FIELD(bytes, INT, 0),
	COMMENT("Frames that it held at most"), FIELD(needsFrames, INT, 0),
	COMMENT("Of the worst plane of the worst picture, in dB, when it was decoded and compared "
		"with what had been drawn; 99.99: equal; absent: not decoded"),
	FIELD(psnr, SD_VARLINK_FLOAT, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Device,
	COMMENT("cpu, null, or where a GPU sits: pci-0000:03:00.0; path- and a part of its path "
		"in sysfs where it is not on PCI"),
	FIELD(device, STRING, 0), COMMENT("Absent: it is of no GPU"), TYPED(gpu, Gpu, NULLABLE),
	COMMENT("software, vaapi, nvenc, vulkan, null"), FIELD(backend, STRING, 0),
	FIELD(encoder, STRING, 0), COMMENT("Library and version, once probed"),
	FIELD(version, STRING, NULLABLE), COMMENT("Absent: any codec"),
	FIELD(codec, STRING, NULLABLE),
	COMMENT("untested (its probe has not begun), probing, proven (has encoded here), degraded "
		"(works, but for less than it claims), absent (not there), not-permitted (its "
		"node may not be opened), library-missing (no driver library in user space), "
		"unsupported (the GPU does not encode it), disabled (by the deny-list), broken "
		"(its probe failed), quarantined (has failed since)"),
	FIELD(state, STRING, 0), COMMENT("Why it is in this state"),
	FIELD(detail, STRING, NULLABLE), COMMENT("What to do about it"),
	FIELD(advice, STRING, NULLABLE), FIELD(minWidth, INT, 0), FIELD(minHeight, INT, 0),
	FIELD(maxWidth, INT, 0), FIELD(maxHeight, INT, 0),
	COMMENT("Width and height must be multiples of it"), FIELD(sizeMultiple, INT, 0),
	FIELD(formats, STRING, ARRAY), TYPED(rateControls, RateControls, 0),
	FIELD(qualityMin, INT, 0), FIELD(qualityMax, INT, 0),
	COMMENT("VA-API, once probed: the headers that the driver takes from libavcodec (sequence, "
		"picture, slice, misc, raw). The others it writes by itself, if at all: colour and "
		"HDR metadata may be missing in the stream then"),
	FIELD(packedHeaders, STRING, ARRAY | NULLABLE),
	COMMENT("When it was seen to work, or to do all that it claims where that was tried, in "
		"microseconds since 1970; absent: never"),
	FIELD(probedUs, INT, NULLABLE), FIELD(probeMs, INT, NULLABLE),
	FIELD(probeFrames, INT, NULLABLE),
	COMMENT("Frames that it held in the probe before the first packet came"),
	FIELD(probeNeedsFrames, INT, NULLABLE),
	COMMENT("Pixels a second in the probe, alone on the device; 0: not measured"),
	FIELD(pixelRate, INT, NULLABLE),
	COMMENT("Whether that was before the daemon started, and only the base was tried since"),
	FIELD(probeCached, BOOL, NULLABLE),
	COMMENT("Whether a probe is under way, or waits for its turn"), FIELD(probing, BOOL, 0),
	COMMENT("What probes showed, case by case"), TYPED(proof, Evidence, ARRAY | NULLABLE),
	COMMENT("Attempts running now"), FIELD(sessions, INT, 0),
	COMMENT("Since the daemon started: calls given up, calls that came back after that, "
		"their processes that the kernel has reclaimed, processes that crashed"),
	FIELD(abandoned, INT, 0), FIELD(late, INT, 0), FIELD(reclaimed, INT, 0),
	FIELD(crashed, INT, 0),
	COMMENT("Now: processes with a given-up call, killed ones that do not die, leaked threads"),
	FIELD(tainted, INT, 0), FIELD(tombstones, INT, 0), FIELD(leakedThreads, INT, 0),
	COMMENT("Now: descriptors and, as an estimate, bytes that went with given-up calls"),
	FIELD(leakedFds, INT, 0), FIELD(leakedBytes, INT, 0),
	COMMENT("Since the daemon started: strikes given to users, quarantines, processes that "
		"got no new session because they had grown or had had many"),
	FIELD(strikes, INT, 0), FIELD(quarantines, INT, 0), FIELD(recycled, INT, 0),
	COMMENT("Broken or quarantined, or a case of its probe was refused for now: when it is "
		"probed again, in microseconds since 1970"),
	FIELD(paroleUs, INT, NULLABLE), COMMENT("What its device holds, and may hold"),
	TYPED(budgets, Budget, ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Session, FIELD(id, INT, 0), FIELD(uid, INT, 0),
	COMMENT("incomplete while it runs"), FIELD(outcome, STRING, 0), FIELD(codec, STRING, 0),
	FIELD(width, INT, 0), FIELD(height, INT, 0), COMMENT("Index of the current attempt"),
	FIELD(attempt, INT, 0), FIELD(encoder, STRING, 0), FIELD(device, STRING, 0),
	FIELD(label, STRING, NULLABLE), FIELD(framesSubmitted, INT, 0),
	FIELD(framesEncoded, INT, 0), FIELD(bytes, INT, 0), COMMENT("Microseconds since 1970"),
	FIELD(createdUs, INT, 0),
	COMMENT("The call that the encoder's thread is in, its state, and for how long"),
	FIELD(call, STRING, 0), FIELD(callState, STRING, 0), FIELD(callMs, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Quota, COMMENT("Absent: a limit of the whole daemon"),
	FIELD(uid, INT, NULLABLE),
	COMMENT("Of a user: connections, sessions, memory, fds, requests, children, pixel-rate, "
		"adapter-cpu, strikes; of the daemon: sessions, fronts, workers, adapters"),
	FIELD(kind, STRING, 0), COMMENT("Its setting in vencd.conf"), FIELD(setting, STRING, 0),
	COMMENT("Of the numbers: count, bytes, pixels/s, ms/min"), FIELD(unit, STRING, 0),
	COMMENT("Charged now; of a rate, over about the last second or minute"),
	FIELD(used, INT, 0), COMMENT("0 for a rate: none"), FIELD(limit, INT, 0),
	COMMENT("Refusals: of the daemon since it started, of a user since it came; they are "
		"forgotten when nothing is charged to it any more"),
	FIELD(refused, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Leaked,
	COMMENT("What could not be freed with an abandoned call; bytes is an estimate"),
	FIELD(threads, INT, 0), FIELD(fds, INT, 0), FIELD(bytes, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Suspect,
	COMMENT("Frames that were delivered before a later look found the output wrong"),
	FIELD(first, INT, 0), FIELD(last, INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Arguments, COMMENT("The frame that a send was given"),
	FIELD(frame, INT, 0), FIELD(pts, INT, 0), FIELD(bytes, INT, 0),
	COMMENT("The client asked for a keyframe"), FIELD(keyframe, BOOL, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Forensics,
	COMMENT("Whether the thread was looked at in the call: \"in call\", \"not permitted\", "
		"\"not inspected: why\"; absent: no call was in the way"),
	FIELD(inspected, STRING, NULLABLE), COMMENT("The thread's number and name"),
	FIELD(tid, INT, NULLABLE), FIELD(thread, STRING, NULLABLE),
	COMMENT("As the kernel has it: its state, the system call that it was in, the kernel's "
		"function that it slept in, the kernel's stack from the innermost on"),
	FIELD(state, STRING, NULLABLE), FIELD(syscall, STRING, NULLABLE),
	FIELD(wchan, STRING, NULLABLE), FIELD(stack, STRING, ARRAY | NULLABLE),
	COMMENT("Time on a CPU, over its whole life"), FIELD(cpuMs, INT, NULLABLE),
	TYPED(arguments, Arguments, NULLABLE),
	COMMENT("The last lines that the process wrote to stderr, oldest first"),
	FIELD(messages, STRING, ARRAY | NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Attempt, FIELD(device, STRING, 0), FIELD(backend, STRING, 0),
	FIELD(encoder, STRING, 0), FIELD(version, STRING, NULLABLE),
	COMMENT("Why this encoder, and \"encoder: why not\" for others"),
	FIELD(picked, STRING, NULLABLE), FIELD(rejected, STRING, ARRAY | NULLABLE),
	COMMENT("Frames firstFrame to firstFrame + frames - 1 were delivered by it"),
	FIELD(firstFrame, INT, 0), FIELD(frames, INT, 0), FIELD(packets, INT, 0),
	FIELD(bytes, INT, 0), COMMENT("FNV-1a, 64 bit, over its packets, as 16 hexadecimal digits"),
	FIELD(digest, STRING, 0),
	COMMENT("Packets that it had made when it was cut, and that nobody got"),
	FIELD(discardedPackets, INT, 0),
	COMMENT("running, finished, abandoned, crashed, exited, error, wrong_output, stalled, "
		"unresponsive, cancelled, drained"),
	FIELD(end, STRING, 0),
	COMMENT("Where it ended badly: the call it was in, that call's frame, how long it was "
		"waited for, and its budget"),
	FIELD(call, STRING, NULLABLE), FIELD(callFrame, INT, NULLABLE),
	FIELD(waitedMs, INT, NULLABLE), FIELD(budgetMs, INT, NULLABLE),
	FIELD(signal, INT, NULLABLE), FIELD(exitCode, INT, NULLABLE),
	COMMENT("Of a hardware encoder: frames that were decoded beside it, and resembled their "
		"source; absent: none, or it could not say"),
	FIELD(framesChecked, INT, NULLABLE), TYPED(suspect, Suspect, NULLABLE),
	TYPED(leaked, Leaked, NULLABLE), COMMENT("What the encoder made of the speed asked for"),
	FIELD(speedUsed, INT, NULLABLE), FIELD(needsFrames, INT, 0), FIELD(reorder, INT, 0),
	FIELD(pid, INT, NULLABLE), COMMENT("The walls that its process was behind: see Wall"),
	FIELD(walls, STRING, ARRAY | NULLABLE), COMMENT("The library's last words"),
	FIELD(text, STRING, NULLABLE), COMMENT("What is known about a bad end"),
	TYPED(forensics, Forensics, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Report,
	COMMENT("Version of the report, see docs/report.schema.json"), FIELD(version, INT, 0),
	FIELD(id, INT, 0), FIELD(uid, INT, 0),
	COMMENT("complete, degraded, truncated, failed, cancelled"), FIELD(outcome, STRING, 0),
	FIELD(codec, STRING, 0),
	COMMENT("framesSubmitted = framesEncoded + framesLost + framesCancelled, always"),
	FIELD(framesSubmitted, INT, 0), FIELD(framesEncoded, INT, 0), FIELD(framesLost, INT, 0),
	FIELD(framesCancelled, INT, 0), FIELD(packets, INT, 0), FIELD(bytes, INT, 0),
	COMMENT("That of the last attempt"), FIELD(digest, STRING, 0),
	FIELD(discardedPackets, INT, 0), COMMENT("Microseconds since 1970"),
	FIELD(createdUs, INT, 0), FIELD(endedUs, INT, NULLABLE),
	COMMENT("Microseconds from the request to the first packet"),
	FIELD(firstPacketUs, INT, NULLABLE), COMMENT("asked, input_failed, output_failed"),
	FIELD(cancelCause, STRING, NULLABLE),
	COMMENT("One sentence: why it ended as it did; absent when complete"),
	FIELD(cause, STRING, NULLABLE), FIELD(onFailure, STRING, 0),
	COMMENT("The request with the defaults filled in"), TYPED(params, Parameters, 0),
	TYPED(attempts, Attempt, ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Wall, COMMENT("The child program"), FIELD(kind, STRING, 0),
	COMMENT("no_new_privs, no_capabilities, not_dumpable, no_core, limits, landlock, seccomp"),
	FIELD(standing, STRING, ARRAY), COMMENT("Those that this kernel does not have"),
	FIELD(missing, STRING, ARRAY), COMMENT("The kernel's Landlock ABI; absent: none"),
	FIELD(landlockAbi, INT, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Delivery,
	COMMENT("What became of the output: complete, truncated, failed, cancelled"),
	FIELD(outcome, STRING, 0), COMMENT("A word for what went wrong, and a sentence"),
	FIELD(error, STRING, NULLABLE), FIELD(text, STRING, NULLABLE),
	COMMENT("Bytes and frames written to the output"), FIELD(bytes, INT, NULLABLE),
	FIELD(frames, INT, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Progress, FIELD(framesSubmitted, INT, NULLABLE),
	FIELD(framesEncoded, INT, NULLABLE), FIELD(bytes, INT, NULLABLE));

static SD_VARLINK_DEFINE_METHOD_FULL(ListDevices, SD_VARLINK_SUPPORTS_MORE,
	COMMENT("One entry for each encoder of each device. With \"more\": again at every change"),
	OUT_TYPED(devices, Device, ARRAY),
	COMMENT("What all devices together hold that cannot be freed now, and may hold"),
	OUT_TYPED(budgets, Budget, ARRAY | NULLABLE));

static SD_VARLINK_DEFINE_METHOD(OpenSession, PARAMETERS(IN, IN_TYPED),
	COMMENT("Number of the session, and the secret for Wait, Cancel and GetReport"),
	OUT(id, INT, 0), OUT(token, STRING, 0), COMMENT("What was chosen"), OUT(codec, STRING, 0),
	OUT(encoder, STRING, 0), OUT(backend, STRING, 0), OUT(device, STRING, 0),
	COMMENT("dts lags behind pts by this many frames"), OUT(reorder, INT, 0),
	COMMENT("Layout of the shared memory, whose fds come with this reply: pool, submit ring, "
		"control page, lease; then for each attempt: ring, submit socket, packet socket"),
	OUT_TYPED(layout, Layout, 0));

static SD_VARLINK_DEFINE_METHOD_FULL(Wait, SD_VARLINK_SUPPORTS_MORE, IN(id, INT, 0),
	IN(token, STRING, 0),
	COMMENT("With \"more\", while the session runs and this connection keeps up"),
	OUT_TYPED(progress, Session, NULLABLE), COMMENT("In the last reply"),
	OUT_TYPED(report, Report, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Cancel, IN(id, INT, 0), IN(token, STRING, 0),
	COMMENT("asked (default), input_failed, output_failed"), IN(cause, STRING, NULLABLE),
	COMMENT("Stands in the report, 255 bytes at most"), IN(text, STRING, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ListSessions,
	COMMENT("One's own that have not ended; all of them for root and the daemon's user"),
	OUT_TYPED(sessions, Session, ARRAY));

static SD_VARLINK_DEFINE_METHOD(ListQuotas,
	COMMENT("One's own; those of all users, and the daemon's, for root and the daemon's user"),
	OUT_TYPED(quotas, Quota, ARRAY));

static SD_VARLINK_DEFINE_METHOD(GetReport, IN(id, INT, 0),
	COMMENT("May be left out for one's own sessions"), IN(token, STRING, NULLABLE),
	OUT_TYPED(report, Report, 0));

static SD_VARLINK_DEFINE_METHOD(GetWalls,
	COMMENT("One entry for each kind of child that has been started"),
	OUT_TYPED(walls, Wall, ARRAY), COMMENT("The setting RequireWalls"),
	OUT(required, STRING, ARRAY), COMMENT("The user that the daemon and its children run as"),
	OUT(uid, INT, 0), OUT(version, STRING, 0), COMMENT("The setting Hardware"),
	OUT(hardware, BOOL, 0), COMMENT("Descriptors that the daemon may hold"),
	OUT(descriptors, INT, 0),
	COMMENT("LIBVA_DRIVERS_PATH and LIBVA_DRIVER_NAME of the setting DriverEnvironment"),
	OUT(driversPath, STRING, NULLABLE), OUT(driverName, STRING, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Probe, COMMENT("As in ListDevices; absent: all"),
	IN(device, STRING, NULLABLE), IN(encoder, STRING, NULLABLE));

static SD_VARLINK_DEFINE_METHOD_FULL(Encode, SD_VARLINK_SUPPORTS_MORE,
	COMMENT("Which of the two fds sent with the call is read, and which written"),
	IN(input, INT, 0), IN(output, INT, 0),
	COMMENT("mkv (or matroska), mp4, webm, ts (or mpegts), ivf, obu, h264, hevc, null"),
	IN(container, STRING, 0), COMMENT("y4m; absent: found out by reading"),
	IN(inputFormat, STRING, NULLABLE),
	COMMENT("As for OpenSession; what they leave open follows from the input"),
	IN(codecs, STRING, ARRAY | NULLABLE), IN(backend, STRING, NULLABLE),
	IN(onFailure, STRING, NULLABLE), IN(rateControl, STRING, NULLABLE),
	IN(quality, INT, NULLABLE), IN(bitrate, INT, NULLABLE), IN(maxBitrate, INT, NULLABLE),
	IN(speed, INT, NULLABLE), IN(gop, INT, NULLABLE), IN(bFrames, BOOL, NULLABLE),
	IN(latency, STRING, NULLABLE), IN(label, STRING, NULLABLE),
	IN(nullScript, STRING, NULLABLE), COMMENT("With \"more\", while this connection keeps up"),
	OUT_TYPED(progress, Progress, NULLABLE),
	COMMENT("In the last reply: the worse of the report's and the delivery's"),
	OUT(outcome, STRING, NULLABLE), OUT_TYPED(report, Report, NULLABLE),
	OUT_TYPED(delivery, Delivery, NULLABLE));

static SD_VARLINK_DEFINE_ERROR(Unsupported,
	COMMENT("The field of the request, and what stood there"), FIELD(parameter, STRING, 0),
	FIELD(value, STRING, NULLABLE), FIELD(reason, STRING, 0), COMMENT("What would be accepted"),
	FIELD(alternatives, STRING, NULLABLE), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(Invalid, FIELD(parameter, STRING, 0), FIELD(value, STRING, NULLABLE),
	FIELD(reason, STRING, 0), FIELD(alternatives, STRING, NULLABLE), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(NoEncoder, FIELD(codecs, STRING, ARRAY),
	COMMENT("\"encoder: why not\", separated by semicolons"), FIELD(reason, STRING, 0),
	FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(LimitReached,
	COMMENT("Name of the setting in vencd.conf, its value, how much of it is in use, and how "
		"much more was asked for"),
	FIELD(name, STRING, 0), FIELD(limit, INT, 0), FIELD(used, INT, 0), FIELD(asked, INT, 0),
	COMMENT("Of these numbers: count, bytes, pixels/s, ms/min"), FIELD(unit, STRING, 0),
	FIELD(reason, STRING, 0), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(
	NoSuchSession, FIELD(id, INT, 0), FIELD(reason, STRING, 0), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(
	NotEnded, FIELD(id, INT, 0), FIELD(reason, STRING, 0), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(NotAllowed, FIELD(reason, STRING, 0), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(Stopping, FIELD(reason, STRING, 0), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(OutOfResources, FIELD(reason, STRING, 0), FIELD(advice, STRING, 0));

static SD_VARLINK_DEFINE_ERROR(AdapterFailed, COMMENT("How its process ended, where that is known"),
	FIELD(signal, INT, NULLABLE), FIELD(exitCode, INT, NULLABLE), FIELD(reason, STRING, 0),
	FIELD(advice, STRING, 0));

#define SYMBOL(text) SD_VARLINK_SYMBOL_COMMENT(text)

SD_VARLINK_DEFINE_INTERFACE(io_vencd_Encoder, INTERFACE,
	SD_VARLINK_INTERFACE_COMMENT(
		"Encodes video on the devices of this host. docs/protocol.md describes the memory "
		"that is shared with a client, and how both sides use it."),
	&vl_type_Rational, &vl_type_Colour, &vl_type_Chromaticity, &vl_type_Hdr,
	SYMBOL("What a session is to encode"), &vl_type_Parameters,
	SYMBOL("The shared memory of a session"), &vl_type_Layout, &vl_type_RateControls,
	SYMBOL("What a probe showed"), &vl_type_Evidence,
	SYMBOL("An encoder of a device, what it can do, and how it has behaved"), &vl_type_Device,
	&vl_type_Gpu, SYMBOL("What cannot be freed until the kernel has taken a process"),
	&vl_type_Budget, SYMBOL("A session that has not ended"), &vl_type_Session,
	SYMBOL("What a user is charged with, and may be"), &vl_type_Quota, &vl_type_Leaked,
	&vl_type_Suspect, &vl_type_Arguments,
	SYMBOL("Of a thread that did not come back. Information: nothing is decided by it"),
	&vl_type_Forensics, SYMBOL("One try of a session on one encoder"), &vl_type_Attempt,
	SYMBOL("What became of a session; one for each"), &vl_type_Report,
	SYMBOL("What became of the output of Encode"), &vl_type_Delivery, &vl_type_Progress,
	SYMBOL("Lists the encoders"), &vl_method_ListDevices,
	SYMBOL("Opens a session. It ends when its lease is closed, if not before"),
	&vl_method_OpenSession,
	SYMBOL("Waits for the end of a session. A connection answers nothing else meanwhile"),
	&vl_method_Wait, SYMBOL("Ends a session early. What was committed stays readable"),
	&vl_method_Cancel, SYMBOL("Lists sessions that have not ended"), &vl_method_ListSessions,
	SYMBOL("Lists what is charged to users, and how much it may be"), &vl_method_ListQuotas,
	SYMBOL("The report of a session that has ended"), &vl_method_GetReport,
	SYMBOL("The walls of a child program of the daemon"), &vl_type_Wall,
	SYMBOL("Which walls stand around the daemon's children"), &vl_method_GetWalls,
	SYMBOL("Probes encoders again, all that they claim; answers when that has begun. For root "
	       "and the daemon's user"),
	&vl_method_Probe,
	SYMBOL("Encodes a file, pipe or socket into another. Two fds come with the call"),
	&vl_method_Encode, SYMBOL("No encoder can do this"), &vl_error_Unsupported,
	SYMBOL("Makes no sense anywhere"), &vl_error_Invalid, SYMBOL("No encoder is usable now"),
	&vl_error_NoEncoder, SYMBOL("A quota is used up"), &vl_error_LimitReached,
	SYMBOL("No session of this user has this id and token"), &vl_error_NoSuchSession,
	SYMBOL("The session has no report yet"), &vl_error_NotEnded,
	SYMBOL("For another user than this one"), &vl_error_NotAllowed,
	SYMBOL("The daemon is shutting down"), &vl_error_Stopping,
	SYMBOL("The host is out of something"), &vl_error_OutOfResources,
	SYMBOL("The process that reads the input and writes the output ended too early"),
	&vl_error_AdapterFailed);
