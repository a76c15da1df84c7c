@0xcabf0006d97672e0;

# What the client and the server of perf_demo say to each other. The same messages travel in both modes: on a channel of
# a session (zero-copy), and stream-framed over a Unix socket (classic).

struct Cache {
  # One message of the conversation. The client sends `getCacheReq`, the server answers each with one `getCacheRsp`, or
  # with `failure` when it cannot serve it; neither side sends anything else.

  union {
    getCacheReq @0 :GetCacheReq;
    getCacheRsp @1 :GetCacheRsp;
    failure @2 :Failure;
  }
}

struct GetCacheReq {
  # Asks for the content of one file.

  fileName @0 :Text;
  # The file's name in the server's directory: one path component, and not a path.
}

struct GetCacheRsp {
  # The content of the file, as it was when the server loaded it.

  fileParts @0 :List(FilePart);
  # The file's chunks, in order and without gaps: their `data`, one after the other, is the file. Never empty, since
  # empty files are not served.
}

struct FilePart {
  # One chunk of a file.

  data @0 :Data;
  # The bytes: at least 1, at most 64 MiB (67108864). All chunks of a file but the last have the same size.

  dataSize @1 :UInt64;
  # How many bytes `data` holds.

  dataHash @2 :UInt64;
  # The hash of `data`: XXH64 with seed 0.
}

struct Failure {
  # Why a request was not served.

  reason @0 :Reason;

  detail @1 :Text;
  # For people.

  enum Reason {
    unknownFile @0;
    # The server has no file of that name.

    notARequest @1;
    # The message was no `getCacheReq`, or could not be read.
  }
}
