// The schemas beside this file are compiled by CapnProtoPlugin.
